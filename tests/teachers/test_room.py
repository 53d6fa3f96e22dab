"""Settings of a model far larger than memory: one line, and nothing built."""

import json
import pathlib
import random
import resource

import keras
import keras_hub
import make_imports as made
import numpy as np
import pytest

from tfminilm import UserError, teachers
from tfminilm.families import room
from tfminilm.tasks import heads
from tfminilm.tasks.task import get_task
from tfminilm.teachers.masked_lm import build_masked_lm

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
# Keras would need some hundred gigabytes for each.
HUGGING_FACE = [
    ("bert", {"vocab_size": 10**10}),
    ("bert", {"vocab_size": 10**17}),
    ("bert", {"num_hidden_layers": 10**9}),
    ("bert", {"hidden_size": 10**6, "intermediate_size": 10**6}),
    ("bert", {"hidden_size": 30_000, "intermediate_size": 30_000}),
    ("roberta", {"max_position_embeddings": 10**12}),
    ("distilbert", {"dim": 40_000, "hidden_dim": 40_000}),
    ("albert", {"num_hidden_layers": 10**8}),
    ("albert", {"embedding_size": 20_000, "hidden_size": 20_000}),
    ("mobilebert", {"num_feedforward_networks": 10**7}),
    ("mobilebert", {"hidden_size": 40_000, "intermediate_size": 40_000}),
]


def change(path, **changes):
    content = json.loads(path.read_text())
    content.get("config", content).update(changes)
    path.write_text(json.dumps(content))


@pytest.fixture
def memory():
    """Refuse a test more than eight gigabytes of addresses."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
    limit = used * resource.getpagesize() + 2**33
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize(("name", "changes"), HUGGING_FACE)
def test_hugging_face_folders(name, changes, tmp_path, memory):
    made.write(np.load(made.GOLDEN), name, tmp_path)
    change(tmp_path / "config.json", **changes)
    with pytest.raises(UserError, match=r"config\.json: describes a model of"):
        teachers.load_backbone(tmp_path)


@pytest.fixture(scope="module")
def bert():
    return keras_hub.models.BertBackbone(
        vocabulary_size=40, num_layers=1, num_heads=2, hidden_dim=16,
        intermediate_dim=8, max_sequence_length=16,
    )  # fmt: skip


PRESETS = [
    {"vocabulary_size": 10**10},
    {"num_layers": 10**9},
    {"hidden_dim": 30_000, "intermediate_dim": 30_000},
]


@pytest.mark.parametrize("changes", PRESETS)
@pytest.mark.parametrize("kind", ["backbone", "head", "masked_lm"])
def test_presets(kind, changes, bert, tmp_path, memory):
    model, load = {
        "backbone": (bert, teachers.load_backbone),
        "head": (heads.build_head(get_task("sst2"), bert), heads.load_head),
        "masked_lm": (build_masked_lm(bert), teachers.load_masked_lm),
    }[kind]
    model.save_to_preset(str(tmp_path))
    change(tmp_path / "config.json", **changes)
    with pytest.raises(UserError, match=r"config\.json: describes a model of"):
        load(tmp_path)


def test_a_head_of_many_classes(bert, tmp_path, memory):
    head = heads.build_head(get_task("sst2"), bert)
    head.save_to_preset(str(tmp_path))
    change(tmp_path / "task.json", num_classes=10**10)
    with pytest.raises(UserError, match=r"task\.json: describes a model of"):
        heads.load_head(tmp_path)


def test_a_model_of_its_size_passes(tmp_path):
    """Of 600,000 numbers, so that it is counted."""
    keras.utils.set_random_seed(5)
    model = keras_hub.models.BertBackbone(
        vocabulary_size=9_000, num_layers=2, num_heads=2, hidden_dim=64,
        intermediate_dim=32, max_sequence_length=16,
    )  # fmt: skip
    model.save_to_preset(str(tmp_path))
    assert room._size(lambda: rebuilt(model)) == model.count_params()
    for again in (teachers.load_backbone(tmp_path),):
        for one, other in zip(model.weights, again.weights, strict=True):
            np.testing.assert_array_equal(one, other)


def rebuilt(model):
    return type(model).from_config(model.get_config())


def test_counting_leaves_no_trace(bert):
    """Names and random numbers are as if nothing had been counted."""
    found = []
    for counts in (False, True):
        keras.utils.clear_session()
        keras.utils.set_random_seed(3)
        if counts:
            assert room._size(lambda: rebuilt(bert)) == bert.count_params()
        layer = keras.layers.Dense(4)
        layer.build((None, 2))
        state = random.getstate()
        found.append((layer.name, np.array(layer.kernel).tolist(), state))
    assert found[0] == found[1]
    assert keras.ops.sum(rebuilt(bert).weights[0]) is not None


def test_errors_are_left_to_who_builds():
    def build():
        raise ValueError("no such layer")

    assert room._size(build) == 0
