"""Flags, keys of recipes, targets and variables that are none."""

import pathlib
from collections.abc import Iterator

from bad_input_cases import RECIPE
from bad_input_damages import Spoiled

COMMANDS = (
    "prepare",
    "distill",
    "finetune",
    "evaluate",
    "export",
    "benchmark",
    "describe",
    "report",
)
# Of each command: what it needs, so that only the one flag is wrong.
_GIVEN = {
    "prepare": ("--input=docs", "--output={}/out", "--tokenizer=tiny:bert"),
    "distill": ("--config={}/recipe.py", "--workdir={}/run"),
    "finetune": ("--model=tiny:bert", "--workdir={}/run", "--task=sst2"),
    "evaluate": ("--model=tiny:bert", "--task=stsb"),
    "export": (
        "--model=tiny:bert",
        "--config=export/android_int8.py",
        "--output={}/out",
    ),
    "benchmark": ("--model={}/a.tflite",),
    "describe": ("--model=tiny:bert",),
    "report": ("--workdir={}/run",),
}
_INTEGERS = {
    "prepare": ("sequence_length", "seed", "masked_copies"),
    "distill": ("num_virtual_devices",),
    "finetune": (
        "epochs",
        "batch_size",
        "max_length",
        "doc_stride",
        "max_examples",
        "num_virtual_devices",
    ),
    "evaluate": ("max_examples",),
    "export": ("max_examples",),
    "benchmark": ("repeats", "warmup"),
    "describe": ("vocabulary_size",),
    "report": (),
}
_FLOATS = {
    "prepare": ("held_out_fraction", "shard_megabytes", "mask_rate"),
    "distill": ("worker_timeout",),
    "finetune": (
        "learning_rate",
        "warmup",
        "weight_decay",
        "dropout",
        "worker_timeout",
    ),
    "export": ("budget_mb", "max_drop"),
}
_CHOICES = {
    "prepare": ("duplicates",),
    "distill": ("strategy", "cluster"),
    "finetune": ("strategy", "cluster", "precision", "kind"),
    "evaluate": ("pooling", "kind"),
    "export": ("kind",),
}
_SWITCHES = {
    "prepare": ("whole_words", "next_sentence"),
    "distill": ("xla",),
    "finetune": ("xla", "skip_bad_answers"),
    "evaluate": ("skip_bad_answers",),
    "export": ("skip_bad_answers",),
    "benchmark": ("operators",),
    "describe": ("json",),
    "report": ("evaluate",),
}


def _recipe(folder: pathlib.Path) -> None:
    (folder / "recipe.py").write_text(RECIPE)


def flags() -> Iterator[Spoiled]:
    """A flag of each command in turn that has no such value."""

    def case(command: str, name: str, *more: str, word: str, given=True):
        own = _GIVEN[command] if given else ()
        return Spoiled(
            "flags", f"{command}-{name}", (word,),
            (command, *own, *more), _recipe,
        )  # fmt: skip

    for command in COMMANDS:
        yield case(command, "unknown", "--no_such=1", word="no_such")
        yield case(command, "misspelt", "--modle=a", word="modle")
        yield case(command, "argument", "more", word="more")
        yield case(command, "nothing", given=False, word=command)
        yield case(command, "flagfile", "--flagfile={}/gone", word="gone")
        for name in _INTEGERS.get(command, ()):
            for value in ("many", "1.5", "1e3", "", "9" * 400, "--2"):
                yield case(
                    command, f"{name}={value[:9]}", f"--{name}={value}",
                    word=name,
                )  # fmt: skip
        for name in _FLOATS.get(command, ()):
            for value in ("much", "", "nan", "-inf", "1e999", "1,5", "5%"):
                yield case(
                    command, f"{name}={value}", f"--{name}={value}", word=name
                )
        for name in _CHOICES.get(command, ()):
            for value in ("neither", "", "a,b"):
                if (name, value) == ("cluster", ""):
                    continue
                yield case(
                    command, f"{name}={value}", f"--{name}={value}", word=name
                )
        for name in _SWITCHES.get(command, ()):
            yield case(command, f"{name}=maybe", f"--{name}=maybe", word=name)


_WHOLE = (
    "student.num_layers",
    "student.hidden_dim",
    "student.intermediate_dim",
    "train.steps",
    "train.batch_size",
    "train.warmup_steps",
    "data.sequence_length",
    "seed",
)
_REAL = (
    "train.learning_rate",
    "train.weight_decay",
    "train.clip_norm",
    "student.dropout",
    "data.held_out_fraction",
    "data.mask_rate",
)


def keys() -> Iterator[Spoiled]:
    """A key of a recipe in turn that has no such value."""

    def case(key: str, value: str, word: str = "") -> Spoiled:
        return Spoiled(
            "keys of recipes", f"{key}={value[:9]}",
            (word or key.rpartition(".")[2],),
            (*("distill", *_GIVEN["distill"]), f"--config.{key}={value}"),
            _recipe,
        )  # fmt: skip

    for key in _WHOLE:
        for value in ("many", "1.5", "", "-3", "1e3", "None", "1,2"):
            yield case(key, value)
    for key in _REAL:
        for value in ("much", "", "nan", "-inf", "-0.5", "1,5"):
            yield case(key, value)
    for key, value in (
        ("student.kind", "gpt"),
        ("student.kind", ""),
        ("student.activation", "none"),
        ("method.name", "magic"),
        ("method.name", ""),
        ("data.source", ""),
        ("data.source", "{}/gone"),
        ("data.source", "tfds:"),
        ("data.source", "shards:{}/gone"),
        ("data.source", "shards:"),
        ("teacher", ""),
        ("teacher", "{}/gone"),
        ("teacher", "package:no_such_package/a"),
        ("teacher", "package:"),
        ("teacher", "package:../.."),
        ("teacher", "package:json/../../.."),
        ("teacher", "tiny:gpt"),
        ("teacher", "bert_no_such_name"),
        ("teacher", "a\0b"),
        ("student.init", "middle"),
        ("student.init", "99"),
        ("train.precision", "float8"),
        ("train.schedule", "up"),
        ("data.no_such", "1"),
        ("student", "1"),
        ("student.num_layers.more", "1"),
        ("", "1"),
        (".", "1"),
    ):
        word = "" if key.strip(".") and "teach" not in key else "e"
        yield case(key, value, word if "source" not in key else "t")


_KEYS = (
    ("format", "tflite3"),
    ("format", ""),
    ("precision", "int3"),
    ("precision", ""),
    ("lengths", "0"),
    ("lengths", "-1"),
    ("lengths", "a"),
    ("lengths", "(10**9,)"),
    ("lengths", "()"),
    ("tolerance", "nan"),
    ("tolerance", "-1"),
    ("no_such", "1"),
    ("activations", "int2"),
)
_PLACES = (
    ("a-file", "a.txt", "a.txt"),
    ("a-full-folder", "full", "full"),
    ("below-a-file", "a.txt/b", "a.txt"),
    ("a-link", "link", "link"),
    ("a-pipe", "pipe", "pipe"),
    ("proc", "/proc/none", "/proc/none"),
    ("long", "x" * 300, "x"),
)


def targets() -> Iterator[Spoiled]:
    """`export` for a target that is none."""
    for name, text, word in (
        ("empty", "", "target.py"),
        ("list", "def get_config():\n    return []", "target.py"),
        ("fails", "1/0", "target.py"),
        ("exits", "raise SystemExit(0)", "target.py"),
        ("deep", "x = " + "(" * 900 + ")" * 900, "target.py"),
    ):
        yield Spoiled(
            "targets", name, (word,),
            (
                "export", "--model=tiny:bert", "--config={}/target.py",
                "--output={}/out",
            ),
            lambda folder, text=text: (
                folder / "target.py"
            ).write_text(text),
        )  # fmt: skip
    for key, value in _KEYS:
        yield Spoiled(
            "targets", f"{key}={value}", (key,),
            ("export", *_GIVEN["export"], f"--config.{key}={value}"),
        )  # fmt: skip


def places() -> Iterator[Spoiled]:
    """Commands that are to write where they cannot."""
    for name, output, word in _PLACES:
        for command in ("export", "prepare", "distill", "finetune"):
            late = name in ("a-full-folder", "a-link", "proc")
            if late and command == "finetune":
                continue  # It reads its data first.
            flag = "output" if command in ("export", "prepare") else "workdir"
            given = [a for a in _GIVEN[command] if f"--{flag}=" not in a]
            place = output if output[0] == "/" else "{}/" + output
            yield Spoiled(
                "places to write", f"{command}-{name}", (word,),
                (command, *given, f"--{flag}={place}"), _places,
                is_slow=command == "export"
                or (late and command == "distill"),
            )  # fmt: skip


def _places(folder: pathlib.Path) -> None:
    import os

    _recipe(folder)
    (folder / "a.txt").write_text("mine")
    (folder / "full").mkdir()
    (folder / "full" / "thesis.txt").write_text("mine")
    (folder / "full" / "metrics.jsonl").write_text("mine")
    (folder / "link").symlink_to(folder / "full")
    os.mkfifo(folder / "pipe")


_CLUSTER = '{"cluster": {"worker": ["h:1", "h:2"]}, "task": %s}'


def variables() -> Iterator[Spoiled]:
    """`TF_CONFIG` that describes no cluster."""
    worker = '{"type": "worker", "index": %s}'
    for name, text in (
        ("one", "1"),
        ("true", "true"),
        ("quotes", "{'cluster': {}}"),
        ("cut", _CLUSTER[:30]),
        ("digits", '{"a": ' + "9" * 5_000 + "}"),
        ("nan", '{"a": NaN}'),
        ("surrogate", '{"a": "\\ud800"}'),
        ("cluster-null", '{"cluster": null}'),
        ("cluster-text", '{"cluster": "a"}'),
        ("worker-null", '{"cluster": {"worker": null}}'),
        ("worker-object", '{"cluster": {"worker": {"0": "h:1"}}}'),
        ("address-null", '{"cluster": {"worker": [null, null]}}'),
        ("address-list", '{"cluster": {"worker": [["h:1"]]}}'),
        ("index-null", _CLUSTER % (worker % "null")),
        ("index-real", _CLUSTER % (worker % "0.5")),
        ("index-true", _CLUSTER % (worker % "true")),
        ("index-list", _CLUSTER % (worker % "[0]")),
        ("index-high", _CLUSTER % (worker % "2")),
        ("index-low", _CLUSTER % (worker % "-1")),
        ("type-number", _CLUSTER % '{"type": 1, "index": 0}'),
        ("type-unknown", _CLUSTER % '{"type": "king", "index": 0}'),
        ("task-text", _CLUSTER % '"worker"'),
        ("task-list", _CLUSTER % "[]"),
    ):
        yield Spoiled(
            "variables", f"TF_CONFIG-{name}", ("TF_CONFIG",),
            ("distill", *_GIVEN["distill"]), _recipe,
            environment=(("TF_CONFIG", text),),
        )  # fmt: skip


CASES = (*flags(), *keys(), *targets(), *places(), *variables())
