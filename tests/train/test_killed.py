"""The fault test that anyone can run with another count, with a small one."""

import pathlib
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "benchmarks/kill_and_resume.py"


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_the_same():
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--count=3"],
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()[-1]
    # How many of them came in a write depends on the machine as well.
    assert told.startswith("3 kills, ")
    assert told.endswith("ended bit for bit as the one without")
