import os
import signal
import subprocess
import sys
import time

import pytest

COMMAND = "import sys; from tfminilm.commands import main; sys.exit(main())"


@pytest.fixture
def start(text, model, tmp_path):
    """Starts the command, on two processes or more."""
    folder = tmp_path / "shards"
    running = []

    def run(*, until):
        arguments = [
            "prepare",
            f"--input={text}",
            f"--output={folder}",
            f"--tokenizer={model}",
            "--sequence_length=16",
            "--held_out_fraction=0.2",
            "--shard_megabytes=0.0025",
        ]
        with open(tmp_path / "said", "w") as said:
            process = subprocess.Popen(
                [sys.executable, "-c", COMMAND, *arguments], stderr=said
            )
        running.append(process)
        while process.poll() is None:
            if found := list(folder.glob(f"unfinished/{until}")):
                return process, found[0]
            time.sleep(0.02)
        raise AssertionError((tmp_path / "said").read_text())

    yield run
    for process in running:
        process.kill()
        process.wait()


@pytest.mark.slow  # Each start of the command imports TensorFlow thrice.
@pytest.mark.skipif(os.cpu_count() == 1, reason="one core takes one process")
def test_ends_as_if_never_killed(start, prepared, tmp_path):
    process, worker = start(until="worker-*")
    os.kill(int(worker.name.removeprefix("worker-")), signal.SIGKILL)
    assert process.wait(timeout=100) == 1
    said = (tmp_path / "said").read_text()
    assert "a worker process died" in said.splitlines()[-1]

    process, _ = start(until="part-*.json")
    process.kill()
    process.wait()
    # Those that are not told of it may still be writing.
    assert not (tmp_path / "shards" / "manifest.json").exists()

    process, _ = start(until="plan.json")
    assert process.wait(timeout=200) == 0
    names = {path.name for path in prepared.iterdir()}
    assert {path.name for path in (tmp_path / "shards").iterdir()} == names
    for name in names - {"manifest.json"}:
        ours = (tmp_path / "shards" / name).read_bytes()
        assert ours == (prepared / name).read_bytes()
