"""Heads on every kind of backbone: outputs, saving, and the faster model."""

import keras
import numpy as np
import pytest

from tfminilm.errors import UserError
from tfminilm.layers import ExposedEncoder
from tfminilm.tasks import csv_task, evaluate, heads, read
from tfminilm.tasks.head_models import last_dense
from tfminilm.tasks.kinds import KINDS, Scale
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import get_task
from tfminilm.teachers import load_backbone, load_tokenizer
from tfminilm.teachers.expose import with_output
from tfminilm.teachers.faster import faster

TASKS = ("sst2", "stsb", "squad")


@pytest.fixture(scope="module", params=TASKS)
def task(request):
    return get_task(request.param)


@pytest.fixture
def head(task, encoder, randomise):
    return randomise(heads.build_head(task, encoder))


def outputs(model, inputs):
    found = model(inputs, training=False)
    return [np.asarray(value) for value in keras.tree.flatten(found)]


def test_shapes(task, head, encoder, make_batch):
    inputs = make_batch(encoder)
    found = outputs(head, inputs)
    shapes = {"sst2": [(3, 2)], "stsb": [(3, 1)], "squad": [(3, 9), (3, 9)]}
    assert [value.shape for value in found] == shapes[task.name]
    if task.kind == "qa":
        padded = inputs["padding_mask"] == 0
        assert (found[0][padded] < -1e8).all()
        assert (np.abs(found[0][~padded]) < 1e4).all()


def test_padding_changes_nothing(task, head, encoder, make_batch):
    short = make_batch(encoder, lengths=(6, 4), total=6)
    long = make_batch(encoder, lengths=(6, 4), total=11)
    for one, other in zip(
        outputs(head, short), outputs(head, long), strict=True
    ):
        if task.kind == "qa":
            other = other[:, :6]
            one, other = one[1, :4], other[1, :4]
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_saved_as_a_preset(task, head, encoder, make_batch, tmp_path):
    head.save_to_preset(str(tmp_path))
    loaded = heads.load_head(tmp_path)
    assert type(loaded) is type(head)
    heads.check_head(task, loaded, "the model")
    inputs = make_batch(encoder)
    for one, other in zip(
        outputs(head, inputs), outputs(loaded, inputs), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_faster_is_the_same_model(task, head, encoder, make_batch):
    model = faster(head)
    inputs = make_batch(encoder)
    for one, other in zip(
        outputs(head, inputs), outputs(model, inputs), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=2e-5)
    own = {id(variable) for variable in head.variables}
    assert {id(variable) for variable in model.variables} <= own


def test_a_scorer_traces_once(make_encoder, make_batch, tmp_path, monkeypatch):
    lines = [f"word {number},{'ab'[number % 2]}\n" for number in range(4)]
    (tmp_path / "d.csv").write_text("text,label\n" + "".join(lines))
    task = csv_task(tmp_path / "d.csv", ["text"], "label")
    head = heads.build_head(task, load_backbone("tiny:bert"))
    made = load_tokenizer("tiny:bert"), read(task, "all"), Settings.of(task, 8)
    traces = []
    monkeypatch.setattr(
        evaluate, "faster", lambda model: traces.append(1) or faster(model)
    )
    scorer = evaluate.Scorer(task, *made)
    for bias in ([1.0, 0.0], [0.0, 1.0]):
        last_dense(head).kernel.assign(0 * last_dense(head).kernel)
        last_dense(head).bias.assign(bias)
        scores = scorer(head)
        assert scores["accuracy"] == 0.5
        # Every text has the class of the larger bias.
        assert scores["macro_f1" if "macro_f1" in scores else "f1"] == (
            pytest.approx(2 / 3 if bias[1] else 0)
        )
    assert len(traces) == 1


def test_faster_computes_only_rows_that_are_read(
    task, head, encoder, make_batch
):
    model = faster(head)
    states = [
        layer.output
        for layer in model.layers
        if isinstance(layer, ExposedEncoder)
    ]
    found = keras.Model(model.input, states)(make_batch(encoder))
    *others, last = (each.shape[1] for each in found)
    assert set(others) == {9}
    assert last == (9 if task.kind == "qa" else 1)


def test_rows_that_a_method_reads_are_computed(make_encoder, make_batch):
    encoder = make_encoder("bert")
    head = heads.build_head(get_task("sst2"), encoder)
    for asked in ({"hidden_states": [-1]}, {"queries": [-1]}):
        found = with_output(head, asked, "output")(make_batch(encoder))
        (name,) = set(found) - {"output"}
        assert found[name].shape[-2] == 9


def test_a_score_gets_its_scale_back(encoder, make_batch, randomise):
    head = randomise(heads.build_head(get_task("stsb"), encoder))
    inputs = make_batch(encoder)
    (standardised,) = outputs(head, inputs)
    KINDS["regression"].restore_scale(head, Scale(20.0, 3.0))
    (scores,) = outputs(head, inputs)
    np.testing.assert_allclose(scores, 3 * standardised + 20, rtol=1e-5)


def test_no_weight_is_left_untrained(task, head, encoder, make_batch):
    import tensorflow as tf

    model = faster(head)
    with tf.GradientTape() as tape:
        found = keras.tree.flatten(model(make_batch(encoder), training=True))
        total = sum(tf.reduce_sum(tf.tanh(value)) for value in found)
    values = [variable.value for variable in model.trainable_variables]
    assert None not in tape.gradient(total, values)


def test_keras_hub_has_the_first_word(make_encoder):
    import keras_hub

    task = get_task("mnli")
    bert = heads.build_head(task, make_encoder("bert"), dropout=0.3)
    assert type(bert) is keras_hub.models.BertTextClassifier
    assert (bert.num_classes, bert.dropout) == (3, 0.3)
    electra = heads.build_head(task, make_encoder("electra"))
    assert type(electra) is heads.FirstTokenClassifier


def test_safe_keras_file(make_encoder, make_batch, tmp_path):
    encoder = make_encoder()
    head = heads.build_head(get_task("squad"), encoder)
    head.save(tmp_path / "head.keras")
    loaded = keras.models.load_model(tmp_path / "head.keras", safe_mode=True)
    inputs = make_batch(encoder)
    for one, other in zip(
        outputs(head, inputs), outputs(loaded, inputs), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", TASKS)
def test_plain_is_float32(name, make_encoder, make_batch):
    task = get_task(name)
    mixed = make_encoder(dtype="mixed_bfloat16")
    head = heads.build_head(task, mixed)
    plain = heads.plain(head)
    assert type(plain) is type(head)
    assert plain.backbone.dtype_policy.name == "float32"
    for one, other in zip(head.weights, plain.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    inputs = make_batch(mixed)
    for one, other in zip(
        outputs(head, inputs), outputs(plain, inputs), strict=True
    ):
        np.testing.assert_allclose(
            one.astype("float32"), other, rtol=0.05, atol=0.05
        )


def test_another_number_of_outputs(make_encoder):
    encoder = make_encoder()
    two = heads.build_head(get_task("sst2"), encoder)
    one = heads.build_head(get_task("stsb"), encoder)
    span = heads.build_head(get_task("squad"), encoder)
    for task, head, message in (
        ("mnli", two, "m gives 2 outputs, but mnli needs 3 .entailment, ne"),
        ("stsb", two, "m gives 2 outputs, but stsb needs 1 .a score."),
        ("sst2", one, "m gives 1 output, but sst2 needs 2"),
        ("sst2", span, "m gives a start and an end of an answer, but sst2"),
        ("squad", two, "m gives 2 outputs, but squad needs a start and an"),
        ("xnli", two, "use a model that was fine-tuned on mnli"),
    ):
        with pytest.raises(UserError, match=message):
            heads.check_head(get_task(task), head, "m")


def test_folders_without_a_head(make_encoder, tmp_path):
    encoder = make_encoder()
    encoder.save_to_preset(str(tmp_path))
    with pytest.raises(UserError, match="holds no head for a task"):
        heads.load_head(tmp_path)
    heads.build_head(get_task("sst2"), encoder).save_to_preset(str(tmp_path))
    file = tmp_path / "task.weights.h5"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(UserError, match="cannot load a model for a task"):
        heads.load_head(tmp_path)
    (tmp_path / "task.json").write_text("{")
    with pytest.raises(UserError, match=r"task\.json cannot be read"):
        heads.load_head(tmp_path)
