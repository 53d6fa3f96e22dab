"""Add to the site what is not written as a page of its own.

Pages link to files of the repository, such as `../tfminilm/losses/minilm.py`.
Each of these becomes a page under `source/`, with a heading for each function
and class, so that `minilm.py#value_relation` leads to it. The pages of the
commands and of the recipes are made from the commands' help and the recipes'
docstrings, and the notebook becomes a page as well.
"""

import ast
import contextlib
import io
import json
import os
import pathlib
import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from tfminilm import commands

ROOT = pathlib.Path(__file__).parents[1]
# A block of code, to pass over, or the target of a link.
_LINK = re.compile(
    r"^(?P<fence>`{3,}).*?^(?P=fence)$|(?<=\]\()(?P<target>[^)\s]+)(?=\))",
    re.MULTILINE | re.DOTALL,
)
# Pages that link relative to another place than docs/ have it here.
_written_as: dict[str, str] = {}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    pages = {
        "quickstart.md": _notebook(ROOT / "docs/quickstart.ipynb"),
        "reference/commands.md": _commands(),
        "reference/recipes.md": _recipes(),
    }
    waiting = [
        (text, f"docs/{file.src_uri}")
        for file in files.documentation_pages()
        for text in [file.content_string]
    ] + [(text, f"docs/{uri}") for uri, text in pages.items()]
    while waiting:
        for target in _targets(*waiting.pop()):
            uri = _uri(target)
            if uri in pages or target.startswith("docs"):
                continue
            pages[uri] = _source_page(target)
            _written_as[uri] = target
            waiting.append((pages[uri], target))
    for uri, text in pages.items():
        files.append(File.generated(config, uri, content=text))
    return files


def on_page_markdown(
    markdown: str, page: Page, config: MkDocsConfig, files: Files
) -> str:
    """Turn links to files of the repository into links to their pages."""
    here = page.file.src_uri
    written_as = _written_as.get(here, f"docs/{here}")

    def link(match: re.Match[str]) -> str:
        target, mark, fragment = (match["target"] or "").partition("#")
        path = _path(target, written_as)
        if not target or not (ROOT / path).exists():
            return match[0]  # MkDocs names those that do not exist.
        uri = path.removeprefix("docs/")
        if here != "quickstart.md":
            uri = _uri(path)
        folder = os.path.dirname(here) or "."
        return os.path.relpath(uri, folder) + mark + fragment

    return _LINK.sub(link, markdown)


def _targets(text: str, written_as: str) -> set[str]:
    """Return the files that a page links to, relative to the repository."""
    targets = (match["target"] or "" for match in _LINK.finditer(text))
    links = {target.partition("#")[0] for target in targets} - {""}
    paths = {_path(link, written_as) for link in links}
    return {path for path in paths if (ROOT / path).exists()}


def _path(link: str, written_as: str) -> str:
    folder = os.path.dirname(written_as)
    return os.path.normpath(os.path.join(folder, link))


def _uri(path: str) -> str:
    """Return where the page of a file lies in the site."""
    if path.startswith("docs/"):
        uri = path.removeprefix("docs/")
        return "quickstart.md" if uri == "quickstart.ipynb" else uri
    if (ROOT / path).is_dir():
        return f"source/{path}/index.md"
    return f"source/{path}" if path.endswith(".md") else f"source/{path}.md"


def _source_page(path: str) -> str:
    head = f"---\ntitle: {path}\nsearch:\n  exclude: true\n---\n\n"
    file = ROOT / path
    if file.is_dir():
        names = sorted(p.name for p in file.iterdir() if p.suffix == ".py")
        links = [f"- [{name}]({file.name}/{name})" for name in names]
        return f"{head}# {path}/\n\n" + "\n".join(links) + "\n"
    text = file.read_text(encoding="utf-8")
    if path.endswith(".md"):
        return head + text
    if path.endswith(".py"):
        return f"{head}# {path}\n\n" + _by_definition(text)
    return f"{head}# {path}\n\n{_fenced(text, '')}"


def _by_definition(code: str) -> str:
    """Return a module's text with a heading before each function and class."""
    lines = code.splitlines()
    parts, start, heading = [], 0, ""
    for node in ast.parse(code).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            parts.append((heading, lines[start : first - 1]))
            heading, start = node.name, first - 1
    parts.append((heading, lines[start:]))
    return "\n".join(
        (f"## {name} {{#{name}}}\n\n" if name else "")
        + _fenced("\n".join(own).strip("\n"), "python")
        for name, own in parts
        if "".join(own).strip()
    )


def _fenced(text: str, language: str) -> str:
    return f"````{language}\n{text}\n````\n"


def _commands() -> str:
    lines = ["# Commands", "", "What `tfminilm COMMAND --help` prints.", ""]
    for name in commands.COMMANDS:
        with contextlib.redirect_stdout(io.StringIO()) as out:
            assert commands.main([name, "--help"]) == 0
        lines += [f"## {name}", "", _fenced(out.getvalue().rstrip(), "text")]
    return "\n".join(lines)


def _recipes() -> str:
    lines = ["# Recipes", "", "Each is a value of `--config`.", ""]
    for folder, title in (
        ("students", "Students, for `tfminilm distill`"),
        ("export", "Targets, for `tfminilm export`"),
    ):
        lines += [f"## {title}", ""]
        for file in sorted((ROOT / folder).glob("*.py")):
            text = ast.get_docstring(ast.parse(file.read_text())) or ""
            link = f"../../{folder}/{file.name}"
            lines += [f"### {file.stem}", "", _fenced(text, "text")]
            lines += [f"[Its code]({link})", ""]
    return "\n".join(lines)


def _notebook(file: pathlib.Path) -> str:
    parts = ["[This page as a notebook](quickstart.ipynb)\n"]
    for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(text + "\n")
            continue
        parts.append(_fenced(text, "python"))
        printed = "".join(
            "".join(output.get("text", ())) for output in cell["outputs"]
        )
        if printed:
            parts.append(_fenced(printed.rstrip(), "text"))
    return "\n".join([parts[1], parts[0], *parts[2:]])
