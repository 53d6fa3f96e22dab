"""A run on two workers, of which one is killed, and on one device."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from tfminilm import commands

pytestmark = pytest.mark.slow

WORDS = "the small student reads what its large teacher wrote at night".split()
RECIPE = """
from tfminilm.train import recipe


def get_config(mode=""):
    return recipe.Recipe(
        name="replicas",
        teacher="tiny:bert",
        student=recipe.StudentSpec(
            num_layers=1, hidden_dim=24, intermediate_dim=48, dropout=0.0,
        ),
        data=recipe.DataSpec(
            source={text!r}, sequence_length=16, held_out_fraction=0.2
        ),
        train=recipe.TrainSpec(
            steps=5, batch_size=8, warmup_steps=1, learning_rate=1e-2,
            precision="float32", log_every=1, evaluate_every=5,
            checkpoint_every=2, held_out_sequences=8,
        ),
    ).config()
"""


@pytest.fixture
def recipe(tmp_path):
    draw = random.Random(0)
    documents = [
        "\n".join(" ".join(draw.choices(WORDS, k=12)) + "." for _ in range(6))
        for _ in range(30)
    ]
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.txt").write_text("\n\n".join(documents))
    path = tmp_path / "recipe.py"
    path.write_text(RECIPE.format(text=str(tmp_path / "text")))
    return path


def arguments(recipe, workdir, *more):
    return ["distill", f"--config={recipe}", f"--workdir={workdir}", *more]


def start(run, **environment):
    code = "import sys; from tfminilm.commands import main; sys.exit(main())"
    program = [code, *run] if isinstance(run, list) else [run]
    return subprocess.Popen(
        [sys.executable, "-c", *program],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | environment,
    )


def workers(*runs):
    """A process for each command, together a cluster."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in runs]
    addresses = [f"127.0.0.1:{p.getsockname()[1]}" for p in probes]
    for probe in probes:
        probe.close()
    return [
        start(
            run,
            TF_CONFIG=json.dumps(
                {
                    "cluster": {"worker": addresses},
                    "task": {"type": "worker", "index": index},
                }
            ),
        )
        for index, run in enumerate(runs)
    ]


def finish(*processes):
    """Their exit codes and what they said, without TensorFlow's."""
    said = [process.communicate(timeout=600)[1] for process in processes]
    return [process.returncode for process in processes], said


def end(process):
    process.kill()
    process.communicate()


def losses(workdir):
    """Every loss by split, step and term."""
    rows = (workdir / "metrics.jsonl").read_text().splitlines()
    return {
        (row["split"], row["step"], key): row[key]
        for row in map(json.loads, rows)
        for key in ("loss", "attention_transfer", "value_relation")
    }


def weights(workdir):
    import keras

    from tfminilm import teachers

    student = teachers.load_backbone(workdir / "student")
    return np.concatenate(
        [np.ravel(keras.ops.convert_to_numpy(w)) for w in student.weights]
    )


@pytest.mark.slow  # TensorFlow asks for half a minute.
@pytest.mark.parametrize("own", [0, 1])
def test_a_stopped_worker(recipe, tmp_path, own):
    run = arguments(recipe, tmp_path / "run", "--config.train.steps=100000")
    pair = workers(run, run)
    while not list(tmp_path.glob("run/checkpoints/step-*")):
        assert pair[own].poll() is None, pair[own].stderr.read()
        time.sleep(0.01)
    pair[own].send_signal(signal.SIGSTOP)
    ((code,), (said,)) = finish(pair[1 - own])
    end(pair[own])
    assert code == 1
    assert f"tfminilm: worker {own} at 127.0.0.1:" in said
    assert "does not answer: dead or stopped" in said


MEETS = """
import json, os, time
from tfminilm.train import cluster
config = json.loads(os.environ["TF_CONFIG"])
cluster.meet(config["cluster"]["worker"], config["task"]["index"], 600.0)
print("met", flush=True)
time.sleep(600)
"""


@pytest.mark.slow
def test_a_worker_that_stops_before_the_first_step(recipe, tmp_path):
    run = arguments(recipe, tmp_path / "run", "--worker_timeout=10")
    first, second = workers(run, MEETS)
    ((code,), (said,)) = finish(first)
    end(second)
    assert code == 1
    assert "tfminilm: worker 1 at 127.0.0.1:" in said
    assert not (tmp_path / "run").exists()


def test_a_killed_worker(recipe, tmp_path):
    alone, workdir = tmp_path / "one", tmp_path / "two"
    run = arguments(recipe, workdir)
    pair = workers(run, run)
    while not list(workdir.glob("checkpoints/step-*")):
        assert pair[1].poll() is None, pair[1].stderr.read()
        time.sleep(0.01)
    pair[1].send_signal(signal.SIGKILL)
    codes, said = finish(*pair)
    assert codes == [1, -signal.SIGKILL]
    assert "tfminilm: worker 1 at 127.0.0.1:" in said[0]
    assert "does not answer: dead or stopped; start the same" in said[0]
    assert "Traceback" not in said[0]
    assert not (workdir / "student").exists()

    codes, said = finish(*workers(run, run))
    assert codes == [0, 0], said
    assert "resumed at step" in said[0]
    assert "step" not in said[1]

    assert commands.main(arguments(recipe, alone)) == 0
    assert losses(workdir) == pytest.approx(losses(alone), rel=1e-5)
    np.testing.assert_allclose(weights(workdir), weights(alone), atol=1e-5)
