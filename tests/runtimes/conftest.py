"""Old runtimes, each in a folder of its own, and small bundles for them."""

import dataclasses
import hashlib
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

import pytest

HERE = pathlib.Path(__file__).parent
VERIFY = HERE.parents[1] / "apps/android/verify"
CACHE = (
    pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    / "tfminilm"
    / "runtimes"
)
# Built for NumPy 1, whose arrays lie otherwise than NumPy 2's.
NUMPY = {"1.0.1": "numpy==1.26.4"}
SUMS = {
    "2.14.0": (
        "709db81fbfba461b1ed27e9c1e83817c2d7cc60469074eaa36c88fb8dbea4886"
    ),
    "2.16.1": (
        "34b065817e294e7dd3569504e8b9454938ceae453b6a459da54d5f6e45d3c94e"
    ),
}


@dataclasses.dataclass(frozen=True)
class Runtime:
    """A library's version, and how to run it."""

    library: str
    version: str
    folder: pathlib.Path | None

    def answers(self, bundle):
        """What it makes of a bundle's known rows; None if it refuses it."""
        command = [sys.executable, HERE / "worker.py", bundle]
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        environment.pop("PYTHONPATH", None)
        if self.library == "tensorflow-lite":
            command.append(self.folder)
        elif self.version == "compiled":
            command.append("compiled")
        elif self.folder is not None:
            environment["PYTHONPATH"] = str(self.folder)
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True
        )
        if done.returncode:
            # Refused, not broken: the worker itself must have been able.
            assert "ModuleNotFoundError" not in done.stderr, done.stderr
            return None
        return json.loads(done.stdout)


def _kept(name, build):
    """A folder of the cache, built by `build(folder)` if it is not there."""
    folder = CACHE / name
    if not folder.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as beside:
            build(pathlib.Path(beside, "new"))
            pathlib.Path(beside, "new").rename(folder)
    return folder


def _module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _wheel(version):
    def build(folder):
        wanted = [f"ai-edge-litert=={version}", *NUMPY.get(version, "").split()]
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "--quiet"),
                *("--disable-pip-version-check", "--no-deps"),
                *("--target", folder, *wanted),
            ],
            check=True,
        )

    return _kept(f"ai-edge-litert-{version}", build)


def _android(version):
    """TensorFlow Lite's x86-64 library, made loadable."""

    def build(folder):
        if shutil.which("mvn") is None:
            _module(VERIFY / "tools.py").fetch()
        folder.mkdir()
        subprocess.run(
            [
                *("mvn", "--batch-mode", "--quiet"),
                "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy",
                f"-Dartifact=org.tensorflow:tensorflow-lite:{version}:aar",
                f"-DoutputDirectory={folder}",
            ],
            check=True,
        )
        aar = folder / f"tensorflow-lite-{version}.aar"
        digest = hashlib.sha256(aar.read_bytes()).hexdigest()
        assert digest == SUMS[version], f"{aar.name} is not the one expected"
        with zipfile.ZipFile(aar) as archive:
            name = "jni/x86_64/libtensorflowlite_jni.so"
            library = pathlib.Path(archive.extract(name, folder / "aar"))
        loadable = _module(VERIFY / "native" / "loadable.py")
        loadable.make(library, folder)

    return _kept(f"tensorflow-lite-{version}", build)


@pytest.fixture(scope="session")
def runtime():
    """`runtime(library, version)`, installed once.

    "" is this Python's interpreter, "compiled" its `CompiledModel`.
    """

    def make(library, version):
        if version in ("", "compiled"):
            return Runtime(library, version, None)
        install = _android if library == "tensorflow-lite" else _wheel
        return Runtime(library, version, install(version))

    return make
