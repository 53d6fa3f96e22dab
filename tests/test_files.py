"""Files and folders are whole or absent, whatever happens."""

import errno
import hashlib
import os
import subprocess
import sys

import pytest

from tfminilm import files
from tfminilm.errors import UserError

FULL = (
    r"{}: No space left on device \({} needed, [\d.,]+ MB free\); make room "
    r"and start the same command again$"
)


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


def test_half_a_pair_of_surrogates_is_refused(tmp_path):
    said = r"cannot write .*a\\udce9b.* into .*: .* expected text in UTF-8"
    with pytest.raises(UserError, match=said):
        files.write_json(tmp_path / "file", {"title": "a\udce9b"})
    assert not names(tmp_path)


@pytest.mark.usefixtures("full_disk")
def test_file_on_a_full_disk(tmp_path):
    (tmp_path / "file").write_text("old")
    with pytest.raises(UserError, match=FULL.format("file", "3 bytes")):
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
    asked = []
    with files.new_directory(path, replaces=asked.append) as beside:
        (beside / "other").write_text("second")
        assert names(path) == ["file"]
    assert names(path) == ["other"]
    assert names(path.parent) == ["folder"]
    assert asked == [path]


def test_folder_in_whose_place_something_else_is(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine").touch()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    before = names(tmp_path)
    for name in before:
        with (
            pytest.raises(UserError, match=f"{name}: something else is there"),
            files.new_directory(tmp_path / name),
        ):
            pass
    assert names(tmp_path) == before
    assert names(tmp_path / "folder") == ["mine"]


def test_only_a_regular_file_is_replaced_or_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "target").write_text("mine")
    (tmp_path / "link").symlink_to("target")
    (tmp_path / "device").symlink_to("/dev/zero")
    for name in ("pipe", "folder", "link", "device"):
        with pytest.raises(UserError, match=f"{name} is no regular file"):
            files.write_text(tmp_path / name, "new")
        if name != "link":
            with pytest.raises(UserError, match=f"{name} is no regular file"):
                files.read_bytes(tmp_path / name)
    assert files.read_text(tmp_path / "link") == "mine"
    with pytest.raises(UserError, match=r"link is too large: expected up to 3"):
        files.read_text(tmp_path / "link", most=3)


@pytest.mark.parametrize("lock", ["pipe", "link"])
def test_lock_that_is_no_file(tmp_path, lock):
    (tmp_path / "mine").write_text("content")
    if lock == "pipe":
        os.mkfifo(tmp_path / ".lock")
    else:
        (tmp_path / ".lock").symlink_to("mine")
    with (
        pytest.raises(UserError, match=r"\.lock is no regular file"),
        files.lock(tmp_path, "--workdir"),
    ):
        pass
    assert (tmp_path / "mine").read_text() == "content"


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

    with pytest.raises(UserError, match=FULL.format("folder", "4.*MB")):
        write()
    assert not begun
    assert not names(tmp_path)


def test_sweep_leaves_what_has_no_marker_of_ours(tmp_path):
    for name in (".tmp-folder", ".old-photos", ".tmp-marked"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "photo").touch()
    (tmp_path / ".tmp-empty").mkdir()
    (tmp_path / ".tmp-thesis.tex").touch()
    (tmp_path / ".tmp-marked" / "tfminilm-unfinished.json").write_text("{}")
    before = sorted(tmp_path.rglob("*"))
    files.sweep(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before
    files.sweep(tmp_path / "nowhere")


KILLED = """
import os, sys
from tfminilm import files
with files.{}(sys.argv[1]) as beside:
    {}
    os._exit(9)
"""


def test_what_a_kill_leaves_is_swept(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "photo").touch()
    place = tmp_path / "run"
    for kind, work in (
        ("new_file", "beside.write_text('half')"),
        ("new_directory", "os.symlink('../../../outside', beside / 'link')"),
    ):
        script = KILLED.format(kind, work)
        subprocess.run([sys.executable, "-c", script, str(place / kind)])
    assert len(names(place)) == 2
    left = next(place.iterdir())
    (place / ".tmp-link").symlink_to(left.name)
    with files.new_directory(place / "alive"):
        files.sweep(place)
        assert len(names(place)) == 2  # The link, and what is written now.
    assert names(place) == [".tmp-link", "alive"]
    assert names(tmp_path / "outside") == ["photo"]


def test_remove_leaves_what_it_is_not_told(tmp_path):
    folder = tmp_path / "step"
    folder.mkdir()
    (folder / "meta.json").touch()
    (folder / "notes.txt").touch()
    (tmp_path / "mine").touch()
    (folder / "state").symlink_to("../mine")
    files.remove(folder, ("meta.json", "state"))
    assert names(folder) == ["notes.txt", "state"]
    (tmp_path / "link").symlink_to("step")
    files.remove(tmp_path / "link", ("notes.txt",))
    assert names(folder) == ["notes.txt", "state"]


def test_sha256(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    expected = hashlib.sha256(b"abc").hexdigest()
    assert files.sha256(tmp_path / "file") == expected
