"""The command line: help, exit codes, one line for what goes wrong."""

import os
import re
import signal
import subprocess
import sys
import types

import pytest

from tfminilm import commands
from tfminilm.errors import UsageError, UserError

QUICK = """
import sys
from tfminilm.commands import main
code = main(sys.argv[1:])
slow = {"tensorflow", "keras", "numpy.testing", "matplotlib"} & set(sys.modules)
sys.exit(f"imported {slow}" if slow else code)
"""


@pytest.fixture
def command(monkeypatch):
    """`command(run)` replaces what `tfminilm report` does."""

    def replace(run):
        from tfminilm.commands import report

        monkeypatch.setattr(report, "run", run)

    return replace


def fails(error):
    def run(values):
        raise error

    return run


@pytest.fixture
def ends(capsys):
    """`ends(arguments)`: the exit code and the only line on stderr."""

    def run(*arguments):
        code = commands.main(arguments)
        out, err = capsys.readouterr()
        assert not out
        [line] = err.splitlines()
        assert line.startswith("tfminilm: ")
        return code, line.removeprefix("tfminilm: ")

    return run


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_overview_names_every_command(arguments, capsys):
    assert commands.main(arguments) == 0
    text = capsys.readouterr().out
    for name in commands.COMMANDS:
        assert f"\n  {name} " in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("name", ["", *commands.COMMANDS])
def test_help_is_quick(name):
    done = subprocess.run(
        [sys.executable, "-c", QUICK, *name.split(), "--help"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"tfminilm {name or 'COMMAND'}")


def test_a_reader_that_leaves_hears_no_complaint():
    """As `tfminilm --help | head -1`."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", QUICK, "--help"],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_help_of_a_command(capsys):
    assert commands.main(["distill", "--help"]) == 0
    text = capsys.readouterr().out
    for flag in ("config", "workdir", "[no]debug", "flagfile"):
        assert text.count(f"\n  --{flag}: ") == 1
    assert "undefok" not in text  # absl's own are no news.
    assert commands.main(["benchmark", "--help"]) == 0
    assert "(default: 1)" in capsys.readouterr().out


def test_help_lists_the_flags_of_tasks(capsys):
    for command in ("finetune", "evaluate"):
        assert commands.main([command, "--help"]) == 0
        shown = capsys.readouterr().out
        for flag in ("model", "task", "data_dir", "[no]skip_bad_answers"):
            assert f"--{flag}:" in shown


def test_help_lists_a_recipes_keys(capsys):
    assert commands.main(["distill", "--config=demo", "--help"]) == 0
    text = capsys.readouterr().out
    steps = r"\n  --config.stages.minilm.train.steps=\d+\n"
    assert re.search(steps, text)
    assert "\n  --config.stages.sentence.data.source=docs\n" in text


@pytest.mark.parametrize(
    ("given", "near"), [("distil", "distill"), ("bench", "benchmark")]
)
def test_unknown_command(ends, given, near):
    code, line = ends(given)
    assert code == 2
    assert line.startswith(f"unknown command {given!r}; did you mean {near}?")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["report", "--wokdir=x"], "'wokdir'. Did you mean: workdir"),
        (["report", "extra"], "report: unexpected argument 'extra'"),
        (["report", "--workdir"], "Missing value for flag --workdir"),
        (["report", "--flagfile=no/where"], "Unable to open flagfile"),
        (["benchmark", "--repeats=many"], "--repeats=many"),
        (["distill", "--config"], "--config expects a recipe, such as demo"),
        (["distill", "--config=demo"], "expected --workdir="),
        (["distill", "--workdir=x"], "expected --config="),
        (["distill", "--config.seed=1"], "--config.seed expects a recipe"),
    ],
)
def test_usage_errors(ends, arguments, said):
    code, line = ends(*arguments)
    assert code == 2
    assert said in line


def test_flagfile(tmp_path, command):
    found = []
    command(lambda values: found.append(values.workdir))
    (tmp_path / "flags").write_text("# mine\n--workdir=here\n")
    assert commands.main(["report", f"--flagfile={tmp_path / 'flags'}"]) == 0
    assert found == ["here"]


def test_two_calls_share_no_flags(command):
    found = []
    command(lambda values: found.append(values.workdir))
    commands.main(["report", "--workdir=a"])
    commands.main(["report"])
    assert found == ["a", None]


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UserError("no\n such  file"), 1, "no such file"),
        (UsageError("no flag"), 2, "no flag"),
        (KeyError("x"), 1, "KeyError: 'x' (--debug shows where)"),
        (KeyboardInterrupt(), 75, "interrupted"),
    ],
)
def test_exit_codes(ends, command, error, code, said):
    command(fails(error))
    assert ends("report") == (code, said)


def test_sigterm_is_an_interruption(ends, command):
    """What is half-written is removed, as after Ctrl-C."""
    before = signal.getsignal(signal.SIGTERM)
    command(lambda values: os.kill(os.getpid(), signal.SIGTERM))
    assert ends("report") == (75, "interrupted")
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_long_error_is_cut(ends, command):
    command(fails(RuntimeError("graph\n" * 10_000)))
    code, line = ends("report")
    assert code == 1
    assert len(line) < 1100


def test_ctrl_c_while_a_command_is_imported(ends, monkeypatch):
    def interrupted(name):
        raise KeyboardInterrupt

    fake = types.SimpleNamespace(import_module=interrupted)
    monkeypatch.setattr(commands, "importlib", fake)
    assert ends("report") == (75, "interrupted")


@pytest.mark.parametrize("error", [UserError("no"), KeyError("x")])
def test_debug_shows_the_traceback(command, error):
    command(fails(error))
    with pytest.raises(type(error)):
        commands.main(["report", "--debug"])


def test_debug_of_a_usage_error():
    with pytest.raises(UsageError):
        commands.main(["distill", "--config=nowhere", "--debug"])


def test_tensorflow_is_imported_quietly():
    code = "from tfminilm import quiet; quiet.import_tensorflow()"
    clean = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    broken = "import sys; sys.modules['tensorflow.python'] = None\n"
    done = subprocess.run(
        [sys.executable, "-c", broken + code], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "tensorflow.python" in done.stderr
