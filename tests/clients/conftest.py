"""Clients in environments of their own, as `make test-clients` makes them."""

import importlib
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root():
    """The folder in which the environments lie."""
    return ROOT


@pytest.fixture(scope="session")
def python_of():
    """`python_of(name)`: of the environment `.venv-NAME`, if it is there."""

    def find(name):
        path = ROOT / f".venv-{name}" / "bin" / "python"
        if not path.exists():
            pytest.skip(f"there is no .venv-{name}: make test-clients")
        return str(path)

    return find


@pytest.fixture(scope="session")
def text_clients():
    """The benchmark, whose parts ask a client."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "benchmarks")
        yield importlib.import_module("text_clients")
