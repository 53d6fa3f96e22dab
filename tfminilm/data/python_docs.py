"""English prose of the Python documentation that every machine carries.

The topics of `pydoc_data`, then the docstrings of the standard library and of
the installed packages. Nothing is imported, the source files are read: string
literals are found with one regular expression and evaluated by `ast`. Parsing
whole files with `ast` finds the same docstrings (99.7 % of their text, over
the standard library and a tenth of the packages) in five times the time, and
packages hold 170 MB of source.

A document is a topic, or what one source file says.
"""

import ast
import inspect
import os
import pathlib
import platform
import re
import sysconfig
import warnings
from collections.abc import Iterator

from tfminilm.data.docstrings import paragraphs
from tfminilm.data.sentences import is_prose, split_sentences, words

# Folders of tests, of copies of other packages, and of grammars in code.
_SKIPPED_FOLDERS = frozenset(
    "test tests testing idlelib lib2to3 site-packages dist-packages "
    "__pycache__ _vendor vendor vendored tfminilm".split()
)
_TOPICS = "pydoc_data/topics.py"

# Comments and strings, in the order in which Python would meet them, so that
# a quote inside a comment or another string opens nothing.
_LITERAL = re.compile(
    r"""\#[^\n]*"""
    r'''|"""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*"""'''
    r"""|'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'''"""
    r'''|"[^"\\\n]*(?:\\.[^"\\\n]*)*"'''
    r"""|'[^'\\\n]*(?:\\.[^'\\\n]*)*'""",
    re.DOTALL,
)
_PREFIXES = frozenset(("", "r", "R", "u", "U"))
_ENGLISH = frozenset(
    "the a an of to is are be in and or for if it this that with as by not on "
    "when can will from which you".split()
)
_CODE = re.compile(r"://|[=<>{}\\|~^@]|\w_\w+_\w|\w\(\w|\.\w+\.\w+\.|`|--")


def documents() -> Iterator[list[str]]:
    """Documents in a fixed order: topics, standard library, packages."""
    seen: set[int] = set()
    library, *others = _roots()
    for text in _topics(library / _TOPICS):
        if document := _prose([text], seen):
            yield document
    for root in (library, *others):
        for path in _source_files(root):
            if document := _prose(_docstrings(path), seen):
                yield document


def identity() -> list:
    """Python's version, and every source file's name and size."""
    files = [
        [path.relative_to(root).as_posix(), path.stat().st_size]
        for root in _roots()
        for path in _source_files(root)
    ]
    return [platform.python_version(), files]


def _roots() -> list[pathlib.Path]:
    """The standard library's folder, then those of installed packages."""
    places = sysconfig.get_paths()
    names = ("stdlib", "purelib", "platlib")
    return [pathlib.Path(p) for p in dict.fromkeys(places[n] for n in names)]


def _source_files(root: pathlib.Path) -> Iterator[pathlib.Path]:
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(set(subfolders) - _SKIPPED_FOLDERS)
        for name in sorted(names):
            if name.endswith(".py") and not name.startswith("test_"):
                yield pathlib.Path(folder, name)


def _topics(path: pathlib.Path) -> list[str]:
    """The texts of `pydoc_data.topics`, a module that assigns one dict."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return []  # A Python without its documentation.
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            topics = ast.literal_eval(node.value)
            return [topics[name] for name in sorted(topics)]
    return []


def _docstrings(path: pathlib.Path) -> Iterator[str]:
    """String literals of three quotes which stand as statements of their own.

    These are the docstrings, and the like of them below attributes.
    """
    try:
        source = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        return
    for match in _LITERAL.finditer(source):
        literal = match.group()
        if literal[:3] not in ('"""', "'''"):
            continue
        line_start = source.rfind("\n", 0, match.start()) + 1
        prefix = source[line_start : match.start()].strip()
        if prefix not in _PREFIXES:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of escapes such as "\d".
            try:
                text = ast.literal_eval(prefix + literal)
            except (SyntaxError, ValueError):
                continue  # A broken escape.
        yield inspect.cleandoc(text)


def _prose(texts: Iterator[str] | list[str], seen: set[int]) -> list[str]:
    """English sentences of the paragraphs not `seen` before, which it adds."""
    sentences: list[str] = []
    for text in texts:
        for paragraph in paragraphs(text):
            key = hash(paragraph)
            if key not in seen:
                seen.add(key)
                sentences += filter(_is_english, split_sentences(paragraph))
    return sentences


def _is_english(sentence: str) -> bool:
    return (
        sentence.isascii()
        and not _CODE.search(sentence)
        and is_prose(sentence)
        and len(found := words(sentence)) >= 4
        and not _ENGLISH.isdisjoint(map(str.lower, found))
    )
