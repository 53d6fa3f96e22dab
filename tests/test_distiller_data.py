"""What `Distiller` is given and what it leaves: batches, files, configs."""

import h5py
import keras
import keras_hub
import numpy as np
import pytest
from keras import ops

import tfminilm
from tfminilm.methods import MiniLM, SoftTargets, TinyBERT

SMALL = {"num_layers": 1, "dropout": 0.0, "hidden_dim": 16}
EAGER = keras.backend.backend() == "tensorflow"
LENGTHS = (9, 4, 1, 7, 3)
LABELS = np.array([0, 2, 1, 1, 0])
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film"]
TEXTS = ["good film", "bad", "film bad film", "good good", "a film"]
# Keras warns of a generator that ends.
EACH = {"shuffle": False, "steps_per_epoch": 2}
HUGGING_FACE = {
    "token_ids": "input_ids",
    "padding_mask": "attention_mask",
    "segment_ids": "token_type_ids",
}


def compiled(teacher, student, method, **options):
    distiller = tfminilm.Distiller(teacher, student, method)
    optimizer = keras.optimizers.SGD(0.05)
    distiller.compile(optimizer, **{"run_eagerly": EAGER} | options)
    return distiller


@pytest.fixture
def make_distiller(make_head):
    """Makes a compiled distiller of two classifiers, the same ones."""

    def make(method=None, **options):
        models = [make_head("classifier", seed=i, **SMALL) for i in (1, 2)]
        return compiled(*models, method or SoftTargets(), **options)

    return make


@pytest.fixture
def batch(make_head, make_batch):
    return make_batch(make_head("classifier", **SMALL), LENGTHS)


def test(distiller, *batch):
    return distiller.test_on_batch(*batch, return_dict=True)


test.__test__ = False


def renamed(batch):
    return {HUGGING_FACE[name]: value for name, value in batch.items()}


def test_reads_the_columns_of_hugging_face(make_distiller, batch):
    distiller = make_distiller()
    expected = test(distiller, batch, LABELS)
    columns = renamed(batch)
    assert test(distiller, columns, LABELS) == pytest.approx(expected)
    with_labels = columns | {"labels": LABELS}
    assert test(distiller, with_labels) == pytest.approx(expected)
    np.testing.assert_allclose(
        distiller.predict(columns, verbose=0),
        distiller.predict(batch, verbose=0),
        rtol=1e-5,
    )


def test_reads_a_generator_of_dicts(make_distiller, batch):
    def rows(names, with_labels):
        for part in (slice(0, 3), slice(3, 5)):
            row = {name: value[part].tolist() for name, value in names.items()}
            yield row | ({"labels": LABELS[part]} if with_labels else {})

    histories = [
        make_distiller().fit(data, verbose=0, **options).history
        for data, options in (
            (batch, {"y": LABELS, "batch_size": 3, "shuffle": False}),
            (rows(batch, True), EACH),
            (rows(renamed(batch), True), EACH),
        )
    ]
    for history in histories[1:]:
        for name, values in histories[0].items():
            assert history[name] == pytest.approx(values, rel=1e-5)
    soft = make_distiller(SoftTargets(alpha=1.0))
    data = rows(batch, False)
    assert soft.evaluate(data, verbose=0, steps=2)[0] > 0


class TwoColumns(keras.Model):
    """A teacher of Hugging Face's columns, without a graph."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def call(self, inputs, training=None):
        given = {ours: inputs[theirs] for ours, theirs in HUGGING_FACE.items()}
        return self.model(given, training=training)


def test_a_subclassed_teacher_reads_the_batch_as_it_is(make_head, batch):
    teacher, student = (
        make_head("classifier", seed=i, **SMALL) for i in (1, 2)
    )
    other = TwoColumns(teacher)
    other(renamed(batch))
    soft = SoftTargets(alpha=1.0)
    assert test(compiled(other, student, soft), renamed(batch)) == (
        pytest.approx(test(compiled(teacher, student, soft), batch), rel=1e-5)
    )


def of_texts(make_head, words=WORDS, length=6, **options):
    head = make_head("classifier", vocabulary_size=len(WORDS), **SMALL)
    tokenizer = keras_hub.models.BertTokenizer(words, lowercase=True)
    kind = keras_hub.models.BertTextClassifierPreprocessor
    head.preprocessor = kind(tokenizer, sequence_length=length)
    return head


def test_reads_texts(make_head):
    """As the student's own preprocessor, and Keras, would have them read."""
    import tensorflow as tf

    def distiller():
        models = [of_texts(make_head), of_texts(make_head, length=4)]
        return compiled(*models[::-1], SoftTargets())

    one = distiller()
    inputs = one.student.preprocessor(TEXTS)
    inputs = {name: np.asarray(value) for name, value in inputs.items()}
    options = {"batch_size": 3, "shuffle": False, "verbose": 0}
    expected = one.fit(inputs, LABELS, **options).history
    data = tf.data.Dataset.from_tensor_slices((TEXTS, LABELS)).batch(3)
    held_out = (TEXTS[:3], LABELS[:3])
    for given in (
        {"x": np.array(TEXTS), "y": LABELS, "validation_data": held_out}
        | options,
        {"x": data},
        {"x": ((TEXTS[i : i + 3], LABELS[i : i + 3]) for i in (0, 3))} | EACH,
    ):
        quietly = {"verbose": 0, "shuffle": False}
        found = distiller().fit(**quietly | given).history
        for name, values in expected.items():
            assert found[name] == pytest.approx(values, rel=1e-5)
    np.testing.assert_allclose(
        one.predict(TEXTS, verbose=0),
        one.student.predict(TEXTS, verbose=0),
        atol=1e-5,
    )
    pairs = (TEXTS, TEXTS[::-1])
    assert test(one, pairs, LABELS)["loss"] > 0


def test_says_what_texts_need(make_head, make_distiller):
    with pytest.raises(tfminilm.UserError, match="has a preprocessor") as error:
        make_distiller().fit(TEXTS, LABELS, verbose=0)
    assert "\n" not in str(error.value)
    other = of_texts(make_head, [*WORDS[:5], *WORDS[:4:-1]])
    distiller = compiled(other, of_texts(make_head), TinyBERT())
    with pytest.raises(tfminilm.UserError, match="different vocabularies"):
        distiller.fit(TEXTS, LABELS, verbose=0)


METHODS = {
    "MiniLM": MiniLM(),
    "TinyBERT": TinyBERT(),
    "SoftTargets": SoftTargets(alpha=1.0),
}
WEIGHTS = np.array([0.5, 2.0, 0.0, 1.0, 3.0], "float32")


@pytest.mark.parametrize("name", METHODS)
def test_weights_make_a_weighted_sum(name, make_distiller, make_batch):
    """Divided by the number of examples, as Keras does."""
    distiller = make_distiller(METHODS[name])
    # Of one length: TinyBERT's means are over tokens.
    batch = make_batch(distiller.student, (9,) * 5)
    singles = [
        test(distiller, {k: v[i : i + 1] for k, v in batch.items()})["loss"]
        for i in range(5)
    ]
    expected = np.mean(singles * WEIGHTS)
    for weights in (WEIGHTS, WEIGHTS[:, None]):
        logs = test(distiller, batch, None, weights)
        assert logs["loss"] == pytest.approx(expected, rel=1e-4)
    logs = distiller.evaluate(
        batch, sample_weight=WEIGHTS, verbose=0, return_dict=True
    )
    assert logs["loss"] == pytest.approx(expected, rel=1e-4)


def test_saves_no_weight_of_the_teacher(make_distiller, batch, tmp_path):
    one, other = (make_distiller(TinyBERT(prediction_weight=1.0)) for _ in "ab")
    path = tmp_path / "last.weights.h5"
    one.fit(
        batch,
        verbose=0,
        callbacks=[
            keras.callbacks.ModelCheckpoint(path, save_weights_only=True)
        ],
    )
    found = []
    with h5py.File(path) as file:
        file.visititems(
            lambda name, x: found.append(x.size) if hasattr(x, "size") else None
        )
    saved = [*one.own_variables, *one.optimizer.variables]
    teacher = sum(w.numpy().size for w in one.teacher.weights)
    assert sum(found) < sum(ops.size(v) for v in saved) + teacher // 2
    # Metrics need a view of their own, and the file does not depend on it.
    compile_options = {"metrics": ["accuracy"], "run_eagerly": EAGER}
    other.compile(keras.optimizers.SGD(0.05), **compile_options)
    other.optimizer.build(other.trainable_variables)
    other.load_weights(path)
    for ours, theirs in zip(
        other.own_variables, one.own_variables, strict=True
    ):
        if "seed" not in ours.path:
            np.testing.assert_array_equal(
                ops.convert_to_numpy(ours), ops.convert_to_numpy(theirs)
            )


def test_is_made_again_from_its_config(make_distiller, batch):
    method = TinyBERT(layers="top", hidden_weight=2.0)
    distiller = make_distiller(method)
    twin = keras.models.clone_model(distiller)
    assert twin.method == method
    assert twin.name == distiller.name
    assert twin.teacher is not distiller.teacher
    assert not twin.teacher.trainable_variables
    assert type(twin.student) is type(distiller.student)
    twin.set_weights(distiller.get_weights())
    assert twin.optimizer.get_config() == distiller.optimizer.get_config()
    twin.compile(twin.optimizer, run_eagerly=EAGER)
    assert test(twin, batch) == pytest.approx(test(distiller, batch))


def test_a_method_of_ones_own_needs_a_config(make_encoder):
    class Own(MiniLM):
        pass

    models = [make_encoder(seed=i, **SMALL) for i in range(2)]
    with pytest.raises(tfminilm.UserError, match="Own has no get_config"):
        tfminilm.Distiller(*models, Own()).get_config()
