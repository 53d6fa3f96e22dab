"""Put a page together of sections and tables, all text escaped."""

import html
import pathlib
import string
from collections.abc import Iterable, Sequence
from typing import Any

from tfminilm import files
from tfminilm.report import page_code


def write(path: pathlib.Path, title: str, sections: Sequence[str]) -> None:
    """Write a page of sections, which are HTML."""
    style = page_code.read("page.css")
    content = string.Template(page_code.read("page.html")).substitute(
        title=escaped(title),
        style=style,
        style_hash=page_code.digest(style),
        script_hash=page_code.digest(""),
        body="\n".join(sections),
        script="",
    )
    files.write_text(path, content)


def header(
    title: str, verdict: str, tiles: Iterable[tuple[str, str, str]]
) -> str:
    """Return the page's head: what it says in a sentence, and in figures.

    Args:
        title: of the page.
        verdict: the sentence.
        tiles: of each figure its name, its value, and what it is of.
    """
    items = "".join(
        f'<li class="card"><span>{escaped(a)}</span><b>{escaped(b)}</b>'
        f"<span>{escaped(c)}</span></li>"
        for a, b, c in tiles
    )
    return (
        f"<header><h1>{escaped(title)}</h1>"
        f'<p class="verdict">{escaped(verdict)}</p></header>\n'
        f'<ul class="tiles" aria-label="Key figures">{items}</ul>'
    )


def bullets(title: str, lines: Iterable[str]) -> str:
    """Return a section with a list of lines."""
    items = "".join(f"<li>{escaped(line)}</li>" for line in lines)
    return section(title, "", f'<ul class="card">{items}</ul>')


def section(title: str, note: str, body: str) -> str:
    """Return a section: its title, a note as text, and a body of HTML."""
    note = f'<p class="note">{escaped(note)}</p>' if note else ""
    return f"<h2>{escaped(title)}</h2>\n{note}{body}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table whose columns and rows begin with their name."""
    first, *others = head
    cells = f'<th scope="col" class="first">{escaped(first)}</th>'
    cells += "".join(f'<th scope="col">{escaped(x)}</th>' for x in others)
    body = "".join(
        f'<tr><th scope="row">{escaped(row[0])}</th>'
        + "".join(f"<td>{escaped(x)}</td>" for x in row[1:])
        + "</tr>"
        for row in rows
    )
    return (
        '<div class="card scroll" tabindex="0"><table><thead><tr>'
        f"{cells}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def escaped(value: Any) -> str:
    """Return anything as text that HTML takes."""
    # A name from the command line may contain invalid bytes.
    shown = str(value).encode("utf-8", "replace").decode("utf-8")
    return html.escape(shown)
