"""Choose lengths, epochs, steps and the student; say why."""

import dataclasses
import math
import pprint
import textwrap
from typing import Any

import numpy as np

from tfminilm import methods
from tfminilm.errors import UserError
from tfminilm.pipeline.options import Options
from tfminilm.train.recipe import (
    DataSpec,
    Recipe,
    Stage,
    StudentSpec,
    TrainSpec,
)
from tfminilm.train.stage import HEAD

# Tokens that a text is cut to unless told otherwise: attention's cost grows
# with the square.
_MOST_TOKENS = 256
_SHARE_WHOLE = 0.99
# Fewer steps do not fit a head, more rounds do not help it. Many classes need
# more: with 50 of them, 400 steps taught 56 % of TREC's questions, 1,200 88 %.
_FEWEST_STEPS, _MOST_EPOCHS, _FEWEST_EPOCHS = 400, 15, 3
_STEPS_A_CLASS = 30
# The student has more to learn than the teacher: it loses layers. What the
# teacher says of texts it learned from is hardly more than their labels; of
# others it is, and each has to be seen.
_STUDENT_ROUNDS = 2
# Narrow models take longer steps. A new head has more to learn: with ten times
# the rate, 4 rounds taught as much of TREC's 50 classes as 8 without.
_WIDE, _RATE_OF_WIDE, _RATE = 512, 5e-5, 1e-4
STUDENT_RATE, HEAD_RATE = 2, 10.0
_TEXT_TOKENS = 2_000_000
_LABELLED = methods.SoftTargets(temperature=2.0, alpha=0.5)
# Texts without labels have the teacher's answers and states. With these, 800
# steps taught as much of the names in UNER's texts as 1,500 did without.
_UNLABELLED = methods.TinyBERT(
    embedding_weight=0.0,
    hidden_weight=2.0,
    attention_weight=0.0,
    prediction_weight=1.0,
    temperature=2.0,
    projection="none",
)


@dataclasses.dataclass(frozen=True)
class Plan:
    """Hold what was chosen, and the reason of each choice by its name.

    `round_steps` are those of one round of the labelled texts.
    """

    max_length: int
    epochs: int
    learning_rate: float
    student: dict[str, int | str]
    student_steps: int
    reasons: dict[str, str]
    round_steps: int = 1

    def lines(self) -> list[str]:
        """Return each choice with its reason, one a line."""
        student = self.student
        shown = {
            "max_length": self.max_length,
            "epochs": self.epochs,
            "learning_rate": f"{self.learning_rate:g}",
            "student": f"{student['num_layers']} layers of "
            f"{student['hidden_dim']}",
            "student_steps": f"{self.student_steps:,}",
        }
        return [f"{k} {shown[k]}: {why}" for k, why in self.reasons.items()]


def plan(
    options: Options,
    lengths: np.ndarray,
    examples: int,
    teacher: dict[str, Any],
    longest: int,
    classes: int = 0,
    unlabelled: int = 0,
) -> Plan:
    """Choose what the options leave open.

    Args:
        options: the user's.
        lengths: `[examples]`, tokens of each text.
        examples: how many there are to train on.
        teacher: its `kind`, `num_layers`, `hidden_dim`, `num_heads` and
            `intermediate_dim`.
        longest: tokens that the teacher has positions for.
        classes: of the labels; 0 for numbers.
        unlabelled: how many texts there are besides, for the student.

    Raises:
        UserError: an option is beyond what the teacher has.
    """
    each = math.ceil(examples / options.batch_size)
    reasons = {}
    max_length, reasons["max_length"] = _length(options, lengths, longest)
    epochs, reasons["epochs"] = _rounds(options, examples, each, classes)
    rate, reasons["learning_rate"] = _rate(options, teacher["hidden_dim"])
    layers = options.num_layers or max(1, teacher["num_layers"] // 2)
    if layers > teacher["num_layers"]:
        raise UserError(
            f"--num_layers is {layers}, but the teacher has "
            f"{teacher['num_layers']}: give that or less"
        )
    reasons["student"] = (
        "as told"
        if options.num_layers
        else f"half of the teacher's {teacher['num_layers']} layers"
    )
    whole = math.ceil((examples + unlabelled) / options.batch_size)
    steps = _STUDENT_ROUNDS * max(epochs * each, whole)
    reasons["student_steps"] = (
        f"{_STUDENT_ROUNDS} times the teacher's"
        if epochs * each >= whole
        else f"{_STUDENT_ROUNDS} rounds of all {examples + unlabelled:,} texts"
    )
    return Plan(
        max_length,
        epochs,
        rate,
        {**teacher, "num_layers": layers},
        steps,
        reasons,
        each,
    )


def _length(
    options: Options, lengths: np.ndarray, longest: int
) -> tuple[int, str]:
    """Choose the tokens that texts are cut to, and say why."""
    if options.max_length > longest:
        raise UserError(
            f"--max_length is {options.max_length}, but the teacher has "
            f"positions for {longest}: give {longest} or less"
        )
    if options.max_length:
        return options.max_length, "as told"
    need = math.ceil(np.quantile(lengths, _SHARE_WHOLE))
    most = min(_MOST_TOKENS, longest)
    max_length = min(max(16, 8 * math.ceil(need / 8)), most)
    cut = np.mean(lengths > max_length)
    return max_length, (
        f"99 of 100 texts have up to {need} tokens; {cut:.1%} are cut"
    )


def _rounds(
    options: Options, examples: int, each: int, classes: int
) -> tuple[int, str]:
    """Choose the teacher's rounds, of `each` steps, and say why."""
    if options.epochs:
        return options.epochs, "as told"
    fewest = max(_FEWEST_STEPS, _STEPS_A_CLASS * classes)
    epochs = math.ceil(fewest / each)
    of_what = f" of {classes} classes" if classes else ""
    return min(max(epochs, _FEWEST_EPOCHS), _MOST_EPOCHS), (
        f"{examples:,} texts{of_what} need {fewest:,} steps or more, "
        f"{each} a round"
    )


def _rate(options: Options, width: int) -> tuple[float, str]:
    """Choose the teacher's learning rate, and say why."""
    if options.learning_rate:
        return options.learning_rate, "as told"
    rate = _RATE if width <= _WIDE else _RATE_OF_WIDE
    return rate, (
        f"for a teacher of {width}; the student's is twice, a new head's "
        f"{HEAD_RATE:g} times as high"
    )


def within(chosen: Plan, seconds_a_step: float, seconds: float) -> Plan:
    """Shorten the student's training to the time that is left.

    It learns for a round of labelled texts at least, whatever time is left.

    Args:
        chosen: the plan so far.
        seconds_a_step: of the teacher's fine-tuning; the student's forward
            and backward pass and the teacher's forward pass cost as much.
        seconds: that are left for the student.
    """
    # With less than a round nothing is learned, and nothing compared.
    steps = max(1, chosen.round_steps, int(seconds / max(seconds_a_step, 1e-9)))
    if steps >= chosen.student_steps:
        return chosen
    reasons = chosen.reasons | {
        "student_steps": f"{max(seconds, 0) / 60:.0f} minutes are left at "
        f"{seconds_a_step:.2f} s a step; one round at least"
    }
    return dataclasses.replace(chosen, student_steps=steps, reasons=reasons)


def recipe(
    chosen: Plan,
    options: Options,
    files: dict[str, str],
    data: dict[str, Any],
    teacher: str,
) -> Recipe:
    """Return the recipe of the student.

    Args:
        chosen: of `plan`.
        options: the user's.
        files: the paths of "train" and "validation"; of "text", what else to
            learn from first; and of "unlabeled", all texts without labels,
            with commas between.
        data: what `DataSpec` says of the training file: source and columns.
        teacher: the workdir of the fine-tuned teacher.
    """
    sizes: dict[str, Any] = dict(chosen.student)
    unlabeled = files.get("unlabeled", "")
    student = StudentSpec(**sizes, init="uniform")
    steps = chosen.student_steps
    task = Stage(
        teacher=teacher,
        student=student,
        method=_UNLABELLED if unlabeled else _LABELLED,
        data=DataSpec(
            **data,
            sequence_length=chosen.max_length,
            eval_file=files["validation"],
            unlabeled=unlabeled,
            oversampling=options.oversampling,
        ),
        train=TrainSpec(
            steps=steps,
            batch_size=options.batch_size,
            learning_rate=STUDENT_RATE * chosen.learning_rate,
            layer_rates=f"{HEAD}:{HEAD_RATE:g}",
            precision=options.precision,
            warmup_steps=steps // 10,
            evaluate_every=max(1, steps // 8),
            checkpoint_every=max(1, steps // 8),
            best_by=options.best_by,
            patience=options.patience,
        ),
    )
    stages = {"task": task}
    if "text" in files:
        stages = {
            "text": _text_stage(
                student, teacher, files["text"], options.precision
            )
        }
        stages["task"] = dataclasses.replace(
            task, student=dataclasses.replace(student, init_from="text")
        )
    return Recipe(name="make", seed=options.seed, stages=stages)


def _text_stage(
    student: StudentSpec, teacher: str, folder: str, precision: str
) -> Stage:
    """Return MiniLM on unlabelled text."""
    return Stage(
        teacher=teacher,
        student=student,
        data=DataSpec(
            source=folder, sequence_length=128, max_tokens=_TEXT_TOKENS
        ),
        train=TrainSpec(
            steps=400,
            batch_size=32,
            learning_rate=5e-4,
            warmup_steps=40,
            evaluate_every=100,
            checkpoint_every=100,
            held_out_sequences=64,
            precision=precision,
        ),
    )


def source_of(made: Recipe) -> str:
    """Return a recipe as the text of a file that `--config` takes."""
    content = pprint.pformat(made.to_dict(), indent=1, sort_dicts=False)
    body = textwrap.indent(content, "    ").strip()
    return (
        '"""Recipe of the student, as tfminilm make chose it."""\n\n'
        "import ml_collections\n\n\n"
        'def get_config(mode: str = ""):\n'
        '    """Return the recipe."""\n'
        f"    values = {body}\n"
        '    values["stages"] = ml_collections.ConfigDict(\n'
        '        values["stages"], sort_keys=False\n'
        "    )\n"
        "    return ml_collections.ConfigDict(values)\n"
    )
