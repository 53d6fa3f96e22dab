"""The `tfminilm` command: one absl command per file of this folder."""

import importlib
import sys
from collections.abc import Sequence
from typing import Any

from absl import flags

from tfminilm.commands.recipes import Definer, resolve_configs
from tfminilm.errors import UsageError, UserError

COMMANDS = ("distill", "export", "benchmark", "describe", "report")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs `tfminilm COMMAND --flags` and returns its exit code.

    0 on success, 2 on a usage error, 1 on any other failure, each with one
    line on stderr. `--debug` shows the traceback instead.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = arguments.pop(0) if arguments else "--help"
    if name in ("-h", "--help", "help"):
        print(_overview())
        return 0
    try:
        if name not in COMMANDS:
            raise UsageError(
                f"unknown command {name!r}: expected {', '.join(COMMANDS)}"
            )
        command = importlib.import_module(f"tfminilm.commands.{name}")
        values = _parse(name, command, arguments)
        if values is None:
            return 0
    except (UserError, flags.Error) as error:
        return _fail(error, 2)
    try:
        command.run(values)
    except KeyboardInterrupt:
        return _fail("interrupted", 1)
    except UserError as error:
        if values.debug:
            raise
        return _fail(error, error.exit_code)
    except Exception as error:
        if values.debug:
            raise
        return _fail(
            f"{type(error).__name__}: {error} (--debug shows where)", 1
        )
    return 0


def _parse(name: str, command: Any, arguments: list[str]) -> Any:
    """The command's flags, or `None` when it was only asked for help."""
    values = flags.FlagValues()
    arguments = values.read_flags_from_files(arguments)
    asks_help = bool({"-h", "--help", "-help"} & set(arguments))
    if not asks_help:
        arguments = resolve_configs(arguments)
    define = Definer(values, arguments)
    define.DEFINE_bool("debug", False, "Show a traceback when it fails.")
    define.DEFINE_string("flagfile", "", "Read flags from this file.")
    command.define_flags(define)
    if asks_help:
        print(f"tfminilm {name}: {command.DESCRIPTION}\n")
        print(values.get_help())
        return None
    try:
        rest = values([name, *arguments])[1:]
    except (AttributeError, KeyError, TypeError, ValueError, OSError) as error:
        # What ml_collections raises for an override that does not fit. A
        # KeyError's own text is a repr.
        text = error.args[0] if isinstance(error, KeyError) else error
        raise UsageError(f"--config: {text}") from error
    if rest:
        raise UsageError(f"{name}: unexpected argument {rest[0]!r}")
    return values


def _overview() -> str:
    lines = ["tfminilm COMMAND --flags", ""]
    for name in COMMANDS:
        module = importlib.import_module(f"tfminilm.commands.{name}")
        lines.append(f"  {name:10} {module.DESCRIPTION}")
    return "\n".join([*lines, "", "tfminilm COMMAND --help lists its flags."])


def _fail(error: object, code: int) -> int:
    print("tfminilm: " + " ".join(str(error).split()), file=sys.stderr)
    return code
