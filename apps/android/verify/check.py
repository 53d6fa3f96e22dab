"""What must hold for an APK before it may be installed, and its sizes."""

import collections
import pathlib
import struct
import zipfile

import tools
from apk import ABIS, MIN_SDK, TARGET_SDK

_MAX_BYTES = 45_000_000
_LOAD = 1  # The kind of segment that is mapped into memory.
_PAGE = 16384
# What libraries are laid out for, where it is less than Google Play asks of an
# app: docs/android.md says which to take there.
_SMALL_PAGES = {"libtensorflowlite_jni.so": 4096}


def check(path: pathlib.Path) -> None:
    """Check signatures, manifest, code and layout of an APK.

    Raises:
        SystemExit: something does not hold.
    """
    verified = tools.run("apksigner", "verify", "--verbose", path)
    for scheme in ("v2", "v3"):
        _require(f"{scheme} scheme" in verified, f"no {scheme} signature")
        line = next(x for x in verified.splitlines() if f"{scheme} sch" in x)
        _require(line.endswith("true"), line)
    badging = tools.run("aapt2", "dump", "badging", path)
    _require(f"sdkVersion:'{MIN_SDK}'" in badging, "another minSdk")
    _require(f"targetSdkVersion:'{TARGET_SDK}'" in badging, "another targetSdk")
    _require("uses-permission" not in badging, "it asks for a permission")
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        for abi in ABIS:
            found = any(name.startswith(f"lib/{abi}/") for name in names)
            _require(found, f"no native library for {abi}")
        for info in archive.infolist():
            _check_layout(path, info)
        for name in names:
            if name.endswith(".dex"):
                _check_dex(path.parent / "check.dex", archive.read(name))
    _require(path.stat().st_size < _MAX_BYTES, f"over {_MAX_BYTES} bytes")


def page_sizes(path: pathlib.Path) -> dict[str, int]:
    """Return the bytes of a page that each library's segments are laid out for.

    An aligned place in the APK is not enough: the loader maps the segments of
    the library, each at a multiple of the pages that it was linked for.

    Raises:
        SystemExit: they are not what `_SMALL_PAGES` says, or 16 KB.
    """
    found = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".so"):
                found[name] = _segment_alignment(archive.read(name))
    for name, size in found.items():
        expected = _SMALL_PAGES.get(name.rpartition("/")[2], _PAGE)
        _require(size == expected, f"{name} is for pages of {size} bytes")
    return found


def _segment_alignment(library: bytes) -> int:
    """Return the least alignment of the segments of an ELF of 64 bits."""
    _require(library[:5] == b"\x7fELF\x02", "a library is no ELF of 64 bits")
    (start,) = struct.unpack_from("<Q", library, 32)
    size, count = struct.unpack_from("<HH", library, 54)
    headers = range(start, start + size * count, size)
    return min(
        struct.unpack_from("<Q", library, header + 48)[0]
        for header in headers
        if struct.unpack_from("<I", library, header)[0] == _LOAD
    )


def sizes(path: pathlib.Path) -> dict[str, int]:
    """Return bytes in the APK by kind, compressed as they are there."""
    total: dict[str, int] = collections.Counter()
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            total[_kind(info.filename)] += info.compress_size
    used = sum(total.values())
    return {**total, "signature and padding": path.stat().st_size - used}


def _kind(name: str) -> str:
    if name.endswith(".dex"):
        return "code"
    if name.startswith("lib/"):
        return f"native {name.split('/')[1]}"
    return "bundles" if name.startswith("assets/") else "resources"


def _check_layout(path: pathlib.Path, info: zipfile.ZipInfo) -> None:
    name = info.filename
    if not name.endswith((".tflite", ".so", ".arsc")):
        return
    _require(info.compress_type == zipfile.ZIP_STORED, f"{name} is compressed")
    with path.open("rb") as file:
        file.seek(info.header_offset + 26)
        sizes = struct.unpack("<HH", file.read(4))
    start = info.header_offset + 30 + sum(sizes)
    alignment = 16384 if name.endswith(".so") else 4
    _require(start % alignment == 0, f"{name} is not aligned to {alignment}")


def _check_dex(path: pathlib.Path, content: bytes) -> None:
    """Refuse invoke-custom, which a runtime of minSdk 26 cannot serve."""
    path.write_bytes(content)
    code = tools.run("dexdump", "-d", path)
    path.unlink()
    _require("invoke-custom" not in code, "the code has an invoke-custom")


def _require(fine: bool, problem: str) -> None:
    if not fine:
        raise SystemExit(f"the APK is not fit to be installed: {problem}")
