"""All public methods: configs, saving, precision, devices, what they train."""

import contextlib
import importlib.util
import json
import os
import pathlib
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

from tfminilm import config
from tfminilm.train.recipe import Recipe

HERE = pathlib.Path(__file__).parent
spec = importlib.util.spec_from_file_location("cases", HERE / "cases.py")
cases = sys.modules["cases"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cases)

EAGER = keras.backend.backend() == "tensorflow"
every_method = pytest.mark.parametrize("name", cases.METHODS)
every_student = pytest.mark.parametrize("name", cases.STUDENTS)


def numpy(x):
    return keras.tree.map_structure(ops.convert_to_numpy, x)


def output(model, batch):
    read = {name: batch[name] for name in model.input}
    return keras.tree.flatten(numpy(model(read, training=False)))


def test_the_table_is_complete():
    assert set(cases.METHODS) == cases.public_methods()
    assert set(cases.STUDENTS) == cases.public_students()


@every_method
def test_a_config_says_all_of_it(name):
    method = cases.METHODS[name].method
    recipe = Recipe(method=method)
    again = Recipe.parse(recipe.config())
    assert again.method == method
    assert type(again.method) is type(method)
    assert type(method)() == config.parse(type(method), {}, "method")
    # As JSON, too, which a workdir holds.
    stored = json.loads(json.dumps(recipe.config().to_dict()))
    assert Recipe.parse(stored).method == method


@every_method
def test_a_step_moves_exactly_what_it_should(name):
    case = cases.METHODS[name]
    keras.utils.set_random_seed(0)
    distiller = cases.distil(case, run_eagerly=EAGER)
    teacher, student = distiller.teacher, distiller.student
    batch = cases.batch(case.method)
    before = {w.path: numpy(w) for w in student.weights}
    taught = numpy(teacher.weights)
    learned = {w.path: numpy(w) for w in distiller.own_variables}
    for _ in range(2):  # The first may leave a bias that starts at 0.
        distiller.train_on_batch(*batch)
    moved = {
        w.path
        for w in student.weights
        if not np.array_equal(numpy(w), before[w.path])
    }
    expected = {
        path
        for path in before
        if not any(part in path for part in case.untrained)
    }
    # A key's bias moves all scores of a query alike: no loss sees it.
    # Nor does it see unread rows, but a table moves as a whole.
    free = {path for path in expected if path.endswith("key/bias")}
    assert moved | free == expected
    assert {v.path for v in distiller.trainable_variables} >= expected
    for weight, old in zip(teacher.weights, taught, strict=True):
        np.testing.assert_array_equal(numpy(weight), old)
    for layer in distiller.projections.values():
        assert not np.array_equal(
            numpy(layer.kernel), learned[layer.kernel.path]
        )


@every_method
def test_what_is_frozen_stays(name):
    case = cases.METHODS[name]
    keras.utils.set_random_seed(0)
    teacher, student = case.teacher(), case.student()
    backbone = getattr(student, "backbone", student)
    backbone.token_embedding.trainable = False
    distiller = cases.tfminilm.Distiller(teacher, student, case.method)
    distiller.compile(keras.optimizers.SGD(0.1), run_eagerly=EAGER)
    frozen = {v.path for v in backbone.token_embedding.weights}
    before = {w.path: numpy(w) for w in student.weights}
    distiller.train_on_batch(*cases.batch(case.method))
    moved = {
        w.path
        for w in student.weights
        if not np.array_equal(numpy(w), before[w.path])
    }
    assert moved
    assert moved.isdisjoint(frozen)


@every_method
def test_students_save_without_their_distiller(name, tmp_path):
    case = cases.METHODS[name]
    distiller = cases.distil(case, run_eagerly=EAGER)
    batch = cases.batch(case.method)
    distiller.train_on_batch(*batch)
    student = distiller.student
    expected = output(student, batch[0])
    distiller.save(tmp_path / "student.keras")
    student.save_to_preset(str(tmp_path / "preset"))
    for loaded in (
        keras.models.load_model(tmp_path / "student.keras", compile=False),
        type(student).from_preset(str(tmp_path / "preset")),
    ):
        assert type(loaded) is type(student)
        for one, other in zip(output(loaded, batch[0]), expected, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)


@every_method
def test_mixed_precision(name):
    case = cases.METHODS[name]
    batch = cases.batch(case.method)
    exact = cases.distil(case, run_eagerly=EAGER)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        low = cases.distil(case, run_eagerly=EAGER)
    finally:
        keras.config.set_dtype_policy("float32")
    low.student.set_weights(exact.student.get_weights())
    low.teacher.set_weights(exact.teacher.get_weights())
    for theirs, ours in zip(
        exact.projections.values(), low.projections.values(), strict=True
    ):
        ours.set_weights(theirs.get_weights())
    assert {w.dtype for w in low.own_variables if "seed" not in w.path} == {
        "float32"
    }
    for _ in range(2):
        theirs, ours = (
            model.train_on_batch(*batch, return_dict=True)
            for model in (exact, low)
        )
        assert ours == pytest.approx(theirs, rel=0.1, abs=0.01)


def start(*arguments, **environment):
    return subprocess.Popen(
        [sys.executable, HERE / "replicas.py", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | environment,
    )


@pytest.mark.slow
def test_two_devices_and_two_workers_are_as_one():
    if not EAGER:
        pytest.skip("tf.distribute is TensorFlow's")
    with contextlib.ExitStack() as stack:
        probes = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            for _ in range(2)
        ]
        ports = [probe.getsockname()[1] for probe in probes]
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    tasks = [{"type": "worker", "index": index} for index in range(2)]
    configs = [json.dumps({"cluster": cluster, "task": x}) for x in tasks]
    processes = [start("workers", TF_CONFIG=config) for config in configs]
    output, *others = [
        process.communicate(timeout=900) for process in (start(), *processes)
    ]
    assert "{" in output[0], output[1]
    lines = output[0].splitlines()[-3:]
    dropped, tuned, found = map(json.loads, lines)
    (one, same), (other, different) = dropped
    assert one == same
    assert other != different
    assert tuned[1] == pytest.approx(tuned[0], rel=1e-5)
    assert set(found) == set(cases.METHODS) - cases.GROUPED
    for name, (one, two, difference) in found.items():
        assert two == pytest.approx(one, rel=1e-5), name
        assert difference < 1e-5, name
    for out, error in others:
        assert "{" in out, error
        for name, losses in json.loads(out.splitlines()[-1]).items():
            assert losses == pytest.approx(found[name][0], rel=1e-5), name


@pytest.mark.slow  # A compilation takes ten seconds.
@pytest.mark.parametrize("name", ["MiniLM", "TinyBERT", "MobileBERT"])
def test_xla_compiles_the_whole_step(name):
    if not EAGER:
        pytest.skip("JAX compiles every step")
    case = cases.METHODS[name]
    batch = cases.batch(case.method)
    expected = cases.distil(case).test_on_batch(*batch, return_dict=True)
    compiled = cases.distil(case, jit_compile=True)
    assert compiled.jit_compile
    found = compiled.train_on_batch(*batch, return_dict=True)
    assert found == pytest.approx(expected, rel=1e-5)


@every_student
def test_students_save(name, tmp_path):
    student = cases.STUDENTS[name]()
    batch = cases.batch(cases.METHODS["MiniLM"].method)[0]
    expected = output(student, batch)
    student.save(tmp_path / "student.keras")
    student.save_to_preset(str(tmp_path / "preset"))
    for loaded in (
        keras.models.load_model(tmp_path / "student.keras"),
        type(student).from_preset(str(tmp_path / "preset")),
    ):
        assert type(loaded) is type(student)
        assert loaded.get_config() == student.get_config()
        for one, other in zip(output(loaded, batch), expected, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)


@every_student
def test_students_compute_in_mixed_precision(name):
    batch = cases.batch(cases.METHODS["MiniLM"].method)[0]
    exact = cases.STUDENTS[name]()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        low = cases.STUDENTS[name]()
    finally:
        keras.config.set_dtype_policy("float32")
    low.set_weights(exact.get_weights())
    for ours, theirs in zip(
        output(low, batch), output(exact, batch), strict=True
    ):
        assert ours.dtype == "bfloat16"
        scale = np.abs(theirs).max()
        difference = np.abs(ours.astype("float32") - theirs).max()
        assert difference < 0.05 * scale
