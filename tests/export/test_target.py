"""Targets and their recipes."""

import dataclasses
import importlib.util
import pathlib

import pytest

from tfminilm.errors import UsageError
from tfminilm.export.target import TEXT_TASKS, Target

RECIPES = sorted((pathlib.Path(__file__).parents[2] / "export").glob("*.py"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    target = Target.parse(module.get_config())
    assert target.name == path.stem
    is_one = target.format in TEXT_TASKS
    assert target.lengths[-2:] == ((128,) if is_one else (32, 128))
    assert Target.parse(module.get_config("smoke")).lengths == (8,)
    with pytest.raises(UsageError, match="unknown mode 'fast'"):
        module.get_config("fast")


def test_there_are_recipes():
    assert {path.stem for path in RECIPES} >= {
        "android_fp32",
        "android_fp16",
        "android_int8",
        "android_int4",
        "android_static_int8",
        "android_weights_int8",
    }


def test_survives_a_round_trip():
    target = Target(
        name="x",
        lengths=(4, 8),
        layers={"layer_0/*": "dynamic_wi4_afp32"},
        min_cosine=0.5,
    )
    assert Target.parse(target.config()) == target


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"precison": "float32"}, "unknown key precison; .* precision"),
        ({"precision": "int3"}, "precision is 'int3', expected float32"),
        ({"format": "tflite"}, "format is 'tflite', expected litert"),
        (
            {"format": "onnx", "precision": "float16"},
            "precision is 'float16', expected float32 for onnx",
        ),
        (
            {
                "format": "task_library",
                "precision": "dynamic_wi8_afp32",
                "lengths": (8,),
            },
            r"float16 \| weight_only_wi8_afp32 for task_library",
        ),
        (
            {"format": "mediapipe_embedder"},
            r"lengths is \(32, 128\), expected one of 2 or more",
        ),
        (
            {"layers": {"tokens": "int3"}},
            r"layers is \{'tokens': 'int3'\}, exp",
        ),
        ({"layers": {"tokens": "float16"}}, "layers is .*, expected none, or"),
        (
            {"layers": {"a": "float32"}, "precision": "float16"},
            "layers is .*, expected none, or",
        ),
        ({"layers": {"a": "float32"}, "format": "onnx"}, "by layer, for lite"),
        ({"lengths": ()}, "lengths is .*, expected one or more"),
        ({"lengths": (0, 8)}, "lengths is .*, expected one or more"),
        ({"lengths": ("a",)}, r"lengths\[0\] is 'a' \(str\), expected int"),
        ({"lengths": 32}, "lengths is 32"),
        ({"max_difference": 0}, "max_difference is 0.0, expected above 0"),
        ({"min_cosine": 1}, "min_cosine is 1.0"),
        ({"min_agreement": 2}, "min_agreement is 2.0, expected 0 to 1"),
    ],
)
def test_bad_targets(config, message):
    with pytest.raises(UsageError, match=message):
        Target.parse(config)


def test_single_layers_may_round_activations():
    target = Target(precision="dynamic_wi8_afp32")
    assert target.activations == "float32"
    layers = {"pooler": "static_wi8_ai8"}
    assert dataclasses.replace(target, layers=layers).activations == "int8"
