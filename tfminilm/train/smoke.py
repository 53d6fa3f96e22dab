"""Shrink recipes to runs of seconds that need no files and no network."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from tfminilm import families, teachers
from tfminilm.data.parallel import Pair
from tfminilm.tasks.kinds import kind_of
from tfminilm.tasks.task import Task
from tfminilm.teachers.tiny import SIZES
from tfminilm.train.stage import INITS, PARALLEL, DataSpec, Stage, StudentSpec

_COUNT = 12
_LAYERS = 2


def shrink(stages: Mapping[str, Stage]) -> dict[str, Any]:
    """Return the stages with little of everything.

    Teachers that are not earlier stages are small random ones, so nothing is
    learnt; but every step of the run is made.
    """
    return {name: _shrunk(stage, stages) for name, stage in stages.items()}


def examples(task: Task) -> list[Any]:
    """Make up a few examples of a task."""
    kind = kind_of(task)
    return [kind.made_up_example(task, index) for index in range(_COUNT)]


def pairs() -> list[Pair]:
    """Make up texts and something like their translations."""
    return [
        Pair(f"number {number} is here", f"nummer {number} ist hier")
        for number in range(4 * _COUNT)
    ]


def _shrunk(stage: Stage, stages: Mapping[str, Stage]) -> Stage:
    student = _student(stage.student)
    for key in ("init_from", "tokenizer"):
        if getattr(student, key) not in stages:
            student = dataclasses.replace(student, **{key: ""})  # type: ignore
    masked_lm = teachers.TINY + families.DEFAULT.tokens.tiny
    data = dataclasses.replace(
        stage.data,
        source=_source(stage.data),
        folder=teachers.TINY if stage.data.task else "",
        sequence_length=64 if stage.data.task else 32,
        teacher_length=0,
        max_tokens=20_000,
        max_examples=64,
        unlabeled="",
        teacher_outputs="",
        augment_copies=min(stage.data.augment_copies, 1),
        replace_words=False,
        masked_lm=stage.data.masked_lm and masked_lm,
        word_vectors="",
        held_out_fraction=0.2,
    )
    train = dataclasses.replace(
        stage.train,
        steps=4,
        batch_size=2,
        gradient_accumulation=1,
        steps_per_execution=1,
        warmup_steps=1,
        log_every=2,
        held_out_sequences=2,
        precision="float32",
    )
    family = families.of_student(stage.student.kind)
    tiny = teachers.TINY + family.tokens.tiny
    layer = getattr(stage.method, "layer", None) or 0
    return dataclasses.replace(
        stage,
        skip=stage.skip or layer >= _LAYERS,
        teacher=stage.teacher if stage.teacher in stages else tiny,
        more_teachers="",
        teacher_weights="",
        student=student,
        method=_method(stage.method),
        data=data,
        train=train,
    )


def _source(data: DataSpec) -> str:
    if data.translations:
        return PARALLEL + teachers.TINY
    return data.source if data.task else "docs"


def _student(spec: StudentSpec) -> StudentSpec:
    """Return a student as wide as the small teachers, or narrower if pruned."""
    return dataclasses.replace(
        spec,
        num_layers=_LAYERS,
        hidden_dim=48,
        intermediate_dim=48 if spec.init == "pruned" else 96,
        embedding_dim=16,
        lstm_units=8,
        bottleneck_dim=24,
        init=spec.init if spec.init in INITS else "uniform",
    )


def _method(method: Any) -> Any:
    """Return a method whose layer and heads the small teachers have."""
    changes = {}
    if getattr(method, "teacher_layer", -1) >= SIZES["num_layers"]:
        changes["teacher_layer"] = SIZES["num_layers"] - 2
    if SIZES["hidden_dim"] % getattr(method, "num_relation_heads", 1):
        changes["num_relation_heads"] = SIZES["num_heads"]
    return dataclasses.replace(method, **changes) if changes else method
