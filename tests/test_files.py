"""Files and folders are whole or absent, whatever happens."""

import errno
import hashlib
import os

import pytest

from tfminilm import files
from tfminilm.errors import UserError


@pytest.fixture
def full_disk(monkeypatch):
    def fsync(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "new" / "file"
    files.write_bytes(path, b"one")
    files.write_text(path, "zwölf\n")
    assert path.read_bytes() == "zwölf\n".encode()
    assert names(path.parent) == ["file"]
    assert path.stat().st_mode & 0o777 == 0o644
    files.write_json(path, {"é": [1]})
    assert path.read_text() == '{\n  "é": [\n    1\n  ]\n}\n'


def test_json_has_no_nan(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "file", {"loss": float("nan")})
    assert not names(tmp_path)


@pytest.mark.usefixtures("full_disk")
def test_file_on_a_full_disk(tmp_path):
    (tmp_path / "file").write_text("old")
    with pytest.raises(UserError, match=r"file: No space left on device$"):
        files.write_text(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_file_whose_folder_is_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write"):
        files.write_text(tmp_path / "file" / "inside", "new")


def test_folder_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "folder"
    with files.new_directory(path) as beside:
        (beside / "file").write_text("first")
        assert not path.exists()
    assert (path / "file").read_text() == "first"
    with files.new_directory(path) as beside:
        (beside / "other").write_text("second")
        assert names(path) == ["file"]
    assert names(path) == ["other"]
    assert names(path.parent) == ["folder"]


@pytest.mark.parametrize("error", [OSError("bad"), KeyError, KeyboardInterrupt])
def test_folder_that_fails(tmp_path, error):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "old").touch()
    expected = UserError if isinstance(error, OSError) else error

    def write():
        with files.new_directory(path) as beside:
            (beside / "half").touch()
            raise error

    with pytest.raises(expected):
        write()
    assert names(tmp_path) == ["folder"]
    assert names(path) == ["old"]


def test_folder_larger_than_the_disk(tmp_path):
    begun = []

    def write():
        with files.new_directory(tmp_path / "folder", size=2**62) as beside:
            begun.append(beside)

    with pytest.raises(UserError, match=r"folder: No space left on device$"):
        write()
    assert not begun
    assert not names(tmp_path)


def test_sweep(tmp_path):
    (tmp_path / ".tmp-folder-x").mkdir()
    (tmp_path / ".tmp-folder-x" / "file").touch()
    (tmp_path / ".old-x").mkdir()
    (tmp_path / ".tmp-file").touch()
    (tmp_path / "kept").touch()
    files.sweep(tmp_path)
    assert names(tmp_path) == ["kept"]
    files.sweep(tmp_path / "nowhere")


def test_what_a_kill_leaves_is_swept(tmp_path, monkeypatch):
    """The names that are swept are those that are written."""

    class Killed(BaseException):
        pass

    def kill(*args, **kwargs):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", kill)
        patch.setattr(files.pathlib.Path, "unlink", kill)
        with pytest.raises(Killed):
            files.write_text(tmp_path / "file", "new")
        patch.setattr(files.shutil, "rmtree", lambda *a, **k: None)
        (tmp_path / "folder").mkdir()
        with files.new_directory(tmp_path / "folder"):
            pass
    assert len(names(tmp_path)) == 3
    files.sweep(tmp_path)
    assert names(tmp_path) == ["folder"]


def test_sha256(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    expected = hashlib.sha256(b"abc").hexdigest()
    assert files.sha256(tmp_path / "file") == expected
