"""absl flags of one command, and recipes found by path or by bare name."""

import difflib
import functools
import pathlib
import re
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import ml_collections
from absl import flags
from ml_collections import config_flags

from tfminilm import quiet
from tfminilm.errors import UsageError

# A checkout's top folder, or where a wheel puts its data files.
_ROOTS = (
    pathlib.Path(__file__).parents[2],
    pathlib.Path(sysconfig.get_path("data"), "share", "tfminilm"),
)
_FOLDERS = ("students", "export")
_NUMBERS = ("DEFINE_integer", "DEFINE_float")
# Nothing that is counted here comes near it.
_MOST = 2**32
# Where else the value of a key can stand.
_OWN_RECIPE = "it in the file of a recipe of your own"


class Definer:
    """absl's `DEFINE_...` functions, for flags of one command only.

    absl's own registry is one for the process; here each call of a command
    has its own, so that two can run after each other.

    Args:
        values: where the flags are defined.
        config: the recipe of `--config`, if one was given.
        arguments: the command line, which names the recipe's keys to define.
    """

    def __init__(
        self,
        values: flags.FlagValues,
        config: ml_collections.ConfigDict | None,
        arguments: Sequence[str],
    ):
        self._values = values
        self._config = config
        self._arguments = list(arguments)

    def __getattr__(self, name: str) -> Any:
        if name in _NUMBERS:
            return functools.partial(self._define_number, name)
        if name != "DEFINE_config_file":
            define = getattr(flags, name)
        elif self._config is None:
            define = flags.DEFINE_string
        else:
            return self._define_config
        return functools.partial(define, flag_values=self._values)

    def _define_number(self, kind: str, name: str, *rest: Any, **more: Any):
        """Defines a flag of a finite number; NaN is within all bounds."""
        most = _MOST if kind == "DEFINE_integer" else sys.float_info.max
        getattr(flags, kind)(name, *rest, **more, flag_values=self._values)
        flags.register_validator(
            name,
            lambda value: value is None or abs(value) <= most,
            f"expected a number up to {most:.3g}",
            flag_values=self._values,
        )

    def _define_config(self, name: str, default: Any, text: str) -> None:
        config_flags.DEFINE_config_dict(
            name,
            self._config,
            text,
            flag_values=self._values,
            # It looks for `--config.key=value`, by default in sys.argv.
            sys_argv=["tfminilm", *self._arguments],
        )


def take_config(
    arguments: Sequence[str],
) -> tuple[ml_collections.ConfigDict | None, list[str]]:
    """Loads the recipe after `--config`; returns it and the other arguments.

    Raises:
        UsageError: there is no such recipe, it is broken, or the arguments
            name a key that it does not have.
    """
    name, rest, left = None, [], iter(arguments)
    for argument in left:
        flag, equals, value = argument.partition("=")
        if flag not in ("--config", "-config"):
            rest.append(argument)
        elif equals:
            name = value
        elif (name := next(left, None)) is None:
            raise UsageError("--config expects a recipe, such as demo")
    config = None if name is None else load_recipe(name)
    for key in _overridden(rest):
        if config is None:
            raise UsageError(f"--config.{key} expects a recipe: --config=demo")
        _require_key(config.to_dict(), key)
    return config, rest


def load_recipe(name: str) -> ml_collections.ConfigDict:
    """The `get_config()` of a recipe; `NAME:MODE` passes it the mode.

    Raises:
        UsageError: there is no such recipe, or it is broken.
    """
    name, colon, mode = name.partition(":")
    path = find_recipe(name)
    quiet.import_tensorflow()  # The recipe will, for the methods' losses.
    # Not by the import system: its cache may miss a change of the same second.
    space: dict[str, Any] = {"__name__": "tfminilm_recipe", "__file__": path}
    try:
        exec(compile(path.read_bytes(), path, "exec"), space)
        if "get_config" not in space:
            raise UsageError(
                "no get_config() in it, so it is no recipe; expected that "
                "function"
            )
        config = space["get_config"](*[mode] if colon else [])
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # It is a program: it may even exit.
        raise UsageError(
            f"{path}: {type(error).__name__}: {error}; mend it"
        ) from error
    if not isinstance(config, ml_collections.ConfigDict):
        raise UsageError(
            f"{path}: get_config() returns a {type(config).__name__}, "
            "expected a ConfigDict, such as Recipe(...).config(mode)"
        )
    return config


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
    near = difflib.get_close_matches(path.stem, known, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise UsageError(
        f"no recipe {name!r}: expected a file or one of {', '.join(known)}"
        f"{hint}"
    )


def keys(config: Mapping[str, Any], room: str = "") -> Iterator[tuple]:
    """Each key of a recipe that can be a flag, with its dots, and its value."""
    for key, value in config.items():
        if not key.isidentifier():
            continue
        if isinstance(value, Mapping):
            yield from keys(value, f"{room}{key}.")
        else:
            yield room + key, value


def _overridden(arguments: Sequence[str]) -> Iterator[str]:
    for argument in arguments:
        if found := re.match(r"--?config\.([^=]*)", argument):
            yield found[1]


def _require_key(config: Any, key: str) -> None:
    room = ""
    for part in key.split("."):
        if not isinstance(config, Mapping):
            raise UsageError(
                f"unknown key {key}: {room[:-1]} has no keys; remove what "
                "follows it"
            )
        if part not in config:
            near = difflib.get_close_matches(part, config, 1, 0.0)
            hint = f"; did you mean {room}{near[0]}?" if near else ""
            raise UsageError(f"unknown key {room}{part}{hint}")
        if not part.isidentifier():
            raise UsageError(
                f"{room}{part} can be no flag: expected {_OWN_RECIPE}"
            )
        config, room = config[part], f"{room}{part}."
    if isinstance(config, Mapping):
        inside = ", ".join(
            f"--config.{room}{part}" for part in config if part.isidentifier()
        )
        raise UsageError(
            f"{key} is no single value: expected {inside or _OWN_RECIPE}"
        )
