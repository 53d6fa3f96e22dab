"""Links in README.md, docs/ and their kin lead somewhere; pages are listed."""

import ast
import importlib
import pathlib
import re

import pytest
import yaml

import tfminilm

ROOT = pathlib.Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY")),
    *sorted(DOCS.rglob("*.md")),
]
FENCE = re.compile(r"^(`{3,}).*?^\1$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
# `make docs` writes these.
GENERATED = {"quickstart.md", "reference/commands.md", "reference/recipes.md"}


def prose(page):
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchor(heading):
    """GitHub's and the site's anchor of a heading: they agree on ours."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def defined(file):
    nodes = ast.parse(file.read_text(encoding="utf-8")).body
    kinds = ast.FunctionDef | ast.ClassDef
    return {node.name for node in nodes if isinstance(node, kinds)}


def broken(page, link):
    path, _, fragment = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.is_relative_to(ROOT) or not target.exists():
        return True
    if not fragment:
        return False
    if target.suffix == ".py":
        return fragment not in defined(target)
    return fragment not in map(anchor, HEADING.findall(prose(target)))


@pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: str(page.relative_to(ROOT))
)
def test_links_lead_somewhere(page):
    links = [link for link in LINK.findall(prose(page)) if ":" not in link]
    assert [link for link in links if broken(page, link)] == []


def test_a_broken_link_is_found(tmp_path):
    page = DOCS / "results.md"
    assert broken(page, "results/nowhere.md")
    assert broken(page, "results/latency.md#nowhere")
    assert broken(page, "../tfminilm/losses/minilm.py#nowhere")
    assert not broken(page, "../tfminilm/losses/minilm.py#value_relation")
    assert not broken(page, "results/latency.md#lengths")


def test_each_page_of_docs_is_in_the_menu():
    def pages(entry):
        if isinstance(entry, str):
            return {entry}
        values = entry.values() if isinstance(entry, dict) else entry
        return set().union(*map(pages, values))

    menu = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    written = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    assert pages(menu) == written | GENERATED


def reference():
    text = "".join(p.read_text() for p in (DOCS / "reference").glob("*.md"))
    return re.findall(r"^::: (\S+)$", text, re.MULTILINE)


def resolve(name):
    """The object of a dotted name, and whether it is a module."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            found = getattr(found, part)
        return found
    raise AssertionError(name)


def test_the_reference_has_public_names_alone():
    for name in reference():
        found = resolve(name)
        assert found.__doc__, name
        assert not any(part.startswith("_") for part in name.split("."))


def test_the_reference_has_all_public_names():
    documented = set(reference())
    for name in tfminilm.__all__:
        assert f"tfminilm.{name}" in documented


def test_kotlin_in_the_docs_names_what_the_app_has():
    block = re.compile(r"^```kotlin\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    code = "".join("".join(block.findall(p.read_text())) for p in PAGES)
    used = set(re.findall(r"(?<![\"\w.])[A-Z]\w+(?=[.(])", code))
    app = ROOT / "apps/android"
    files = app.glob("*/src/main/kotlin/**/*.kt")
    sources = "".join(file.read_text() for file in files)
    named = re.findall(r"^\s*(?:\w+ )*(?:class|object) (\w+)", sources, re.M)
    assert used
    platform = {"Character", "Normalizer", "Regex"}
    assert used <= set(named) | platform
