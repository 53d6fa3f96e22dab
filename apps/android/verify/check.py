"""What must hold for an APK before it may be installed, and its sizes."""

import collections
import pathlib
import struct
import zipfile

import tools
from apk import ABIS, MIN_SDK, TARGET_SDK

_MAX_BYTES = 45_000_000


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
