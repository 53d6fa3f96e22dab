"""The `tfminilm` command line: each file of this folder is one command."""

import difflib
import importlib
import os
import signal
import sys
import types
from collections.abc import Sequence

import ml_collections
from absl import flags

from tfminilm.commands.recipes import Definer, keys, take_config
from tfminilm.errors import Interrupted, UsageError, UserError

COMMANDS = (
    "make",
    "prepare",
    "teach",
    "distill",
    "finetune",
    "evaluate",
    "compare",
    "predict",
    "serve",
    "export",
    "formats",
    "publish",
    "npu",
    "web",
    "benchmark",
    "describe",
    "report",
)
_DEBUG = {"--debug", "-debug", "--debug=true"}
_HELP = {"-h", "--help", "-help", "--helpfull", "--helpshort"}
# TensorFlow's errors may carry a whole graph.
_MOST_CHARACTERS = 1000


def main(argv: Sequence[str] | None = None) -> int:
    """Run `tfminilm COMMAND --flags` and return its exit code.

    0 on success, 2 on a usage error, 75 when Ctrl-C or SIGTERM stopped it, 141
    when nobody reads its output any more, 1 on any other failure; all but 141
    say why in one line on stderr. `--debug` shows the
    traceback instead.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = arguments.pop(0) if arguments else "--help"
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if name in _HELP or name == "help":
            print(_overview())
        else:
            _run(name, arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # What reads the output, such as `head`, has seen enough: end as any
        # command does then, without a word, and not once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except KeyboardInterrupt:
        return _fail("interrupted", Interrupted.exit_code)
    except Exception as error:
        if not _DEBUG.isdisjoint(arguments):
            raise
        return _fail(*_described(error, name))
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def _run(name: str, arguments: list[str]) -> None:
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1, 0.0)[0]
        raise UsageError(
            f"unknown command {name!r}; did you mean {near}? "
            f"The commands are {', '.join(COMMANDS)}"
        )
    command = importlib.import_module(f"tfminilm.commands.{name}")
    values = flags.FlagValues()
    arguments[:] = values.read_flags_from_files(arguments)
    arguments, extra = _split_more(command, arguments)
    takes_several = getattr(command, "TAKES_RECIPES", False)
    config, arguments = take_config(arguments, takes_several)
    asks_help = not _HELP.isdisjoint(arguments)
    define = Definer(values, None if asks_help else config, arguments)
    command.define_flags(define)
    define.DEFINE_bool("debug", False, "Show a traceback when it fails.")
    define.DEFINE_string("flagfile", "", "Read flags from this file.")
    if asks_help:
        print(_help(name, command, values, config))
        return
    unknown = values([name, *arguments])[1:]
    if unknown and hasattr(command, "ARGUMENTS"):
        values[command.ARGUMENTS].value = unknown
        unknown = []
    if unknown:
        raise UsageError(f"{name}: unexpected argument {unknown[0]!r}")
    command.run(values, *extra)


def _split_more(
    command: types.ModuleType, arguments: list[str]
) -> tuple[list, list]:
    """Split off the arguments after "--", if the command takes them."""
    if not getattr(command, "TAKES_MORE", False) or "--" not in arguments:
        return arguments, []
    place = arguments.index("--")
    return arguments[:place], [arguments[place + 1 :]]


def _overview() -> str:
    lines = ["tfminilm COMMAND --flags", ""]
    for name in COMMANDS:
        module = importlib.import_module(f"tfminilm.commands.{name}")
        lines.append(f"  {name:10} {module.DESCRIPTION}")
    return "\n".join([*lines, "", "tfminilm COMMAND --help lists its flags."])


def _help(
    name: str,
    command: types.ModuleType,
    values: flags.FlagValues,
    config: ml_collections.ConfigDict | None,
) -> str:
    lines = [f"tfminilm {name}: {command.DESCRIPTION}", ""]
    # The command's own flags first, then those it shares with others.
    modules = {command.__name__: None, **values.flags_by_module_dict()}
    for module in modules:
        for flag in values.get_flags_for_module(module):
            text = f"--{'[no]' * flag.boolean}{flag.name}: {flag.help}"
            if flag.default is not None and not flag.boolean and flag.default:
                text += f" (default: {flag.serialize().partition('=')[2]})"
            lines.append(flags.text_wrap(text, 80, "      ", "  "))
    if config is not None:
        lines += ["", "The recipe's keys, which are flags as well:", ""]
        lines += [
            f"  --config.{key}={value}" for key, value in keys(config.to_dict())
        ]
    return "\n".join(lines)


def _described(error: Exception, name: str) -> tuple[str, int]:
    """Return the message for a failure, and its exit code."""
    if isinstance(error, UserError):
        return str(error), error.exit_code
    if isinstance(error, flags.Error):
        text = str(error).removeprefix("ERROR:: ")
        return f"{text}; tfminilm {name} --help says what is expected", 2
    if isinstance(error, OSError) and error.filename is not None:
        return (
            f"cannot use {os.fsdecode(error.filename)}: {error.strerror}; "
            "expected a path that can be read and written; give another one",
            1,
        )
    if isinstance(error, RecursionError):
        return "what was given is nested too deep, or too long, to be read", 1
    if isinstance(error, MemoryError):
        return "memory ran out: give a smaller model, file or batch", 1
    text = f"{type(error).__name__}: {_shortened(str(error))}"
    return f"{text} (--debug shows where)", 1


def _shortened(text: str) -> str:
    """Cut the middle out of a long text: the remedy stands at its end."""
    text = " ".join(text.split())
    if len(text) <= _MOST_CHARACTERS:
        return text
    half = _MOST_CHARACTERS // 2
    return f"{text[:half]} ... {text[-half:]}"


def _fail(text: str, code: int) -> int:
    # Control characters from a file must not reach the terminal.
    plain = "".join(c if c.isprintable() else "?" for c in _shortened(text))
    print(f"tfminilm: {plain}", file=sys.stderr)
    return code
