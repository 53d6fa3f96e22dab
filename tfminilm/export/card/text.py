"""Put texts from files into Markdown and YAML, so that they stay texts."""

import html
import json
import re
from collections.abc import Mapping, Sequence

from tfminilm.typing import Json

_MARKS = re.compile(r"([\\`*_{}\[\]()#+!|~>-])")
_LONGEST = 200


def plain(text: object) -> str:
    """Return a text on one line, without what no reader would see."""
    shown = "".join(c if c.isprintable() else " " for c in str(text))
    shown = " ".join(shown.split())
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."


def markdown(text: object) -> str:
    """Return a text as Markdown that shows it as it is, without HTML."""
    return _MARKS.sub(r"\\\1", html.escape(plain(text), quote=False))


def table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table in Markdown; its cells are shown as they are."""
    lines = [titles, ["---"] * len(titles)]
    lines += [[markdown(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def front_matter(values: Mapping[str, Json]) -> str:
    """Return YAML between two lines of dashes, a key a line.

    The values are JSON, which YAML reads as well. Those that are empty are
    left out.
    """
    lines = [
        f"{key}: {json.dumps(_cleaned(value), ensure_ascii=False)}"
        for key, value in values.items()
        if value not in (None, "", [], {})
    ]
    return "\n".join(["---", *lines, "---"])


def _cleaned(value: Json) -> Json:
    """Return JSON whose texts hold no character that YAML refuses."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, Mapping):
        return {plain(key): _cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(item) for item in value]
    return value
