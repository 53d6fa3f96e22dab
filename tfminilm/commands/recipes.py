"""Flags of one command, and recipes that are found by path or name."""

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
from tfminilm.typing import Json

# A checkout's top folder, or where a wheel puts its data files.
_ROOTS = (
    pathlib.Path(__file__).parents[2],
    pathlib.Path(sysconfig.get_path("data"), "share", "tfminilm"),
)
_FOLDERS = ("students", "export")
_NUMBERS = ("DEFINE_integer", "DEFINE_float")
# Far above every number that makes sense for a flag.
_MOST = 2**32
# The remedy for a key that cannot be a flag.
_OWN_RECIPE = "it in the file of a recipe of your own"


class Definer:
    """absl's `DEFINE_...` functions, for flags of one command only.

    absl has one registry for the whole process; here each call of a command
    has its own, so that two can run one after the other.

    Args:
        values: the registry to define the flags in.
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

    def _define_number(
        self, kind: str, name: str, *args: Any, **kwargs: Any
    ) -> None:
        """Define a flag of a finite number: absl's bounds let NaN pass."""
        most = _MOST if kind == "DEFINE_integer" else sys.float_info.max
        getattr(flags, kind)(name, *args, **kwargs, flag_values=self._values)
        flags.register_validator(
            name,
            lambda value: value is None or abs(value) <= most,
            f"expected a number up to {most:.3g}",
            flag_values=self._values,
        )

    def _define_config(self, name: str, default: str | None, text: str) -> None:
        config_flags.DEFINE_config_dict(
            name,
            self._config,
            text,
            flag_values=self._values,
            # Searched for `--config.key=value`; its default is sys.argv.
            sys_argv=["tfminilm", *self._arguments],
        )


def take_config(
    arguments: Sequence[str], takes_several: bool = False
) -> tuple[ml_collections.ConfigDict | None, list[str]]:
    """Load the recipe after `--config`; return it and the other arguments.

    With `takes_several`, of "a,b" it returns both, by their names.

    Raises:
        UsageError: there is no such recipe, it is broken, or the arguments
            name a key that it does not have.
    """
    name, other_arguments, remaining = None, [], iter(arguments)
    for argument in remaining:
        flag, equals, value = argument.partition("=")
        if flag not in ("--config", "-config"):
            other_arguments.append(argument)
        elif equals:
            name = value
        elif (name := next(remaining, None)) is None:
            raise UsageError("--config expects a recipe, such as demo")
    several = takes_several and name is not None and "," in name
    if name is not None and several and not pathlib.Path(name).is_file():
        config = _load_recipes(name.split(","))
    else:
        config = None if name is None else load_recipe(name)
    for key in _overridden(other_arguments):
        if config is None:
            raise UsageError(f"--config.{key} expects a recipe: --config=demo")
        _require_key(config.to_dict(), key)
    return config, other_arguments


def _load_recipes(names: Sequence[str]) -> ml_collections.ConfigDict:
    """Return the configs of recipes by their names, without folder and mode.

    Raises:
        UsageError: two have the same name, or one cannot be loaded.
    """
    configs = {}
    for name in names:
        key = find_recipe(name.partition(":")[0]).stem
        if key in configs:
            raise UsageError(
                f"--config has two recipes called {key}: expected each name "
                "once, as it names a folder"
            )
        configs[key] = load_recipe(name)
    return ml_collections.ConfigDict(configs)


def load_recipe(name: str) -> ml_collections.ConfigDict:
    """Return the config of a recipe; `NAME:MODE` passes it the mode.

    Raises:
        UsageError: there is no such recipe, or it is broken.
    """
    name, colon, mode = name.partition(":")
    path = find_recipe(name)
    quiet.import_tensorflow()  # The recipe imports it.
    # Not imported: Python's cache can miss a change within the same second.
    namespace: dict[str, Any] = {
        "__name__": "tfminilm_recipe",
        "__file__": path,
    }
    try:
        exec(compile(path.read_bytes(), path, "exec"), namespace)
        if "get_config" not in namespace:
            raise UsageError(
                "no get_config() in it, so it is no recipe; expected that "
                "function"
            )
        config = namespace["get_config"](*[mode] if colon else [])
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # A recipe is a program and may even exit.
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
    """Return the file of a recipe: a path, or the name of a shipped one.

    Raises:
        UsageError: there is no such recipe; the nearest name is given.
    """
    path = pathlib.Path(name)
    if path.is_file():
        return path
    recipes = {
        file.stem: file
        for root in _ROOTS
        for folder in _FOLDERS
        for file in sorted((root / folder).glob("*.py"))
    }
    if path.stem in recipes and path.suffix in ("", ".py"):
        return recipes[path.stem]
    near = difflib.get_close_matches(path.stem, recipes, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise UsageError(
        f"no recipe {name!r}: expected a file or one of {', '.join(recipes)}"
        f"{hint}"
    )


def keys(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple]:
    """Yield each dotted key of a recipe that can be a flag, and its value."""
    for key, value in config.items():
        if not key.isidentifier():
            continue
        if isinstance(value, Mapping):
            yield from keys(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _overridden(arguments: Sequence[str]) -> Iterator[str]:
    for argument in arguments:
        if match := re.match(r"--?config\.([^=]*)", argument):
            yield match[1]


def _require_key(config: Json, key: str) -> None:
    prefix = ""
    for part in key.split("."):
        if not isinstance(config, Mapping):
            raise UsageError(
                f"unknown key {key}: {prefix[:-1]} has no keys; remove what "
                "follows it"
            )
        if part not in config:
            near = difflib.get_close_matches(part, config, 1, 0.0)
            hint = f"; did you mean {prefix}{near[0]}?" if near else ""
            raise UsageError(f"unknown key {prefix}{part}{hint}")
        if not part.isidentifier():
            raise UsageError(
                f"{prefix}{part} can be no flag: expected {_OWN_RECIPE}"
            )
        config, prefix = config[part], f"{prefix}{part}."
    if isinstance(config, Mapping):
        examples = ", ".join(
            f"--config.{prefix}{part}" for part in config if part.isidentifier()
        )
        raise UsageError(
            f"{key} is no single value: expected {examples or _OWN_RECIPE}"
        )
