"""KERAS_BACKEND=torch: the command line, and what PyTorch does not do."""

import importlib.util
import os
import subprocess
import sys

import pytest

from tfminilm.errors import UserError
from tfminilm.train import distributed, strategy

COMMAND = """
import sys
from tfminilm.commands import main
code = main()
# What it takes to find the wrong order of imports.
assert {"tensorflow", "torch", "triton"} <= set(sys.modules)
sys.exit(code)
"""


def test_what_torch_does_not_do(monkeypatch):
    monkeypatch.setattr(strategy.keras.backend, "backend", lambda: "torch")
    assert strategy.build_context() is distributed.SINGLE_DEVICE
    assert strategy.build_context("one") is distributed.SINGLE_DEVICE
    for given, flag in (
        ({"name": "mirrored"}, "--strategy=mirrored"),
        ({"name": "one", "xla": True}, "--xla"),
        ({"num_virtual_devices": 2}, "--num_virtual_devices=2"),
        ({"cluster_name": "slurm"}, "--cluster=slurm"),
    ):
        with pytest.raises(UserError, match=f"{flag}: KERAS_BACKEND is torch"):
            strategy.build_context(**given)


@pytest.mark.skipif(
    not importlib.util.find_spec("torch"), reason="make test-torch installs it"
)
def test_the_command_runs(tmp_path, tiny):
    # A process of its own: what aborts it is in which order it imports.
    flags = [f"--config={tiny.recipe}", f"--workdir={tmp_path / 'run'}"]
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "distill", *flags],
        capture_output=True,
        text=True,
        env=os.environ | {"KERAS_BACKEND": "torch"},
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "student" / "model.weights.h5").is_file()
