"""Find the paragraphs of running text in docstrings.

Docstrings are in reStructuredText, in Markdown, or have the sections of
Google's and NumPy's styles. Code, doctests, tables, headings, directives and
lists of arguments are left out; roles, links and emphasis are replaced by
their text.
"""

import re
from collections.abc import Iterator

_UNDERLINE = re.compile(r"([=\-~^\"'*#+`.:])\1{2,}$")
_TABLE = re.compile(r"[=\-+| :]*(?:[=\-]{3,}[ +|]+){1,}[=\-+| :]*$|\|.*\|$")
_DIRECTIVE = re.compile(r"\.\. ?(?P<name>[\w:-]+)::\s*(?P<rest>.*)")
_BULLET = re.compile(r"(?:[-*+•]|\(?(?:\d+|[a-zA-Z])[.)])\s+")
_FIELD = re.compile(r":\w[^:]*:(?:\s|$)|@\w+")
_ADMONITIONS = frozenset("note warning tip important caution hint".split())
_LISTS = (
    "args|arguments|parameters|other parameters|returns?|yields?|raises|"
    "attributes|methods|examples?|see also|references|usage|warns|receives|"
    "call arguments|input shape|output shape|keyword args|reference|"
    "keyword arguments|inputs?|outputs?|sample usage|example usage"
)
_LIST_HEADING = re.compile(_LISTS, re.IGNORECASE)
_LIST_START = re.compile(rf"#*\s*(?:\*\*)?(?:{_LISTS})s?:", re.IGNORECASE)

_INLINE = (
    (re.compile(r"\s*\[[\w#*.-]+\]_"), ""),
    (re.compile(r":[\w:]+:`~(?:[\w.]*\.)?([^`]+)`"), r"\1"),
    (re.compile(r"(?::[\w:]+:)?`+([^`<]+?)\s*<[^`>]*>`+_*"), r"\1"),
    (re.compile(r"(?::[\w:]+:)?`+([^`]+)`+_*"), r"\1"),
    (re.compile(r"!?\[([^\]]+)\]\([^)]*\)"), r"\1"),
    (re.compile(r"(?<!\w)(\*{1,3})(\S(?:[^*]*\S)?)\1(?!\w)"), r"\2"),
    (re.compile(r"(?<!\w)_(\w[^_]*\w)_(?!\w)"), r"\1"),
    (re.compile(r"\\([*_`|<>\\])"), r"\1"),
)
_MARKUP = re.compile(r"[`*_\[\\]")


def paragraphs(docstring: str) -> Iterator[str]:
    """Yield each paragraph as one line.

    Args:
        docstring: its text, with the common indentation already removed.
    """
    dropped_below: int | None = None  # Deeper blocks belong to a dropped one.
    in_list = False  # A section of NumPy's style ends at the next heading.
    for block in _blocks(docstring):
        if len(block) > 1 and _UNDERLINE.match(block[1].strip()):
            in_list = _LIST_HEADING.fullmatch(block[0].strip()) is not None
            dropped_below = None
            block = block[2:]
        if in_list or not block:
            continue
        indent = _indent(block[0])
        if dropped_below is not None and indent > dropped_below:
            continue
        dropped_below = None
        if directive := _DIRECTIVE.match(block[0].strip()):
            if directive["name"] not in _ADMONITIONS:
                dropped_below = indent
                continue
            block = [directive["rest"], *block[1:]]
        elif _is_dropped(block):
            dropped_below = indent
            continue
        for text in _items(block):
            if text.endswith("::"):
                dropped_below = indent
            yield _plain(text)


def _plain(text: str) -> str:
    """Return `text` without inline markup, on one line."""
    if _MARKUP.search(text):
        for pattern, replacement in _INLINE:
            text = pattern.sub(replacement, text)
    return " ".join(text.split())


def _blocks(docstring: str) -> Iterator[list[str]]:
    """Yield runs of lines between blank ones, without fenced code."""
    block: list[str] = []
    fenced = False
    for line in docstring.expandtabs().split("\n"):
        fence = line.lstrip().startswith(("```", "~~~"))
        if fence or fenced or not line.strip():
            if block:
                yield block
            block = []
            fenced ^= fence
        else:
            block.append(line)
    if block:
        yield block


def _is_dropped(block: list[str]) -> bool:
    """Return whether it is code, a table, a comment or a list of arguments."""
    first = block[0].strip()
    if first.startswith(("..", "#", "$", "@")) or _FIELD.match(first):
        return True
    if _LIST_START.match(first):
        return True
    return any(
        line.startswith((">>>", "... ", "In [", "|")) or _TABLE.match(line)
        for line in map(str.strip, block)
    )


def _items(block: list[str]) -> Iterator[str]:
    """Yield the items of a list without bullets, or the block as one item."""
    item: list[str] = []
    for line in map(str.strip, block):
        if bullet := _BULLET.match(line):
            if item:
                yield " ".join(item)
            item = []
            line = line[bullet.end() :]
        item.append(line)
    if item:
        yield " ".join(item)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
