"""The built site has every page, every public name and every recipe.

`make docs` installs what it takes; without that these tests are skipped.
"""

import importlib
import importlib.util
import os
import pathlib
import re
import subprocess
import sys

import pytest

from tfminilm import commands

ROOT = pathlib.Path(__file__).parents[1]
PACKAGES = (
    "tfminilm",
    "tfminilm.data",
    "tfminilm.export.bundle",
    "tfminilm.layers",
    "tfminilm.losses",
    "tfminilm.methods",
    "tfminilm.students",
    "tfminilm.tasks",
    "tfminilm.teachers",
    "tfminilm.tokenizer",
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("mkdocs") is None,
        reason="mkdocs is not installed: make docs",
    ),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", folder],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_each_public_function_and_class_is_in_the_reference(site):
    pages = "".join(
        page.read_text() for page in (site / "reference").rglob("*.html")
    )
    anchors = set(re.findall(r'id="(tfminilm[\w.]*)"', pages))
    for package in PACKAGES:
        module = importlib.import_module(package)
        for name in module.__all__:
            found = getattr(module, name)
            if callable(found):
                own = f"{found.__module__}.{name}"
                short = f"tfminilm.{name}"
                assert {own, short, f"{package}.{name}"} & anchors, name


def test_commands_and_recipes_have_pages_made_of_them(site):
    page = (site / "reference/commands/index.html").read_text()
    assert all(f'id="{name}"' in page for name in commands.COMMANDS)
    assert "--workdir" in page
    page = (site / "reference/recipes/index.html").read_text()
    for folder in ("students", "export"):
        for file in (ROOT / folder).glob("*.py"):
            assert f'id="{file.stem}"' in page


def test_the_notebook_is_a_page_and_a_file(site):
    assert "export_bundle" in (site / "quickstart/index.html").read_text()
    assert (site / "quickstart.ipynb").exists()


def test_an_equation_leads_to_its_code(site):
    page = (site / "methods/minilm/index.html").read_text()
    link = "../../source/tfminilm/losses/minilm.py/#attention_transfer"
    assert f'href="{link}"' in page
    source = site / "source/tfminilm/losses/minilm.py/index.html"
    assert 'id="attention_transfer"' in source.read_text()


def test_the_readme_is_a_page(site):
    page = (site / "source/index.html").read_text()
    assert 'id="which-student-should-i-take"' in page
    assert 'href="../results/training_step/"' in page
