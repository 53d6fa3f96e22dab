"""absl flags of one command, and recipes found by path or by bare name."""

import difflib
import functools
import pathlib
import sysconfig
from collections.abc import Sequence
from typing import Any

from absl import flags
from ml_collections import config_flags

from tfminilm.errors import UsageError

# A checkout's top folder, or where a wheel puts its data files.
_ROOTS = (
    pathlib.Path(__file__).parents[2],
    pathlib.Path(sysconfig.get_path("data"), "share", "tfminilm"),
)
_FOLDERS = ("students", "export")


class Definer:
    """absl's `DEFINE_...` functions, for flags of one command only.

    absl's own registry is one for the process; here each call of a command
    has its own, so that two can run after each other.
    """

    def __init__(self, values: flags.FlagValues, arguments: Sequence[str]):
        self._values = values
        self._arguments = list(arguments)

    def __getattr__(self, name: str) -> Any:
        options = {"flag_values": self._values}
        if name == "DEFINE_config_file":
            # It looks for `--config.key=value` itself, by default in sys.argv.
            options["sys_argv"] = ["tfminilm", *self._arguments]
            return functools.partial(config_flags.DEFINE_config_file, **options)
        return functools.partial(getattr(flags, name), **options)


def resolve_configs(arguments: Sequence[str]) -> list[str]:
    """Replaces the recipe after `--config` by its path.

    A mode behind a colon (`demo:smoke`) stays.

    Raises:
        UsageError: there is no such recipe.
    """
    resolved = list(arguments)
    for index, argument in enumerate(resolved):
        flag, equals, name = argument.partition("=")
        if flag not in ("--config", "-config"):
            continue
        if equals:
            resolved[index] = f"{flag}={_resolve(name)}"
        elif index + 1 < len(resolved):
            resolved[index + 1] = _resolve(resolved[index + 1])
    return resolved


def _resolve(name: str) -> str:
    name, colon, mode = name.partition(":")
    return f"{find_recipe(name)}{colon}{mode}"


def find_recipe(name: str) -> pathlib.Path:
    """The file of a recipe: a path, or the name of one that is shipped.

    Raises:
        UsageError: there is no such recipe; the nearest name is given.
    """
    path = pathlib.Path(name)
    if path.is_file():
        return path
    known = {
        file.stem: file
        for root in _ROOTS
        for folder in _FOLDERS
        for file in sorted((root / folder).glob("*.py"))
    }
    if path.stem in known and path.suffix in ("", ".py"):
        return known[path.stem]
    near = difflib.get_close_matches(path.stem, known, 1, 0.0)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise UsageError(f"no recipe {name!r}: expected a file or a name{hint}")
