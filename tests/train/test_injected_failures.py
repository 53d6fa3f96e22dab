"""The disk is full at each opening, folder and renaming of a run in turn."""

import errno
import os
import shutil
import sys

import pytest

# What the hook below does: nothing unless a test sets a folder.
_STATE = {"folder": None, "left": -1, "hook": False}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND


def _hook(event, arguments):
    folder = _STATE and _STATE["folder"]  # At exit it is gone.
    if not folder or event not in ("open", "os.mkdir", "os.rename"):
        return
    if event == "open" and not (arguments[2] or 0) & _WRITES:
        return
    paths = [str(part) for part in arguments[:2]]
    if not any(folder in path for path in paths):
        return
    _STATE["left"] -= 1
    if _STATE["left"] == 0:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), paths[0])


@pytest.fixture
def fail_at():
    """`fail_at(folder, number)`: that write in it, from 1 on, fails."""
    if not _STATE["hook"]:  # There is no way to remove one.
        sys.addaudithook(_hook)
        _STATE["hook"] = True

    def set_to(folder, number):
        _STATE.update(folder=folder and str(folder), left=number)

    yield set_to
    set_to(None, -1)


def begun(finished, folder):
    """A run that has its last checkpoint and its student to write."""
    run = shutil.copytree(finished, folder)
    shutil.rmtree(run / "student")
    shutil.rmtree(run / "checkpoints" / "step-000000012")
    return run


def refused(run, distill, capfd):
    """What a run says that fails; whether it does."""
    capfd.readouterr()
    code = distill(run)
    line = capfd.readouterr().err.splitlines()[-1]
    assert not list(run.rglob(".tmp-*")), line
    if code == 0:
        return False
    assert code == 1
    assert line.startswith("tfminilm: cannot write "), line
    assert "No space left on device" in line
    assert "make room and start the same command again" in line
    return True


@pytest.mark.slow
def test_each_write_in_turn(
    tmp_path, finished, distill, state, rows, fail_at, capfd
):
    number, failed = 0, 0
    while _STATE["left"] <= 0:  # The one to fail came, the last time.
        number += 1
        run = begun(finished, tmp_path / f"run-{number}")
        fail_at(run, number)
        failed += refused(run, distill, capfd)
        _STATE["folder"] = None
        # Some are of no account, as making a folder that is there.
        if number % 8 == 1:
            assert distill(run) == 0
            assert state(run) == state(finished)
            assert rows(run) == rows(finished)
    print(f"{failed} of {number - 1} failed")
    assert failed > 20
