"""Check what a recipe says: ranges, data, and how stages build on others."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

from tfminilm import families
from tfminilm.config import RUN_FOLDERS, is_stage_name, names_in
from tfminilm.errors import UsageError, UserError
from tfminilm.train.stage import (
    ATTENTION_INPUTS,
    AUGMENTATIONS,
    AUTO,
    LABEL_KINDS,
    OPTIMIZERS,
    PRECISIONS,
    SOFT_LABELS,
    SPARSITY_SCHEDULES,
    Stage,
    StudentSpec,
)

_AT_LEAST_ONE = (
    "student.num_layers student.hidden_dim student.num_heads "
    "student.intermediate_dim student.embedding_dim student.lstm_units "
    "student.bottleneck_dim student.max_sequence_length train.steps "
    "train.batch_size train.gradient_accumulation "
    "train.steps_per_execution train.log_every "
    "train.evaluate_every train.checkpoint_every train.keep_checkpoints "
    "train.held_out_sequences"
).split()
# More of these would not end, or no memory would hold them.
_AT_MOST = {
    "student.num_layers": 1_000,
    "student.hidden_dim": 100_000,
    "student.num_heads": 1_000,
    "student.intermediate_dim": 1_000_000,
    "student.embedding_dim": 100_000,
    "student.lstm_units": 100_000,
    "student.bottleneck_dim": 100_000,
    "student.num_feedforwards": 1_000,
    "student.max_sequence_length": 1_000_000,
    "train.steps": 1_000_000_000,
    "train.batch_size": 10_000_000,
    "train.gradient_accumulation": 1_000_000,
    "train.steps_per_execution": 1_000_000,
    "train.keep_checkpoints": 1_000_000,
    "train.held_out_sequences": 1_000_000_000,
    "data.augment_copies": 10_000,
}
_NOT_NEGATIVE = (
    "student.num_feedforwards data.max_tokens data.max_examples "
    "data.teacher_length data.mask_smoothing "
    "data.augment_copies train.warmup_steps train.weight_decay "
    "train.clip_norm train.learning_rate train.patience"
).split()


def check_ranges(stage: Stage, prefix: str) -> None:
    """Refuse values that no run can have.

    Args:
        stage: one stage.
        prefix: what stands before its keys in the recipe.

    Raises:
        UsageError: one is out of its range.
    """

    def value(name: str) -> Any:
        return functools.reduce(getattr, name.split("."), stage)

    def require(is_right: bool, name: str, expected: str) -> None:
        if not is_right:
            raise UsageError(
                f"recipe: {prefix}{name} is {value(name)!r}, "
                f"expected {expected}"
            )

    for name in _AT_LEAST_ONE:
        require(value(name) >= 1, name, "1 or more")
    for name in _NOT_NEGATIVE + _weights(stage.method):
        require(value(name) >= 0, name, "0 or more")
    for name, most in _AT_MOST.items():
        require(value(name) <= most, name, f"{most:,} or less")
    for name, choices in (
        ("train.optimizer", OPTIMIZERS),
        ("train.precision", PRECISIONS),
        ("student.kind", families.STUDENT_KINDS),
        ("student.attention_input", ATTENTION_INPUTS),
        ("data.augmentation", AUGMENTATIONS),
        ("data.label_kind", LABEL_KINDS),
        ("data.soft_labels", SOFT_LABELS),
        ("compress.sparsity_schedule", SPARSITY_SCHEDULES),
    ):
        expected = " or ".join(filter(None, choices))
        require(value(name) in choices, name, expected)
    if stage.student.init == "pruned":
        for name in ("data.teacher_outputs", "more_teachers"):
            expected = "nothing: student.init=pruned needs its teacher's inside"
            require(not value(name), name, expected)
    share = value("data.oversampling")
    require(0 <= share <= 1, "data.oversampling", "0 to 1")
    _check_student(stage, require)
    _check_bounds(stage, require)
    student = stage.student
    for read in (student.init_layers, student.frozen_parts, stage.train.shares):
        try:
            read()
        except UsageError as error:
            text = str(error).replace("recipe: ", f"recipe: {prefix}")
            raise UsageError(text) from None


def _check_student(
    stage: Stage, require: Callable[[bool, str, str], None]
) -> None:
    """Check the student's shape, and what excludes each other."""
    student, compress = stage.student, stage.compress
    family = families.of_student(student.kind)
    is_new = student.init == "random" and not student.frozen
    require(
        family.is_encoder or is_new,
        "student.kind",
        "an encoder, to be initialised or frozen",
    )
    is_compressed = compress.sparsity or compress.quantization_aware
    require(
        family.is_encoder or not is_compressed,
        "student.kind",
        "an encoder, to be compressed",
    )
    is_pruned = student.init == "pruned"
    require(
        not is_pruned or not student.init_from,
        "student.init_from",
        "nothing: the teacher is pruned",
    )
    require(
        is_pruned or not student.kept_heads,
        "student.kept_heads",
        "0, or student.init=pruned",
    )
    most = student.num_heads
    require(
        0 <= student.kept_heads <= most, "student.kept_heads", f"0 to {most}"
    )
    width = family.split_width
    is_divisible = getattr(student, width) % student.num_heads == 0
    require(
        not family.is_encoder or is_divisible,
        f"student.{width}",
        f"a multiple of student.num_heads ({student.num_heads})",
    )
    require(0 <= student.dropout < 1, "student.dropout", "0 to 1")


def _check_bounds(
    stage: Stage, require: Callable[[bool, str, str], None]
) -> None:
    """Check numbers that have two bounds, or that go together."""
    train, data, compress = stage.train, stage.data, stage.compress
    require(
        train.batch_size % train.gradient_accumulation == 0,
        "train.batch_size",
        "a multiple of train.gradient_accumulation "
        f"({train.gradient_accumulation})",
    )
    several = train.steps_per_execution
    for name in ("steps", "log_every", "evaluate_every", "checkpoint_every"):
        require(
            getattr(train, name) % several == 0,
            f"train.{name}",
            f"a multiple of train.steps_per_execution ({several})",
        )
    require(
        several == 1 or not compress.sparsity,
        "train.steps_per_execution",
        "1 with compress.sparsity, which prunes after each step",
    )
    most = stage.student.max_sequence_length
    fits = 8 <= data.sequence_length <= most
    require(fits, "data.sequence_length", f"8 to {most}")
    is_fraction = 0 < data.held_out_fraction <= 0.5
    require(is_fraction, "data.held_out_fraction", "0 to 0.5, above 0")
    is_share = 0 <= compress.sparsity < 1
    require(is_share, "compress.sparsity", "0 to 1, below 1")
    is_share = 0 <= train.final_rate <= 1
    require(is_share, "train.final_rate", "0 to 1")
    require(0 < train.beta_2 < 1, "train.beta_2", "above 0, below 1")
    require(0 < data.mask_rate < 1, "data.mask_rate", "above 0, below 1")
    require(
        not (data.mask_smoothing and data.whole_words),
        "data.mask_smoothing",
        "0, or data.whole_words=False",
    )


def check_data(stage: Stage) -> None:
    """Refuse data that a stage's method cannot learn from.

    Raises:
        UserError: saying what is expected.
    """
    data, reads = stage.data, stage.method.reads
    name = type(stage.method).__name__
    if reads == "labels" and not data.task:
        raise UserError(
            f"recipe: {name} learns a task: data.source is {data.source!r}, "
            "expected task:NAME, such as task:sst2"
        )
    if data.teacher_outputs and not data.has_texts:
        raise UserError(
            f"recipe: data.teacher_outputs is {data.teacher_outputs!r}, and "
            "data.source packed text, of which nothing is kept: expected a "
            "task, or data.sentences=True"
        )
    if stage.reads_masked and data.has_texts:
        raise UserError(
            f"recipe: {name} learns from masked text: expected data.source to "
            "be text, and no data.sentences"
        )


def check_stages(stages: Mapping[str, Stage]) -> None:
    """Refuse names that are no folders, and models from later stages.

    Raises:
        UsageError: naming the stage.
    """
    done: list[str] = []
    for name, stage in stages.items():
        if not is_stage_name(name):
            raise UsageError(
                f"recipe: no stage can be called {name!r}, as its folder "
                "would be; expected letters, digits, - and _, but not "
                f"{', '.join(RUN_FOLDERS)}"
            )
        for key, source in stage.sources.items():
            if source in stages and source not in done:
                itself = "itself" if source == name else "a later stage"
                raise UsageError(
                    f"recipe: stages.{name}.{key} is {source!r}, {itself}; "
                    f"expected a model, or an earlier stage"
                    + (f" ({', '.join(done)})" if done else "")
                )
        for other in names_in(stage.more_teachers):
            if other in stages:
                raise UsageError(
                    f"recipe: stages.{name}.more_teachers names the stage "
                    f"{other!r}: expected models"
                )
        outputs = stage.data.teacher_outputs
        if stage.teacher in done and outputs not in ("", AUTO):
            raise UsageError(
                f"recipe: stages.{name}.data.teacher_outputs is {outputs!r}, "
                f"but its teacher is an earlier stage, {stage.teacher}: "
                f"expected {AUTO!r}, or nothing"
            )
        start = stage.student.init_from
        is_trimmed = start in done and stages[start].compress.trim_vocabulary
        if is_trimmed and start not in (
            stage.teacher,
            stage.student.tokenizer,
        ):
            raise UsageError(
                f"recipe: stages.{name}.student.init_from is {start!r}, "
                "whose vocabulary is trimmed, and no more its teacher's: set "
                f"compress.trim_vocabulary in {name!r}, not in {start!r}"
            )
        done.append(name)


def kept(stages: Mapping[str, Stage]) -> dict[str, Stage]:
    """Return the stages that are not skipped; later ones start in their place.

    Raises:
        UsageError: all are to be skipped, or one is a later stage's teacher.
    """
    left: dict[str, Stage] = {}
    skipped: dict[str, StudentSpec] = {}
    for name, stage in stages.items():
        student = stage.student
        if before := skipped.get(student.init_from):
            student = dataclasses.replace(
                student, init=before.init, init_from=before.init_from
            )
        if stage.skip:
            skipped[name] = student
        elif stage.teacher in skipped:
            raise UsageError(
                f"recipe: stages.{stage.teacher} is skipped, but it is the "
                f"teacher of stages.{name}: skip that, too, or give it another"
            )
        else:
            left[name] = dataclasses.replace(stage, student=student)
    if stages and not left:
        raise UsageError(
            "recipe: all its stages are skipped; expected one that is not"
        )
    return left


def _weights(method: Any) -> list[str]:
    """Return the names of a method's weights."""
    return [
        f"method.{field.name}"
        for field in dataclasses.fields(method)
        if field.name.endswith("weight")
    ]
