"""A table of bad inputs: what is given, and what the refusal has to say.

Each case is a command, the files that it finds, and words of the one line
that it ends with: the file's or flag's name, what is wrong, the remedy.
"""

import dataclasses
import json
import os
import pathlib
from collections.abc import Callable, Iterator

RECIPE = """
from tfminilm.train import recipe


def get_config(mode=""):
    return recipe.Recipe(
        name="tiny",
        teacher="tiny:bert",
        student=recipe.StudentSpec(
            num_layers=1, hidden_dim=24, intermediate_dim=48
        ),
        data=recipe.DataSpec(source="docs", sequence_length=16),
        train=recipe.TrainSpec(steps=2, batch_size=8, warmup_steps=1),
    ).config(mode)
"""


@dataclasses.dataclass(frozen=True)
class Case:
    """One bad input.

    Attributes:
        kind: what of a user's is bad.
        name: tells it from others of its kind.
        command: the arguments, in which `{}` is the folder of the case.
        words: of the refusal, in this order.
        prepare: makes the files in that folder.
        code: the exit code.
        environment: variables that are set.
    """

    kind: str
    name: str
    command: tuple[str, ...]
    words: tuple[str, ...]
    prepare: Callable[[pathlib.Path], None] = lambda folder: None
    code: int = 1
    environment: tuple[tuple[str, str], ...] = ()


def _plain_run() -> dict[str, str]:
    recipe = {"name": "demo", "teacher": "t", "train": {"steps": 10}}
    rows = [
        {"step": step, "split": "train", "loss": 1.0} for step in (5, 10, 15)
    ]
    model = {"precision": "float32", "flops": {"8": 1.0}, "file_bytes": 5}
    evaluation = {
        "rows": [{"model": name} | model for name in ("teacher", "student")]
    }
    return {
        "recipe.json": json.dumps(recipe),
        "metrics.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
        "evaluation.json": json.dumps(evaluation),
    }


def _run(folder: pathlib.Path) -> None:
    for name, text in _plain_run().items():
        (folder / name).write_text(text)


# What any file of JSON may be instead, and what is said of it.
_SPOILED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "it is no JSON"),
    "cut": (b'{"rows": [{"mod', "it is no JSON"),
    "no-text": (b"\xff\xfe\x00\x01", "it is not UTF-8"),
    "list-nested-deep": (b"[" * 200_000, "nested deeper than 64"),
    "object-nested-deep": (b'{"a":' * 50_000, "nested deeper than 64"),
    "closed-nested-deep": (b"[" * 90 + b"]" * 90, "nested deeper than 64"),
    "huge-number": (b'{"seed": ' + b"9" * 5_000 + b"}", "5,000 digits"),
    "negative-huge": (b'{"seed": -' + b"9" * 400 + b"}", "400 digits"),
    "half-surrogate": (b'{"name": "\\ud800"}', "half of a surrogate pair"),
    "surrogate-in-key": (b'{"\\udfff": 1}', "half of a surrogate pair"),
    "list": (b"[]", "expected an object"),
    "text": (b'"name"', "expected an object"),
    "null": (b"null", "expected an object"),
    "number": (b"7", "expected an object"),
}
_ONLY_FINITE = {
    "nan": (b'{"seed": NaN}', "expected a finite one"),
    "infinity": (b'{"seed": 1e999}', "expected a finite one"),
}
# Values of another type, by file.
_OTHER_TYPES: dict[str, tuple[tuple[str, str], ...]] = {
    "recipe.json": (
        ('{"name": 3}', "name is 3, expected text"),
        ('{"seed": "1"}', 'seed is "1", expected a whole number'),
        ('{"seed": true}', "seed is true, expected a whole number"),
        ('{"student": []}', "student is [], expected an object"),
        ('{"method": {"name": {}}}', "method.name is {}, expected text"),
        ('{"stages": [1]}', "stages is [1], expected an object"),
        ('{"stages": {"a": 1}}', "stages.a is 1, expected an object"),
        ('{"stages": {"../up": {}}}', "'../up' is no folder in"),
        ('{"stages": {"/tmp": {}}}', "'/tmp' is no folder in"),
        ('{"stages": {"..": {}}}', "'..' is no folder in"),
        ('{"stages": {"": {}}}', "'' is no folder in"),
        ('{"stages": {"a": {}}}', "none of its stages has begun"),
    ),
    "metrics.jsonl": (
        ('{"step": "1", "split": "train"}', 'step is "1"'),
        ('{"step": 1}', "split is missing"),
        ('{"split": "train"}', "step is missing"),
        ('{"step": 1.5, "split": "train"}', "step is 1.5"),
        ('{"step": null, "split": "train"}', "step is null"),
        ('{"step": 1, "split": ["train"]}', 'split is ["train"]'),
        ('{"step": -1, "split": "train"}', "a step is -1"),
        ('{"step": true, "split": "train"}', "step is true"),
    ),
    "evaluation.json": (
        ("{}", "rows is missing"),
        ('{"rows": {}}', "rows is {}, expected a list"),
        ('{"rows": [1]}', "rows[0] is 1, expected an object"),
        ('{"rows": [{}]}', "rows[0].model is missing"),
        (
            '{"rows": [{"model": 1, "precision": "a", "flops": {}}]}',
            "rows[0].model is 1, expected text",
        ),
        (
            '{"rows": [{"model": "a", "precision": "a", "flops": {"x": 1}}]}',
            "'x' is no length",
        ),
        (
            '{"rows": [{"model": "a", "precision": "a", "flops": {"8": []}}]}',
            "rows[0].flops.8 is [], expected a number",
        ),
        ('{"rows": [], "machine": "mine"}', 'machine is "mine"'),
        ('{"rows": [], "start": {"value_kl": "low"}}', "start.value_kl is"),
        (
            '{"rows": [], "attention_example": {"sentence": "a", "tokens": '
            '["a"], "teacher": [[[1, 2]]], "student": [[[1]]]}}',
            "its attention is not between 1 tokens",
        ),
        (
            '{"rows": [], "attention_example": {"sentence": "a", "tokens": '
            '["a"], "teacher": [], "student": []}}',
            "its attention is not between 1 tokens",
        ),
    ),
}


def _write(name: str, content: bytes) -> Callable[[pathlib.Path], None]:
    def prepare(folder: pathlib.Path) -> None:
        _run(folder)
        (folder / name).write_bytes(content)

    return prepare


def _odd(name: str, make: Callable[[pathlib.Path], None]) -> Callable:
    def prepare(folder: pathlib.Path) -> None:
        _run(folder)
        (folder / name).unlink()
        make(folder / name)

    return prepare


_ODD = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "folder": lambda path: path.mkdir(),
}


def files_of_a_run() -> Iterator[Case]:
    """`report` on a workdir of which one file is spoiled."""
    command = ("report", "--workdir={}", "--noevaluate")
    for file, others in _OTHER_TYPES.items():
        is_rows = file.endswith("l")
        spoiled = _SPOILED | ({} if is_rows else _ONLY_FINITE)
        for name, (content, words) in spoiled.items():
            if is_rows and not content:
                continue  # A run that has no rows yet.
            # A second line, as the last one may be torn.
            content += b"\n{}" if is_rows else b""
            yield Case(
                "files of a run",
                f"{file}-{name}",
                command,
                (file, words, "remove"),
                _write(file, content),
            )
        for number, (text, words) in enumerate(others):
            content = text.encode() + (b"\n{}" if is_rows else b"")
            yield Case(
                "files of a run",
                f"{file}-type-{number}",
                command,
                (words,) if "begun" in words else (file, words),
                _write(file, content),
            )
        for name, make in _ODD.items():
            if file == "recipe.json":
                words = "has no recipe.json"
            else:
                words = "is no regular file"
            yield Case(
                "pipes, devices and folders",
                f"{file}-{name}",
                command,
                (words,),
                _odd(file, make),
            )


_RECIPES: dict[str, tuple[str, tuple[str, ...]]] = {
    "exits-well": ("raise SystemExit(0)", ("recipe.py", "SystemExit: 0")),
    "exits": ("import sys\nsys.exit('bye')", ("recipe.py", "SystemExit: bye")),
    "exits-in-config": (
        "def get_config():\n    raise SystemExit",
        ("recipe.py", "SystemExit"),
    ),
    "other-end": ("raise GeneratorExit", ("recipe.py", "GeneratorExit")),
    "syntax": ("def get_config(:", ("recipe.py", "SyntaxError")),
    "null": ("\0", ("recipe.py", "null bytes")),
    "empty": ("", ("recipe.py", "no get_config()")),
    "no-config": ("def get_config():\n    return 3", ("returns a int",)),
    "nested-deep": ("x = " + "[" * 500 + "]" * 500, ("recipe.py", "nested")),
    "endless": (
        "def get_config():\n    return get_config()",
        ("recipe.py", "RecursionError"),
    ),
    "no-text": ("'\udcff'", ("recipe.py",)),
}


_NUMBERS = (
    ("train.steps", "1" + "0" * 20, "expected a number up to"),
    ("train.steps", "1" + "0" * 12, "1,000,000,000 or less"),
    ("train.steps", "-1", "1 or more"),
    ("train.steps", "9" * 5_000, "train.steps"),
    ("train.steps", "many", "invalid literal"),
    ("train.batch_size", "1" + "0" * 12, "10,000,000 or less"),
    ("train.learning_rate", "nan", "expected a number up to"),
    ("train.learning_rate", "inf", "expected a number up to"),
    ("train.learning_rate", "-1e-3", "0 or more"),
    ("train.weight_decay", "nan", "expected a number up to"),
    ("train.clip_norm", "1e400", "expected a number up to"),
    ("student.num_layers", "1000000", "1,000 or less"),
    ("student.hidden_dim", "1" + "0" * 15, "100,000 or less"),
    ("student.dropout", "nan", "expected a number up to"),
    ("student.init", "1,,2", "expected uniform"),
    ("student.init", "1," * 3_000 + "x", "expected uniform"),
    ("student.max_sequence_length", "9" * 12, "1,000,000 or less"),
    ("data.held_out_fraction", "nan", "expected a number up to"),
    ("data.sequence_length", "0", "expected 8 to"),
    ("data.mask_rate", "1", "above 0, below 1"),
    ("seed", "-1", "2**32 - 1"),
    ("seed", "99999999999", "2**32 - 1"),
)


def recipes() -> Iterator[Case]:
    """`distill` with a recipe that is none."""

    def write(text: str) -> Callable[[pathlib.Path], None]:
        return lambda folder: (folder / "recipe.py").write_bytes(
            text.encode("utf-8", "surrogateescape")
        )

    command = ("distill", "--config={}/recipe.py", "--workdir={}/run")
    for name, (text, words) in _RECIPES.items():
        yield Case("recipes", name, command, words, write(text), 2)
    for name, make in _ODD.items():
        yield Case(
            "pipes, devices and folders",
            f"recipe-{name}",
            command,
            ("no recipe", "recipe.py"),
            lambda folder, make=make: make(folder / "recipe.py"),
            2,
        )
    for key, value, words in _NUMBERS:
        yield Case(
            "numbers",
            f"{key}={value[:12]}, {len(value)}",
            (*command, f"--config.{key}={value}"),
            (key.rpartition(".")[2], words) if value[0] != "9" else (words,),
            write(RECIPE),
            2,
        )


def flags() -> Iterator[Case]:
    """Flags that are no such number, or a path that there cannot be."""
    run = ("--model=tiny:bert", "--workdir={}/run", "--task=sst2")
    for command, flag, value in (
        (("finetune", *run), "epochs", "1" + "0" * 20),
        (("finetune", *run), "epochs", "1.5"),
        (("finetune", *run), "learning_rate", "nan"),
        (("finetune", *run), "learning_rate", "inf"),
        (("finetune", *run), "warmup", "nan"),
        (("finetune", *run), "dropout", "-inf"),
        (("finetune", *run), "batch_size", "1" + "0" * 20),
        (("finetune", *run), "worker_timeout", "nan"),
        (("finetune", *run), "worker_timeout", "inf"),
        (("finetune", *run), "worker_timeout", "-1"),
        (("finetune", *run), "worker_timeout", "1e9"),
        (("finetune", *run), "seeds", "1,,2"),
        (("finetune", *run), "seeds", "1,1"),
        (("finetune", *run), "seeds", "9" * 5_000),
        (("finetune", *run), "max_examples", "-1"),
        (("finetune", *run), "strategy", "pods"),
        (("finetune", *run), "num_virtual_devices", "-1"),
        (("benchmark", "--model=a.tflite"), "repeats", "1" + "0" * 20),
        (("benchmark", "--model=a.tflite"), "repeats", "0"),
        (("benchmark", "--model=a.tflite"), "warmup", "1" + "0" * 20),
        (("describe", "--model=tiny:bert"), "lengths", "0"),
        (("describe", "--model=tiny:bert"), "lengths", "-5"),
        (("describe", "--model=tiny:bert"), "lengths", "1" + "0" * 20),
        (("describe", "--model=tiny:bert"), "lengths", "9" * 5_000),
        (("describe", "--model=tiny:bert"), "lengths", "many"),
        (("describe", "--model=tiny:bert"), "vocabulary_size", "0"),
    ):
        is_given = flag in ("lengths",)
        yield Case(
            "numbers",
            f"{command[0]}-{flag}={value[:12]}",
            (*command, f"--{flag}={value}"),
            (flag, "") if not is_given else (flag, "expected whole numbers"),
            code=1 if is_given else 2,
        )
    long = "x" * 5_000
    for name, command, words in (
        ("config", ("distill", f"--config={long}"), ("name too long",)),
        ("model", ("describe", f"--model={long}"), ("",)),
        ("workdir", ("report", f"--workdir={long}"), ("name too long",)),
        ("benchmark", ("benchmark", f"--model={long}"), ("name too long",)),
        ("command", (long,), ("unknown command",)),
        ("flag", ("report", f"--{long}"), ("too long",)),
    ):
        yield Case("long names", name, command, words, code=-1)


def clusters() -> Iterator[Case]:
    """`TF_CONFIG` that describes no cluster."""
    two = '{"cluster": {"worker": ["h:1", "h:2"]}, "task": %s}'
    for name, text, words in (
        ("text", "worker", ("TF_CONFIG", "no JSON")),
        ("list", "[1]", ("TF_CONFIG", "expected an object")),
        ("deep", "[" * 100_000, ("TF_CONFIG", "nested deeper")),
        ("cluster", '{"cluster": []}', ("TF_CONFIG", "cluster is []")),
        (
            "workers",
            '{"cluster": {"worker": "a:1"}}',
            ("TF_CONFIG", "cluster.worker is", "expected a list"),
        ),
        (
            "address",
            '{"cluster": {"worker": [1, 2]}}',
            ("TF_CONFIG", "cluster.worker[0] is 1, expected text"),
        ),
        ("task", two % "3", ("TF_CONFIG", "task is 3")),
        ("no-index", two % '{"type": "worker"}', ("task.index is missing",)),
        (
            "index",
            two % '{"type": "worker", "index": "0"}',
            ('task.index is "0", expected a whole number',),
        ),
        (
            "same-address",
            '{"cluster": {"worker": ["127.0.0.1:1", "127.0.0.1:1"]}, '
            '"task": {"type": "worker", "index": 0}}',
            ("address 127.0.0.1:1 is given to several workers",),
        ),
        (
            "port",
            '{"cluster": {"worker": ["h:99999", "h:1"]}, '
            '"task": {"type": "worker", "index": 0}}',
            ("'h:99999' is no address", "up to 65535"),
        ),
    ):
        yield Case(
            "clusters",
            name,
            ("distill", "--config={}/recipe.py", "--workdir={}/run"),
            words,
            lambda folder: (folder / "recipe.py").write_text(RECIPE),
            environment=(("TF_CONFIG", text),),
        )


CASES = (*files_of_a_run(), *recipes(), *flags(), *clusters())
