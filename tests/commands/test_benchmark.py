"""The benchmark command, end to end."""

import json
import pathlib
import types

import keras_hub
import pytest

from tfminilm import files
from tfminilm.commands import benchmark
from tfminilm.errors import UsageError, UserError
from tfminilm.export.litert import trial
from tfminilm.export.litert.convert import convert


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=20,
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        max_sequence_length=16,
    )
    path = tmp_path_factory.mktemp("bundle") / "model.tflite"
    path.write_bytes(convert(backbone, "float32", (8, 16)))
    return path


def flags(**given):
    defaults = {
        "model": None,
        "lengths": None,
        "threads": ["1"],
        "repeats": 2,
        "warmup": 1,
        "operators": True,
        "output": None,
    }
    return types.SimpleNamespace(**(defaults | given))


def test_a_bundle_and_a_file(file, tmp_path, capsys):
    output = tmp_path / "result.json"
    benchmark.run(
        flags(
            model=[str(file.parent)],
            threads=["1", "2"],
            output=str(output),
        )
    )
    result = json.loads(output.read_text())
    rows = result["latency_ms"]
    assert [(row["length"], row["threads"]) for row in rows] == [
        (8, 1),
        (16, 1),
        (8, 2),
        (16, 2),
    ]
    assert all(0 < row["median"] <= row["p95"] for row in rows)
    inside = result["files"][str(file)]
    assert inside["partitions"] == {"encode_8": 1, "encode_16": 1}
    assert inside["bytes"] == file.stat().st_size
    assert inside["custom_operators"] == []
    times = inside["operators"]["encode_8"]
    assert "FULLY_CONNECTED" in [row["operator"] for row in times]
    products = ("FULLY_CONNECTED", "BATCH_MATMUL")
    rest = [x for x in times if x["operator"] not in products]
    total = sum(row["milliseconds"] for row in times)
    share = sum(row["milliseconds"] for row in rest) / total
    assert inside["outside_products"]["encode_8"] == pytest.approx(share)
    assert result["machine"]["cores"] >= 1
    printed = capsys.readouterr().out
    assert "median ms" in printed
    assert "FULLY_CONNECTED" in printed


def test_files_beside_each_other(file, tmp_path, capsys):
    other = tmp_path / "other.tflite"
    other.write_bytes(file.read_bytes())
    output = tmp_path / "result.json"
    benchmark.run(
        flags(
            model=[str(file), str(other)],
            lengths=["8"],
            operators=False,
            output=str(output),
        )
    )
    first, second = json.loads(output.read_text())["latency_ms"]
    assert first["speed_up"] == 1
    assert second["speed_up"] == first["median"] / second["median"]
    assert "speed-up" in capsys.readouterr().out


def test_chosen_lengths_without_operators(file, capsys):
    benchmark.run(flags(model=[str(file)], lengths=["16"], operators=False))
    assert "FULLY_CONNECTED" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "expected --model="),
        ({"lengths": ["x"]}, "--lengths=x, expected numbers"),
        ({"threads": ["0"]}, "--threads=0, expected numbers"),
    ],
)
def test_usage(file, given, message):
    if given:
        given["model"] = [str(file)]
    with pytest.raises(UsageError, match=message):
        benchmark.run(flags(**given))


def test_bad_files(file, tmp_path):
    with pytest.raises(UserError, match="no such file"):
        benchmark.run(flags(model=[str(tmp_path)]))
    with pytest.raises(UserError, match="no signature of length 9"):
        benchmark.run(flags(model=[str(file)], lengths=["9"]))
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(file.read_bytes()[:4000])
    with pytest.raises(UserError, match="is no LiteRT file, or part of one"):
        benchmark.run(flags(model=[str(cut)]))


@pytest.mark.parametrize(
    ("content", "version", "message"),
    [
        (b"changed", 1, r"model\.tflite is damaged: it has 7 bytes of"),
        (None, 99, "is of format version 99, .* install a newer tfminilm"),
    ],
)
def test_bundles_are_opened(file, tmp_path, content, version, message):
    (tmp_path / "model.tflite").write_bytes(content or file.read_bytes())
    (tmp_path / "vocab.txt").write_text("word\n")
    cases = pathlib.Path(__file__).parents[1] / "export/manifest_cases.json"
    said = json.loads(cases.read_text("utf-8"))["bases"]["classification"]
    said["format_version"] = version
    said["files"] = {
        path.name: {
            "bytes": path.stat().st_size,
            "sha256": files.sha256(path),
        }
        for path in (file, tmp_path / "vocab.txt")
    }
    (tmp_path / "manifest.json").write_text(json.dumps(said))
    with pytest.raises(UserError, match=message):
        benchmark.run(flags(model=[str(tmp_path)], operators=False))


def test_a_file_that_ends_its_process(file, monkeypatch):
    def die(path):
        raise UserError(f"{path} is damaged: LiteRT ended with SIGSEGV")

    monkeypatch.setattr(trial, "require_runs", die)
    with pytest.raises(UserError, match=r"tflite is damaged: LiteRT ended"):
        benchmark._file(str(file))
