"""What classes call of others, read out of their files (Java's own format)."""

import dataclasses
import pathlib
import re
import struct
import zipfile
from collections.abc import Iterable, Iterator, Mapping

_UTF8, _CLASS, _NAME_AND_TYPE = 1, 7, 12
_MEMBERS = {9: "field", 10: "method", 11: "method"}
_OBJECT = re.compile("L([^;]+);")
# Bytes of a constant behind its tag; that of a text follows it.
_SIZES = {
    **dict.fromkeys((3, 4, 9, 10, 11, 12, 17, 18), 4),
    **dict.fromkeys((5, 6), 8),
    **dict.fromkeys((7, 8, 16, 19, 20), 2),
    15: 3,
}


@dataclasses.dataclass(frozen=True)
class ClassFile:
    """A class: its name, those above it, and what it names of others.

    Attributes:
        named: classes that it names, itself too.
        members: owner, kind (`field` or `method`) and name.
    """

    name: str
    above: tuple[str, ...]
    named: frozenset[str]
    members: frozenset[tuple[str, str, str]]


def read(content: bytes) -> ClassFile:
    """Read a class file."""
    (count,) = struct.unpack_from(">H", content, 8)
    texts: dict[int, str] = {}
    pairs: dict[int, tuple[int, int, int]] = {}
    place, index = 10, 1
    while index < count:
        tag = content[place]
        if tag == _UTF8:
            (size,) = struct.unpack_from(">H", content, place + 1)
            text = content[place + 3 : place + 3 + size]
            texts[index] = text.decode("utf-8", "replace")
            place += 3 + size
        else:
            size = _SIZES[tag]
            first, second = struct.unpack_from(">HH", content, place + 1)
            pairs[index] = tag, first, second
            place += 1 + size
        # Numbers of 64 bits take two numbers of constants.
        index += 2 if tag in (5, 6) else 1
    classes = {
        index: texts[first]
        for index, (tag, first, _) in pairs.items()
        if tag == _CLASS
    }
    members = {
        (classes[first], _MEMBERS[tag], texts[pairs[second][1]])
        for tag, first, second in _members(pairs)
    }
    _, this, parent, number = struct.unpack_from(">HHHH", content, place)
    others = struct.unpack_from(f">{number}H", content, place + 8)
    above = tuple(classes[each] for each in (parent, *others) if each)
    # A method is called by the classes that it takes and returns, too.
    types = [texts[pairs[second][2]] for _, _, second in _members(pairs)]
    mentioned = {name for each in types for name in _OBJECT.findall(each)}
    named = frozenset({*classes.values(), *mentioned})
    return ClassFile(classes[this], above, named, frozenset(members))


def _members(
    pairs: Mapping[int, tuple[int, int, int]],
) -> Iterator[tuple[int, int, int]]:
    """Yield those constants that name a member of a class."""
    return (each for each in pairs.values() if each[0] in _MEMBERS)


def rules(
    users: Iterable[bytes], jars: Iterable[pathlib.Path]
) -> Iterator[str]:
    """Yield rules for R8 that keep what `users` call of the classes in `jars`.

    A member that a class has from one above it is kept there too; of a class
    that a user extends or implements all members are.
    """
    own = {each.name: each for jar in jars for each in _classes(jar)}
    kept: dict[str, set[str]] = {}

    def keep(owner: str, rule: str) -> None:
        if owner in own and rule not in kept.setdefault(owner, set()):
            kept[owner].add(rule)
            for each in own[owner].above:
                keep(each, rule)

    for user in map(read, users):
        for name in user.named & own.keys():
            kept.setdefault(name, set())
        for name in user.above:
            keep(name, "*;")
        for owner, kind, name in user.members:
            if name == "<init>":
                kept.setdefault(owner, set()).add("<init>(...);")
            else:
                keep(owner, f"*** {name}{'(...)' * (kind == 'method')};")
    for name in sorted(kept.keys() & own.keys()):
        members = " ".join(sorted(kept[name]))
        yield f"-keep class {name.replace('/', '.')} {{ {members} }}"


def _classes(jar: pathlib.Path) -> Iterator[ClassFile]:
    with zipfile.ZipFile(jar) as archive:
        for name in archive.namelist():
            if name.endswith(".class"):
                yield read(archive.read(name))
