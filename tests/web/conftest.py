"""Node, Chromium, what drives it, and small bundles for the page."""

import importlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile

import pytest

from tfminilm.web import packages

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
VERIFY = ROOT / "apps/android/verify"
# Set by `make test-web`: what is missing fails then, and is not skipped.
REQUIRED = "TFMINILM_REQUIRE_WEB"
PLAYWRIGHT = packages.Package(
    "playwright-core",
    "1.56.1",
    "hutraynyn31F+Bifme+Ps9Vq59hKuUCz7H1kDOcBs+2oGguKkWTU50bBWrtz34OUWmIwpBTWDx"
    "aRPXrIXkgvmQ==",
    {},
)


def _program(name):
    path = shutil.which(name)
    if path is None and os.environ.get(REQUIRED):
        pytest.fail(f"{name} is not installed: make test-web installs it")
    if path is None:
        pytest.skip(f"{name} is not installed: make test-web")
    return path


@pytest.fixture(scope="session")
def node():
    """`node(script, *arguments)`: what it prints, read as JSON."""
    program = _program("node")

    def run(script, *arguments):
        done = subprocess.run(
            [program, HERE / script, *arguments],
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="session")
def verify():
    """`verify(name)`: a module of the app's verification."""

    def read(name):
        sys.path.insert(0, str(VERIFY))
        try:
            return importlib.import_module(name)
        finally:
            sys.path.remove(str(VERIFY))

    return read


@pytest.fixture(scope="session")
def browse(node, tmp_path_factory):
    """`browse(site, **steps)`: what Chromium shows of a page."""
    chromium = _program("chromium")
    _program("npm")
    folder = tmp_path_factory.mktemp("playwright")
    with tarfile.open(packages.fetch(PLAYWRIGHT)) as archive:
        archive.extractall(folder, filter="data")

    def run(site, **steps):
        path = folder / "steps.json"
        path.write_text(json.dumps(steps))
        driver = folder / "package"
        return node("browser.mjs", driver, chromium, site, path)

    return run
