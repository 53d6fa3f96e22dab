"""The package stays easy to read: limits of what `measure.py` prints."""

import ast
import importlib.util
import pathlib
import statistics

import pytest

PATH = pathlib.Path(__file__).with_name("measure.py")


@pytest.fixture(scope="module")
def house():
    spec = importlib.util.spec_from_file_location("measure", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def modules(house):
    return house.sources()


def test_docstrings_open_with_a_verb(house, modules):
    lines = list(house.docstrings(modules))
    others = [x for x in lines if not house.opens_with_verb(x[1])]
    # A new verb goes into verbs.txt; anything else is written anew.
    assert len(others) <= 0.01 * len(lines), others
    assert house.open_questions(modules) == []


def test_arguments_have_types(house, modules):
    typed = list(house.typed_arguments(modules))
    loose = [where for where, annotation in typed if annotation == "Any"]
    assert len(loose) <= 0.04 * len(typed), loose


def test_imports_run_one_way(house, modules):
    arrows = house.imports(modules)
    assert house.circles(arrows) == []
    assert house.back_arrows(arrows) == []


def test_files_are_short(house):
    sizes = house.lengths()
    assert {x: y for x, y in sizes.items() if y > house.MOST_LINES} == {}
    assert statistics.median(sizes.values()) <= 130


def test_kinds_and_families_stand_in_their_own_files(house):
    assert house.kind_branches() == []
    assert house.family_names() == []


def test_what_is_wrong_is_found(house, tmp_path, monkeypatch):
    package = tmp_path / "tfminilm"
    (package / "losses").mkdir(parents=True)
    (package / "train").mkdir()
    (package / "losses/a.py").write_text(
        "from tfminilm.train import b\n"
        "def f(x: Any):\n    'The x.'\n    return task.kind == 'qa', 'bert'\n"
    )
    (package / "train/b.py").write_text("import tfminilm.losses.a\n")
    monkeypatch.setattr(house, "ROOT", tmp_path)
    monkeypatch.setattr(house, "PACKAGE", package)
    modules = house.sources()
    arrows = house.imports(modules)
    names = ["tfminilm.losses.a", "tfminilm.train.b"]
    assert house.circles(arrows) == [names]
    assert house.back_arrows(arrows) == [" -> ".join(names)]
    ((_, line),) = house.docstrings(modules)
    assert not house.opens_with_verb(line)
    assert house.open_questions({"a": ast.parse("'How it is.'")}) != []
    assert [y for _, y in house.typed_arguments(modules)] == ["Any"]
    assert len(house.kind_branches()) == len(house.family_names()) == 1
