"""A disk that fills up costs one line, and no checkpoint."""

import errno
import os
import re
import shutil
import subprocess

import pytest

from tfminilm import files

MIB = 2**20


@pytest.fixture
def disk(tmp_path, monkeypatch):
    """A folder, and `fill(left)`: the disk has `left` bytes; None empties it.

    A real small disk where one can be mounted, else a made-up one.
    """
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if (
        shutil.which("mount")
        and not subprocess.run(mount, capture_output=True).returncode
    ):
        yield folder, lambda left: _fill(folder, left)
        # Lazily: the packed text in it is still mapped.
        subprocess.run(["umount", "-l", str(folder)], check=True)
    else:
        yield folder, lambda left: _pretend(monkeypatch, left)


def _fill(folder, left):
    filler = folder / "filler"
    filler.unlink(missing_ok=True)
    if left is not None:
        filler.write_bytes(bytes(shutil.disk_usage(folder).free - left))


def _pretend(monkeypatch, left):
    write_bytes = files.write_bytes

    def full(path, content):
        if left is not None and len(content) > left:
            error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            raise files.UserError(files.cannot_write(path, error))
        write_bytes(path, content)

    monkeypatch.setattr(files, "write_bytes", full)
    usage = shutil.disk_usage(".")._replace(free=left or 2**40)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)


def test_full_at_a_checkpoint_then_at_the_student(
    tmp_path, disk, finished, distill, rows, state, capfd, monkeypatch
):
    folder, fill = disk
    run = shutil.copytree(finished, folder / "run")
    shutil.rmtree(run / "student")
    shutil.rmtree(run / "checkpoints" / "step-000000012")

    fill(16 * 1024)
    assert distill(run) == 1
    line = capfd.readouterr().err.splitlines()[-1]
    assert line.startswith("tfminilm: cannot write ")
    assert re.search(r": No space left on device \([\d,]+ bytes needed, ", line)
    assert not list(run.rglob(".tmp-*"))
    left = sorted(os.listdir(run / "checkpoints"))
    assert left == ["best.json", "step-000000009"]

    fill(MIB)
    assert distill(run) == 1
    text = capfd.readouterr().err
    assert "resumed at step 9" in text
    assert text.splitlines()[-1].startswith(
        f"tfminilm: cannot write {run}/student: No space left on device (1.1 MB"
    )
    assert not list(run.rglob(".tmp-*"))

    # What the disk had free a moment ago another process may have taken: HDF5
    # meets the end of it in the midst of its file.
    for left in (20_000, 60_000) if os.path.ismount(folder) else ():
        fill(left)
        usage = shutil.disk_usage(folder)._replace(free=2**40)
        with monkeypatch.context() as patch:
            patch.setattr(shutil, "disk_usage", lambda path, usage=usage: usage)
            assert distill(run) == 1
        line = capfd.readouterr().err.splitlines()[-1]
        assert line.startswith(f"tfminilm: cannot write {run}/student: No sp")
        assert not list(run.rglob(".tmp-*"))

    fill(None)
    assert distill(run) == 0
    assert rows(run) == rows(finished)
    assert state(run) == state(finished)
