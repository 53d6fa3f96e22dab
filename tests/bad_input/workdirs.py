"""Bad workdirs and shards, and models that are none of a command's."""

import json
import pathlib
from collections.abc import Iterator

from bad_input_cases import RECIPE
from bad_input_damages import JSON, ODD, Spoil, Spoiled

_ABSENT = ("gone", "dangling-link", "link-to-itself", "folder")
_SHARD = {
    "format": 1,
    "tfminilm": "0.1.0",
    "dtype": "uint16",
    "train": {},
    "held_out": {},
}


_STAGES = (
    ("stages-list", {"stages": ["a"]}),
    ("stages-text", {"stages": "a"}),
    ("stages-outside", {"stages": {"../..": {}}}),
    ("stages-root", {"stages": {"/": {}}}),
    ("unfinished", {}),
)


def workdirs() -> Iterator[Spoiled]:
    """Commands on a workdir whose `recipe.json` is spoiled."""

    def prepare(name: str, spoil: Spoil) -> Spoil:
        def make(folder: pathlib.Path) -> None:
            (folder / "run").mkdir()
            (folder / "recipe.py").write_text(RECIPE)
            (folder / "run" / "recipe.json").write_text("{}")
            spoil(folder / "run" / name)

        return make

    for command in (
        ("describe", "--model={}/run"),
        (
            "export", "--model={}/run", "--config=export/android_int8.py",
            "--output={}/out",
        ),
        ("evaluate", "--model={}/run", "--task=sst2"),
        ("prepare", "--input=docs", "--output={}/out", "--tokenizer={}/run"),
        (
            "distill", "--config={}/recipe.py", "--workdir={}/other",
            "--config.teacher={}/run",
        ),
    ):  # fmt: skip
        for name, spoil in (JSON | ODD).items():
            yield Spoiled(
                "workdirs", f"{command[0]}-recipe-{name}", ("run",), command,
                prepare("recipe.json", spoil),
            )  # fmt: skip
        for name, value in _STAGES:
            text = json.dumps(value)
            yield Spoiled(
                "workdirs", f"{command[0]}-{name}", ("run",), command,
                prepare(
                    "recipe.json",
                    lambda path, text=text: path.write_text(text),
                ),
            )  # fmt: skip
    for file in ("recipe.json", "decisions.json"):
        for name, spoil in JSON.items():
            yield Spoiled(
                "workdirs", f"resumed-{file}-{name}", (file,),
                ("distill", "--config={}/recipe.py", "--workdir={}/run"),
                prepare(file, spoil), is_slow=True,
            )  # fmt: skip


def shards() -> Iterator[Spoiled]:
    """`distill` on shards whose manifest is spoiled."""

    def prepare(spoil: Spoil) -> Spoil:
        def make(folder: pathlib.Path) -> None:
            (folder / "shards").mkdir()
            (folder / "recipe.py").write_text(RECIPE)
            path = folder / "shards" / "manifest.json"
            path.write_text(json.dumps(_SHARD))
            spoil(path)

        return make

    def read(folder: pathlib.Path) -> object:
        from tfminilm.data import shards

        return shards.Manifest.load(folder / "shards")

    command = (
        "distill", "--config={}/recipe.py", "--workdir={}/run",
        "--config.data.source=shards:{}/shards",
    )  # fmt: skip
    for name, spoil in (JSON | ODD).items():
        yield Spoiled(
            "shards", f"read-manifest-{name}", ("shards",),
            prepare=prepare(spoil), call=read,
        )  # fmt: skip
        yield Spoiled(
            "shards", f"distill-manifest-{name}", ("shards",), command,
            prepare(spoil), is_slow=True,
        )  # fmt: skip
    for key in _SHARD:
        for name, value in (
            ("null", None),
            ("number", -2.5),
            ("list", [[]]),
            ("true", True),
        ):
            text = json.dumps(_SHARD | {key: value})
            yield Spoiled(
                "shards", f"{key}-{name}", ("shards",),
                prepare=prepare(lambda path, text=text: path.write_text(text)),
                call=read,
            )  # fmt: skip


def no_models() -> Iterator[Spoiled]:
    """A model that is no model, for each command that takes one."""
    for command in (
        ("describe",),
        ("evaluate", "--task=stsb"),
        ("evaluate", "--task=sst2"),
        ("export", "--config=export/android_int8.py", "--output={}/out"),
        ("benchmark",),
        ("finetune", "--task=sst2", "--workdir={}/run"),
    ):
        for name, value in (
            ("nothing", "{}/gone"),
            ("a-text", "{}/a.txt"),
            ("an-empty-folder", "{}/empty"),
            ("a-pipe", "{}/pipe"),
            ("a-device", "/dev/null"),
            ("unknown-name", "bert_of_nobody"),
            ("unknown-tiny", "tiny:gpt"),
            ("no-package", "package:no_such_package/a"),
            ("up", "package:json/../.."),
            ("long", "x" * 4_000),
            ("blank", " "),
            ("null", "a\0b"),
            ("other-scheme", "ftp://nowhere/a"),
        ):
            yield Spoiled(
                "models that are none", f"{'-'.join(command[:2])}-{name}",
                ("",), (*command, f"--model={value}"), _odd_models,
            )  # fmt: skip


def _odd_models(folder: pathlib.Path) -> None:
    (folder / "a.txt").write_text("no model")
    (folder / "empty").mkdir()
    ODD["pipe"](folder / "pipe")


CASES = (*workdirs(), *shards(), *no_models())
