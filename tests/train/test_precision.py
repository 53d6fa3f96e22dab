"""Which precision "auto" is."""

import keras
import pytest

from tfminilm.train import precision


@pytest.mark.parametrize("name", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_what_is_asked_for_stays(name, monkeypatch):
    monkeypatch.setattr(precision, "_seconds", None)
    assert precision.resolve_precision(name) == name


@pytest.mark.parametrize(
    ("bfloat16", "expected"),
    [(2.0, "float32"), (0.9, "float32"), (0.5, "mixed_bfloat16")],
)
def test_auto_takes_the_faster(bfloat16, expected, monkeypatch):
    times = {"float32": 1.0, "bfloat16": bfloat16}
    monkeypatch.setattr(precision, "_seconds", times.get)
    assert precision.resolve_precision("auto") == expected


def test_auto_is_a_policy_measured_here():
    keras.dtype_policies.get(precision.resolve_precision("auto"))
