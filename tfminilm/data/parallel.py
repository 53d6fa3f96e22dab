"""Read pairs of translations: tab-separated, TMX, or two plain files."""

import dataclasses
import itertools
import pathlib
from collections.abc import Iterator
from xml.etree import ElementTree

from tfminilm.errors import UserError

_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_EXPECTED = (
    "expected FILE.tsv (a text and its translation on each line, with a tab "
    "between), FILE.tmx, or two files of as many lines, ONE.txt+OTHER.txt"
)


@dataclasses.dataclass(frozen=True)
class Pair:
    """A text in the teacher's language, and its translation."""

    text: str
    translation: str


def pairs(source: str) -> Iterator[Pair]:
    """Yield the pairs of a source, each once, in the order of its files.

    Args:
        source: one or several, with commas between: a .tsv file, whose first
            column is in the teacher's language and whose other columns are
            translations; a .tmx file, whose first variant, or that of
            `srclang`, is in the teacher's language; or two files of plain
            text, `ONE+OTHER`, line by line. Pairs with a blank text are left
            out.

    Raises:
        UserError: a file is missing or broken, a line has no translation, or
            two files differ in length. The message names the line.
    """
    seen = set()
    for name in source.split(","):
        for pair in _read(name.strip()):
            if pair.text and pair.translation and pair not in seen:
                seen.add(pair)
                yield pair


def _read(name: str) -> Iterator[Pair]:
    if "+" in name:
        return _plain(name)
    suffix = pathlib.Path(name).suffix.lower()
    if suffix == ".tmx":
        return _tmx(pathlib.Path(name).expanduser())
    if suffix == ".tsv":
        return _tsv(pathlib.Path(name).expanduser())
    raise UserError(f"data.source names {name!r} as parallel text: {_EXPECTED}")


def _lines(name: str | pathlib.Path) -> list[str]:
    path = pathlib.Path(name).expanduser()
    try:
        # Only line feeds end a line: texts may hold U+2028 and others.
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"cannot read {path}: {error}; expected a text file in UTF-8"
        ) from error
    return text.removesuffix("\n").split("\n")


def _clean(text: str | None) -> str:
    return " ".join((text or "").split())


def _tsv(path: pathlib.Path) -> Iterator[Pair]:
    for number, line in enumerate(_lines(path), 1):
        first, *others = line.split("\t")
        if not others and line.strip():
            raise UserError(
                f"{path}, line {number}: no tab, so no translation; {_EXPECTED}"
            )
        for other in others:
            yield Pair(_clean(first), _clean(other))


def _plain(name: str) -> Iterator[Pair]:
    names = name.split("+")
    if len(names) != 2:
        raise UserError(f"data.source names {name!r}: {_EXPECTED}")
    for number, (first, other) in enumerate(
        itertools.zip_longest(*map(_lines, names)), 1
    ):
        if first is None or other is None:
            shorter = names[first is not None]
            raise UserError(
                f"{shorter} ends before line {number}, which the other file "
                f"of {name} has: expected as many lines, each a translation"
            )
        yield Pair(_clean(first), _clean(other))


def _tmx(path: pathlib.Path) -> Iterator[Pair]:
    source = ""
    try:
        for _, element in ElementTree.iterparse(path, ("end",)):
            if element.tag == "header":
                source = element.get("srclang", "").casefold()
            elif element.tag == "tu":
                yield from _unit(element, source)
                element.clear()
    except (OSError, ElementTree.ParseError) as error:
        raise UserError(f"cannot read {path}: {error}; {_EXPECTED}") from error


def _unit(unit: ElementTree.Element, source: str) -> Iterator[Pair]:
    """Yield the pairs of one unit of a translation memory."""
    variants = []
    for variant in unit.iter("tuv"):
        segment = variant.find("seg")
        text = "" if segment is None else "".join(segment.itertext())
        language = variant.get(_LANGUAGE) or variant.get("lang") or ""
        variants.append((language.casefold(), _clean(text)))
    # Stable: without a known source language the first variant stays first.
    variants.sort(key=lambda variant: not _is_of(variant[0], source))
    for _, text in variants[1:]:
        yield Pair(variants[0][1], text)


def _is_of(language: str, source: str) -> bool:
    """Tell whether "en-US" is of "en", or the other way round."""
    return bool(source) and language.split("-")[0] == source.split("-")[0]
