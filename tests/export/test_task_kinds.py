"""Every kind of task, from its examples to its head on a phone."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from tfminilm.export.bundle import contents
from tfminilm.export.graph.mobile_graph import MobileGraph
from tfminilm.export.manifest import OUTPUTS
from tfminilm.export.server import hugging_face
from tfminilm.export.target import Target
from tfminilm.tasks import TASKS, Task, heads, submission
from tfminilm.tasks.batches import Batches
from tfminilm.tasks.evaluate import predict
from tfminilm.tasks.kinds import COLUMN_KINDS, KINDS, kind_of
from tfminilm.tasks.settings import Settings
from tfminilm.teachers.faster import faster
from tfminilm.typed_json import to_json

COUNT, LENGTH = 8, 64


@pytest.fixture(scope="module", params=list(KINDS))
def kind(request):
    return KINDS[request.param]


@pytest.fixture(scope="module")
def task(kind):
    """A benchmark of the kind, or a task made up where there is none."""
    is_tagging = kind.name == "token_classification"
    labels = ("O", "B-X", "I-X") if is_tagging else tuple("abc")
    made_up = Task(
        "made_up",
        kind.name,
        metrics=kind.metrics_of(labels),
        files=(),
        labels=labels,
        texts=("text",),
    )
    benchmarks = (task for task in TASKS.values() if task.kind == kind.name)
    return next(benchmarks, made_up)


@pytest.fixture(scope="module")
def examples(kind, task):
    return [kind.made_up_example(task, index) for index in range(COUNT)]


@pytest.fixture(scope="module")
def settings(task):
    return Settings.of(task, LENGTH, doc_stride=16)


@pytest.fixture(scope="module")
def encoded(kind, task, examples, settings, tokenizer):
    return kind.encode(task, examples, tokenizer, settings)


@pytest.fixture(scope="module")
def trained(kind, task, encoded, make_backbone):
    """A head after some steps on all examples, and its losses."""
    head = heads.build_head(task, make_backbone(dropout=0.0), dropout=0.0)
    standardised, scale = kind.standardise(encoded)
    steps = Batches(standardised, COUNT).dataset(0, 3)
    # A task with one output has its labels under no name.
    steps = steps.map(lambda x, y, weights: (x, y.get("labels", y), weights))
    optimizer = keras.optimizers.SGD(0.01)  # Goes down, if it is short.
    fast = faster(head)
    model = keras.Model(fast.input, kind.trained_output(fast))
    model.compile(optimizer, **kind.losses(model), jit_compile=False)
    run = model.fit(
        steps, epochs=3, steps_per_epoch=1, shuffle=False, verbose=0
    )
    losses = run.history["loss"]
    kind.restore_scale(head, scale)
    return head, losses


def test_trains(trained):
    _, losses = trained
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]


def test_knows_its_own_heads(kind, task, trained):
    head, _ = trained
    assert kind.is_head(head)
    assert not kind.is_head(head.backbone)
    heads.check_head(task, head, "the model")
    assert kind.describe_head(head)
    assert kind.describe_outputs(task)
    names = head.output if isinstance(head.output, dict) else ("logits",)
    assert {*names} == {*kind.outputs}


def test_decodes_scores_and_writes(
    kind, task, examples, encoded, trained, settings, tmp_path
):
    head, _ = trained
    outputs = predict(head, Batches(encoded, COUNT))
    decoded = kind.decode(examples, encoded, outputs)
    result = kind.score(task, examples, decoded, settings)
    assert result.ids == [example.id for example in examples]
    assert len(result.predictions) == COUNT
    assert {*task.metrics} <= {*result.metrics}
    split = next(iter(task.submission), "validation")
    path = submission.write(task, split, result, tmp_path)
    assert path is None or path.stat().st_size
    assert path is not None or not task.submission


def test_is_judged_as_it_is_scored(
    kind, task, examples, encoded, trained, settings
):
    head, _ = trained
    outputs = predict(head, Batches(encoded, COUNT))
    decoded = kind.decode(examples, encoded, outputs)
    scores = kind.score(task, examples, decoded, settings).metrics
    answers = kind.answers(task, examples, encoded, outputs, settings)
    assert len(answers.rows) == COUNT
    found = dict(
        zip(answers.metrics, answers.score(np.arange(COUNT)), strict=True)
    )
    # SQuAD's are in percent.
    scale = 100 if kind.submission == "squad" else 1
    assert {name: scale * value for name, value in found.items()} == (
        pytest.approx({name: scores[name] for name in task.metrics})
    )
    # What is repeated counts as often as it is there.
    at = np.array([1, 1, 1, 4, 5, 7])
    again = [decoded[i] for i in at]
    few = [
        dataclasses.replace(examples[i], id=str(n)) for n, i in enumerate(at)
    ]
    scores = kind.score(task, few, again, settings).metrics
    for name, value in zip(task.metrics, answers.score(at), strict=True):
        assert scale * value == pytest.approx(scores[name])


def test_a_caller_is_told_the_same(
    kind, task, examples, trained, settings, tokenizer
):
    """Of plain texts, as `tfminilm.load(...).predict` reads them."""
    head, _ = trained
    asked = [kind.example_of(str(i), x.texts) for i, x in enumerate(examples)]
    encoded = kind.encode(task, asked, tokenizer, settings)
    outputs = predict(head, Batches(encoded, COUNT))
    found = kind.predictions(settings, asked, encoded, outputs)
    assert len(found) == COUNT
    for one in found:
        assert dataclasses.fields(one)
        assert one.is_truncated is False
        with pytest.raises(dataclasses.FrozenInstanceError):
            one.is_truncated = True
    short = dataclasses.replace(settings, max_length=8)
    if kind.labels_are_a_column:  # Windows have room for all of a text.
        encoded = kind.encode(task, asked, tokenizer, short)
        outputs = predict(head, Batches(encoded, COUNT))
        cut = kind.predictions(short, asked, encoded, outputs)
        assert all(one.is_truncated for one in cut)


def test_exports_its_head(kind, encoded, trained, run_graph):
    head, _ = trained
    batch = encoded.padded(np.arange(2), LENGTH)
    wanted = head(batch, training=False)
    if not isinstance(wanted, dict):
        wanted = {"logits": wanted}
    got = run_graph(MobileGraph(head), batch)
    assert {*got} == {*kind.outputs}
    real = batch["padding_mask"].astype(bool)
    for name, value in wanted.items():
        value = keras.ops.convert_to_numpy(value)
        if value.shape[:2] == real.shape:  # An output of each token.
            value, got[name] = value[real], got[name][real]
        np.testing.assert_allclose(got[name], value, atol=1e-4)


def test_a_manifest_tells_it_again(kind, task, trained, settings):
    head, _ = trained
    target = Target(lengths=(128,))
    identity = contents.identity(head, target, settings, "")
    assert OUTPUTS[identity.task] == kind.outputs
    assert bool(identity.labels) == kind.has_classes
    bare = Settings(task.name, kind.name, task.labels, 128)
    part = to_json(getattr(identity, kind.manifest_name, None))
    again = kind.read_manifest_part(bare, part)
    assert again.null_threshold == settings.null_threshold
    is_windowed = "document_stride" in (part or {})
    assert again.doc_stride == (settings if is_windowed else bare).doc_stride


def test_a_hugging_face_folder_gives_it_back(
    kind, task, encoded, trained, tokenizer, tmp_path
):
    head, _ = trained
    hugging_face.write(head, tokenizer, tmp_path, task.labels)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["architectures"] == ["Bert" + kind.transformers_head]
    assert Settings.load(tmp_path).kind == kind.name
    batch = encoded.padded(np.arange(2), LENGTH)
    first, second = (
        keras.tree.flatten(model(batch, training=False))
        for model in (head, heads.load_head(tmp_path))
    )
    for one, other in zip(first, second, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_labels_of_a_column_are_read_as_they_are_written(kind, task):
    if kind.name not in COLUMN_KINDS:
        with pytest.raises(NotImplementedError, match="no field of a row"):
            kind.parse_label(task, "1", "file, line 2")
        return
    label = kind.made_up_example(task, 1).label
    written = kind.written_label(task, label)
    assert kind.parse_label(task, written, "file, line 2") == label
    assert kind.metrics_of(task.labels)


def test_every_benchmark_is_of_a_kind():
    assert {kind_of(task).name for task in TASKS.values()} <= {*KINDS}
