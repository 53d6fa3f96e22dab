"""A file that ends the process which runs it is refused by name."""

import subprocess

import pytest

from tfminilm.errors import UserError
from tfminilm.export.litert import trial


def test_a_whole_file(float_file):
    trial.require_runs(float_file)


@pytest.mark.parametrize(
    "content", [b"", b"text", b"\x1c\0\0\0TFL3" + b"\xff" * 99]
)
def test_no_file_of_litert(tmp_path, content):
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"model\.tflite") as found:
        trial.require_runs(path)
    assert "\n" not in str(found.value)


def test_half_of_a_file(float_file, tmp_path):
    content = float_file.read_bytes()
    path = tmp_path / "model.tflite"
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"model\.tflite is"):
        trial.require_runs(path)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("kill -SEGV $$", "LiteRT ended with SIGSEGV in running it; export"),
        ("kill -ABRT $$", "LiteRT ended with SIGABRT in running it; export"),
        ("echo first >&2; echo last >&2; exit 1", "damaged: last; export"),
        ("echo no encoder; exit 3", "^no encoder$"),
    ],
)
def test_a_process_that_dies(tmp_path, monkeypatch, script, words):
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setattr(trial.sys, "executable", str(path))
    with pytest.raises(UserError, match=words):
        trial.require_runs(tmp_path / "model.tflite")


def test_a_process_without_end(monkeypatch):
    def wait(*args, timeout, **options):
        raise subprocess.TimeoutExpired(args, timeout)

    monkeypatch.setattr(trial.subprocess, "run", wait)
    with pytest.raises(UserError, match="x is damaged: it runs for over 600 s"):
        trial.require_runs("x")
