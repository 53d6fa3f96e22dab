"""Each bad input of the table ends in one sentence, and soon."""

import collections
import contextlib
import importlib.util
import pathlib
import re
import signal
import sys
import zlib

import pytest

from tfminilm import commands
from tfminilm.errors import UserError


def load(name):
    """A module of this folder, which is no package."""
    path = pathlib.Path(__file__).with_name(f"{name}.py")
    own = f"bad_input_{name}"
    spec = importlib.util.spec_from_file_location(own, path)
    module = sys.modules[own] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


cases = load("cases")
CASES = (*cases.CASES, *load("bundles").cases(cases.Case))
_, *MORE = map(
    load, ("damages", "tables", "texts", "settings", "models", "workdirs")
)
SPOILED = [case for module in MORE for case in module.CASES]


def is_slow(case):
    """Whether it waits for the slow tests: all but a fourth of each kind."""
    return case.is_slow or zlib.crc32(case.name.encode()) % 4 > 0


# What a sentence that says what to do has at least one of.
_REMEDY = re.compile(
    "expect|copy|give|remove|mend|use |name |move|convert|did you mean|"
    "make room|is it|upgrade|install|start|keep|choose|cut it|see -|again|"
    "fine-tune"
)
_MOST_SECONDS = 180


@contextlib.contextmanager
def time_limit():
    """A case that hangs fails; nothing else would end it."""

    def fail(*args):
        raise TimeoutError(f"it took more than {_MOST_SECONDS} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(_MOST_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def content(folder):
    return {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


@pytest.fixture
def refused(tmp_path, monkeypatch, capfd):
    """`refused(case)`: the exit code, the one line, and files that are new.

    No refusal tells of Python, and none changes a file.
    """

    def run(case):
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("TF_CONFIG", raising=False)
        for name, value in case.environment:
            monkeypatch.setenv(name, value)
        case.prepare(tmp_path)
        before = content(tmp_path)
        command = [part.replace("{}", str(tmp_path)) for part in case.command]
        with time_limit():
            code = commands.main(command or ["report"])
        [line] = [
            line
            for line in capfd.readouterr().err.splitlines()
            if line.startswith("tfminilm: ")
        ]
        assert "--debug" not in line
        assert "Traceback" not in line
        assert len(line) < 1100
        now = content(tmp_path)
        assert {path: now.get(path) for path in before} == before
        return code, line, now.keys() - before

    return run


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case.kind}: {case.name}"
)
def test_refused_in_a_sentence(case, refused):
    code, line, added = refused(case)
    assert code in ((1, 2) if case.code < 0 else (case.code,)), line
    place = 0
    for words in case.words:
        assert words in line[place:], line
        place = line.index(words, place)
    assert not added


# Of files that KerasHub leaves open when it fails.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            case,
            id=f"{case.kind}: {case.name}",
            marks=[pytest.mark.slow] * is_slow(case),
        )
        for case in SPOILED
    ],
)
def test_what_is_spoiled_is_told(case, refused, tmp_path, monkeypatch):
    """It names the file or flag, and what to do."""
    if case.call:
        monkeypatch.setattr(commands, "_run", lambda *args: case.call(tmp_path))
    code, line, _ = refused(case)
    assert code in (1, 2), line
    assert all(word in line for word in case.words), line
    assert _REMEDY.search(line), line


def test_no_two_cases_are_one():
    every = [*CASES, *SPOILED]
    names = collections.Counter((case.kind, case.name) for case in every)
    assert set(names.values()) == {1}


def test_a_recipe_that_is_interrupted_is_no_success(tmp_path):
    (tmp_path / "recipe.py").write_text("raise KeyboardInterrupt")
    config = f"--config={tmp_path / 'recipe.py'}"
    assert commands.main(["distill", config]) == 75


def test_what_a_file_says_does_not_command_the_terminal(capsys, monkeypatch):
    def fail(*args):
        raise UserError("\x1b[2J\x9b31m\u202ename\nsecond")

    monkeypatch.setattr(commands, "_run", fail)
    assert commands.main(["report"]) == 1
    assert capsys.readouterr().err == "tfminilm: ?[2J?31m?name second\n"
