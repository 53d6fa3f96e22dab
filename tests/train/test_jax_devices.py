"""KERAS_BACKEND=jax: one device, several, and what JAX does not do."""

import json
import os
import subprocess
import sys

import pytest

from tfminilm.errors import UserError
from tfminilm.train import distributed, jax_devices, strategy

COMMAND = "import sys; from tfminilm.commands import main; sys.exit(main())"


def distill(*arguments):
    """The command in a process of its own, where JAX has not looked yet."""
    return subprocess.run(
        [sys.executable, "-c", COMMAND, "distill", *arguments],
        capture_output=True,
        text=True,
        env=os.environ
        | {"KERAS_BACKEND": "jax", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"},
    )


def test_devices_share_each_part_of_a_batch():
    two = jax_devices.DataParallel(num_devices=2)
    two.check_batch(12, parts=3)
    with pytest.raises(UserError, match="2 devices cannot share in 4 parts"):
        two.check_batch(12, parts=4)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"name": "multi_worker"}, "--strategy=multi_worker is TensorFlow's"),
        ({"name": "tpu"}, "expected one or mirrored"),
        ({"cluster_name": "slurm"}, "--cluster=slurm: several machines"),
        ({"name": "mirrored"}, "JAX sees one device; --num_virtual_devices=2"),
    ],
)
def test_what_jax_does_not_do(monkeypatch, given, told):
    monkeypatch.setattr(strategy.keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(
        jax_devices.keras.distribution, "list_devices", lambda: ["cpu:0"]
    )
    assert strategy.build_context() is distributed.SINGLE_DEVICE
    with pytest.raises(UserError, match=told):
        strategy.build_context(**given)


@pytest.mark.slow
def test_the_flag_makes_devices(tmp_path, tiny):
    done = distill(
        f"--config={tiny.recipe}",
        f"--workdir={tmp_path / 'run'}",
        "--num_virtual_devices=3",
    )
    assert done.returncode == 1
    assert "batch_size is 8, which 3 devices cannot share" in done.stderr


@pytest.mark.slow  # Two processes that import, compile and train.
def test_two_devices_are_as_one(tmp_path, tiny):
    rows = {}
    for count in (0, 2):
        run = tmp_path / str(count)
        done = distill(
            f"--config={tiny.recipe}",
            f"--workdir={run}",
            f"--num_virtual_devices={count}",
        )
        assert done.returncode == 0, done.stderr
        lines = (run / "metrics.jsonl").read_text().splitlines()
        rows[count] = [json.loads(line) for line in lines]
    for one, two in zip(rows[0], rows[2], strict=True):
        assert (one["step"], one["split"]) == (two["step"], two["split"])
        # Dropout too: its random numbers are those of the whole batch.
        assert two["loss"] == pytest.approx(one["loss"], rel=1e-5)
