"""The package itself: what importing it costs, and what it is called."""

import importlib.metadata
import json
import pathlib
import subprocess
import sys

import pytest

import tfminilm

HEAVY = (
    "ai_edge_litert",
    "litert_quantizer",
    "apache_beam",
    "keras_hub",
    "keras_nlp",
    "onnx",
    "tensorflow_datasets",
    "tensorflow_model_optimization",
    "tensorflow_text",
    "tf2onnx",
    "tf_keras",
)


def imported_by(code):
    """Top-level names of the modules that a fresh Python holds after it."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(list(sys.modules)))"
    command = [sys.executable, "-c", script]
    output = subprocess.run(command, check=True, capture_output=True, text=True)
    modules = json.loads(output.stdout.splitlines()[-1])
    return {name.partition(".")[0] for name in modules}


def test_import_loads_nothing_heavy():
    modules = imported_by("import tfminilm")
    # Not even Keras, so that it cannot take longer than `import keras`.
    assert not modules & {*HEAVY, "keras", "tensorflow", "jax"}


def test_a_recipe_is_checked_and_a_page_written_without_keras():
    modules = imported_by(
        "import tfminilm.train.recipe, tfminilm.families\n"
        "import tfminilm.report.evaluate, tfminilm.report.terminal\n"
        "import tfminilm.report.page, tfminilm.report.run_files"
    )
    assert not modules & {*HEAVY, "keras", "tensorflow", "jax"}


def test_public_names_load_keras_and_nothing_heavier():
    modules = imported_by(
        "import tfminilm\nfor n in tfminilm.__all__: getattr(tfminilm, n)"
    )
    assert "keras" in modules
    assert not modules & set(HEAVY)


def test_losses_and_layers_import_only_keras():
    root = pathlib.Path(tfminilm.__file__).parent
    for path in [*root.glob("losses/*.py"), *root.glob("layers/*.py")]:
        for line in path.read_text().splitlines():
            if line.startswith(("import tfminilm", "from tfminilm")):
                own = ("losses", "layers", "private", "typing")
                allowed = tuple(f"from tfminilm.{name}" for name in own)
                assert line.startswith(allowed), (path.name, line)


def test_public_names_exist():
    assert dir(tfminilm) == tfminilm.__all__
    for name in tfminilm.__all__:
        assert getattr(tfminilm, name) is not None
    for room in ("layers", "losses", "methods", "students", "teachers"):
        module = getattr(tfminilm, room)
        assert module.__name__ == f"tfminilm.{room}"
        for name in module.__all__:
            assert getattr(module, name).__doc__


def test_a_name_is_the_same_wherever_it_is_found():
    from tfminilm import distiller, teachers

    assert tfminilm.Distiller is distiller.Distiller
    assert tfminilm.expose is teachers.expose


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'distil'"):
        tfminilm.distil  # noqa: B018


def test_user_errors_are_value_errors():
    assert issubclass(tfminilm.UserError, ValueError)


def test_the_version_is_that_of_the_distribution():
    assert tfminilm.__version__ == importlib.metadata.version("tfminilm")


def test_is_typed():
    assert (pathlib.Path(tfminilm.__file__).parent / "py.typed").is_file()
