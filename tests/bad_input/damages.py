"""What can be wrong with any file, and the cases that have it wrong."""

import dataclasses
import os
import pathlib
from collections.abc import Callable

LONG = 10_000_001  # One more than a line may have.
Spoil = Callable[[pathlib.Path], None]


@dataclasses.dataclass(frozen=True)
class Spoiled:
    """A command, or a function, on files of which one is spoiled.

    Attributes:
        kind: what is bad.
        name: tells it from others of its kind.
        words: of the refusal, in any order: the file's or flag's name.
        command: the arguments, in which `{}` is the folder of the case.
        prepare: makes the files in that folder.
        call: what is called in place of a command, with that folder; it
            raises what the command would tell.
        is_slow: whether it is left out of the fast tests.
        environment: variables that are set.
    """

    kind: str
    name: str
    words: tuple[str, ...]
    command: tuple[str, ...] = ()
    prepare: Spoil = lambda folder: None
    call: Callable[[pathlib.Path], object] | None = None
    is_slow: bool = False
    environment: tuple[tuple[str, str], ...] = ()


def content(value: bytes) -> Spoil:
    """Writes it in place of a file."""
    return lambda path: path.write_bytes(value)  # type: ignore


def odd(make: Spoil) -> Spoil:
    """Puts something else in the place of a file."""

    def spoil(path: pathlib.Path) -> None:
        path.unlink(missing_ok=True)
        make(path)

    return spoil


ODD: dict[str, Spoil] = {
    "gone": odd(lambda path: None),
    "pipe": odd(os.mkfifo),
    "device": odd(lambda path: path.symlink_to("/dev/zero")),
    "terminal": odd(lambda path: path.symlink_to("/dev/full")),
    "folder": odd(lambda path: path.mkdir()),
    "dangling-link": odd(lambda path: path.symlink_to("nowhere")),
    "link-to-itself": odd(lambda path: path.symlink_to(path.name)),
}
TEXT: dict[str, Spoil] = {
    "empty": content(b""),
    "blank": content(b" \n\n\t\n"),
    "mark-alone": content(b"\xef\xbb\xbf"),
    "utf-16": content("text\tlabel\nso\t1\n".encode("utf-16")),
    "binary": content(b"\x7fELF\x02\x01\x00\x00" * 9),
    "latin-1": content("text\tlabel\nné\t1\n".encode("latin-1")),
    "cut-character": content("text\tlabel\né".encode()[:-1]),
    "half-surrogate": content(b"text\tlabel\n\xed\xa0\x80\t1\n"),
}
JSON: dict[str, Spoil] = {
    name: content(value)
    for name, value in {
        "empty": b"",
        "cut": b'{"a": {"b": [1, ',
        "no-text": b"\xff\xfe\x00\x01",
        "zero-bytes": b"\0" * 64,
        "deep-list": b"[" * 200_000,
        "deep-object": b'{"a":' * 100_000,
        "deep-closed": b"[" * 70 + b"]" * 70,
        "many-digits": b'{"a": ' + b"9" * 5_000 + b"}",
        "half-surrogate": b'{"a": "\\ud83d"}',
        "nan": b'{"a": NaN}',
        "infinite": b'{"a": -1e999}',
        "list": b"[]",
        "text": b'"a"',
        "null": b"null",
        "number": b"3.5",
        "true": b"true",
        "two-values": b"{} {}",
        "comment": b"{} // what it is",
        "single-quotes": b"{'a': 1}",
    }.items()
}
