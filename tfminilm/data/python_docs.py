"""English prose of the Python documentation on this machine.

It has the topics of `pydoc_data`, then the docstrings of the standard library
and of the installed packages. Source files are read, not imported: a regular
expression finds string literals, and `ast` evaluates them. Parsing whole files
with `ast` finds the same docstrings (99.7 % of the text agrees, in the standard
library and a tenth of the packages), but takes five times as long for the
170 MB of source.

A document is a topic, or all docstrings of one source file.
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
    """Yield documents in a fixed order: topics, standard library, packages."""
    paragraph_keys: set[int] = set()
    library, *packages = _roots()
    for text in _topics(library / _TOPICS):
        if document := _prose([text], paragraph_keys):
            yield document
    for root in (library, *packages):
        for path in _source_files(root):
            if document := _prose(_docstrings(path), paragraph_keys):
                yield document


def identity() -> list:
    """Return Python's version, and every source file's name and size."""
    files = [
        [path.relative_to(root).as_posix(), path.stat().st_size]
        for root in _roots()
        for path in _source_files(root)
    ]
    return [platform.python_version(), files]


def _roots() -> list[pathlib.Path]:
    """Return the standard library's folder, then those of packages."""
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
    """Return the texts of `pydoc_data.topics`, a module with one dict."""
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
    """Yield triple-quoted string literals that are statements by themselves.

    These are docstrings, and similar strings below attributes.
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
            warnings.simplefilter("ignore")  # It warns of escapes such as "\d".
            try:
                text = ast.literal_eval(prefix + literal)
            except (SyntaxError, ValueError):
                continue  # A broken escape.
        yield inspect.cleandoc(text)


def _prose(texts: Iterator[str] | list[str], known_keys: set[int]) -> list[str]:
    """Return English sentences of new paragraphs; extend `known_keys`."""
    sentences: list[str] = []
    for text in texts:
        for paragraph in paragraphs(text):
            key = hash(paragraph)
            if key not in known_keys:
                known_keys.add(key)
                sentences += filter(_is_english, split_sentences(paragraph))
    return sentences


def _is_english(sentence: str) -> bool:
    return (
        sentence.isascii()
        and not _CODE.search(sentence)
        and is_prose(sentence)
        and len(tokens := words(sentence)) >= 4
        and not _ENGLISH.isdisjoint(map(str.lower, tokens))
    )
