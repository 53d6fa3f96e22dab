"""Makes Android's TensorFlow Lite library loadable under glibc.

`python loadable.py LIBRARY FOLDER [COMPILER]` writes both files into FOLDER.
The library is built for Android's libc (bionic): it asks for files by other
names, its symbols carry the version `LIBC`, and a few functions are missing or
mean something else. The machine code stays as it is.
"""

import ctypes
import dataclasses
import pathlib
import struct
import subprocess
import sys

_SHIM = pathlib.Path(__file__).with_name("shim.c")
# The one file asked for that stays; the shim comes under this name.
_KEPT = b"liblog.so"
# Calls of these go to the shim, under a name with a capital letter.
_RENAMED = (
    *(b"fflush", b"fprintf", b"fputc", b"fwrite", b"vfprintf"),
    *(b"pthread_cond_broadcast", b"pthread_cond_destroy"),
    *(b"pthread_cond_init", b"pthread_cond_signal", b"pthread_cond_wait"),
    *(b"pthread_mutex_init", b"sysconf"),
)
# ELF's numbers.
_PT_DYNAMIC = 2
_DT_NEEDED, _DT_HASH, _DT_STRTAB, _DT_SYMTAB = 1, 4, 5, 6
_DT_VERSYM, _DT_VERDEF, _DT_VERNEEDNUM = 0x6FFFFFF0, 0x6FFFFFFC, 0x6FFFFFFF
_ENTRY = struct.Struct("<QQ")


@dataclasses.dataclass(frozen=True)
class Loadable:
    """The two files, to be loaded in this order; one folder holds both."""

    shim: pathlib.Path
    runtime: pathlib.Path


def make(
    library: pathlib.Path, folder: pathlib.Path, compiler: str = "gcc"
) -> Loadable:
    """Write a copy of a library that glibc loads, and the shim it needs.

    Args:
        library: `libtensorflowlite_jni.so` of an AAR or APK, of 64 bits.
        folder: gets `liblog.so`, which is the shim, and the copy under the
            library's own name.
        compiler: for the library's processor.

    Raises:
        ValueError: the file is not such a library.
        subprocess.CalledProcessError: the shim cannot be compiled.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = Loadable(folder / _KEPT.decode(), folder / library.name)
    made.runtime.write_bytes(patched(library.read_bytes()))
    options = ("-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror")
    # `--no-as-needed`: the library finds mathematics through the shim.
    links = (f"-Wl,-soname,{made.shim.name}", "-Wl,--no-as-needed", "-lm")
    subprocess.run(
        [compiler, *options, "-o", made.shim, _SHIM, *links, "-ldl"], check=True
    )
    return made


def load(made: Loadable) -> ctypes.CDLL:
    """Load both into this process.

    The library finds the shim because one of that name is there already.
    """
    ctypes.CDLL(str(made.shim))
    return ctypes.CDLL(str(made.runtime))


def patched(content: bytes) -> bytes:
    """Return the library without bionic's names.

    Raises:
        ValueError: the file is no library for Android of 64 bits.
    """
    if content[:6] != b"\x7fELF\x02\x01":
        raise ValueError("no ELF file of 64 bits, little-endian")
    data = bytearray(content)
    start, size = _dynamic(data)
    entries = list(_ENTRY.iter_unpack(data[start : start + size]))
    place = dict(entries)
    # The first segment is mapped from the file's start: places are offsets.
    strings = place[_DT_STRTAB]

    def is_kept(tag: int, value: int) -> bool:
        if tag == _DT_NEEDED:
            return _string(data, strings + value) == _KEPT
        return tag != _DT_VERSYM and not _DT_VERDEF <= tag <= _DT_VERNEEDNUM

    kept = [entry for entry in entries if is_kept(*entry)]
    if all(tag != _DT_NEEDED for tag, _ in kept):
        raise ValueError(f"it does not ask for {_KEPT.decode()}")
    table = b"".join(_ENTRY.pack(*entry) for entry in kept)
    data[start : start + size] = table.ljust(size, b"\0")
    # A hash table has as many chains as there are symbols.
    (symbols,) = struct.unpack_from("<I", data, place[_DT_HASH] + 4)
    _rename(data, place[_DT_SYMTAB], symbols, strings)
    return bytes(data)


def _dynamic(data: bytearray) -> tuple[int, int]:
    """Return the dynamic section's place in the file, and its bytes."""
    (table,) = struct.unpack_from("<Q", data, 32)
    step, count = struct.unpack_from("<HH", data, 54)
    for header in range(table, table + step * count, step):
        if struct.unpack_from("<I", data, header) == (_PT_DYNAMIC,):
            (offset,) = struct.unpack_from("<Q", data, header + 8)
            (size,) = struct.unpack_from("<Q", data, header + 32)
            return offset, size
    raise ValueError("it has no dynamic section")


def _string(data: bytearray, start: int) -> bytes:
    return bytes(data[start : data.index(b"\0", start)])


def _rename(data: bytearray, start: int, symbols: int, strings: int) -> None:
    """Give the names of `_RENAMED` a capital letter, where it imports them."""
    for symbol in range(start, start + 24 * symbols, 24):
        name, _, _, section = struct.unpack_from("<IBBH", data, symbol)
        at = strings + name
        word = _string(data, at)
        if section == 0 and word in _RENAMED:
            if data[at - 1] != 0:
                raise ValueError(f"{word.decode()} shares its name's place")
            data[at] -= 32


if __name__ == "__main__":
    print(make(*map(pathlib.Path, sys.argv[1:3]), *sys.argv[3:]))
