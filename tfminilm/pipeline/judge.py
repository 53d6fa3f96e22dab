"""Compare the models that were made, on texts that none has seen."""

import pathlib
from collections.abc import Callable, Mapping

from tfminilm.inference.load import load
from tfminilm.pipeline.outputs import SPLIT
from tfminilm.source_names import name_of
from tfminilm.tasks import judging
from tfminilm.tasks.examples import read
from tfminilm.tasks.judgement import Evidence
from tfminilm.tasks.task import Task

TEACHER, STUDENT, ALONE, BUNDLE = "teacher", "student", "labels alone", "bundle"
_PAIRS = ((STUDENT, ALONE), (STUDENT, TEACHER), (BUNDLE, STUDENT))


def judge(
    models: Mapping[str, pathlib.Path],
    tasks: Mapping[str, Task],
    say: Callable[[str], None],
) -> Evidence:
    """Judge "teacher", "student", "labels alone" and "bundle".

    Args:
        models: their folders by these names.
        tasks: "validation", for temperatures and thresholds, and "test".
        say: prints a line.
    """
    examples = {name: read(task, SPLIT) for name, task in tasks.items()}
    opened = {name: load(path) for name, path in models.items()}
    answers = {
        split: {
            name: model.answers(task, examples[split])
            for name, model in opened.items()
        }
        for split, task in tasks.items()
    }
    evidence = judging.gather(
        task=name_of(tasks["test"].name),
        split="test",
        texts=[example.texts for example in examples["test"]],
        answers=answers["test"],
        shown=BUNDLE,
        against=STUDENT,
        pairs=_PAIRS,
        validation=answers["validation"],
    )
    for name, one in evidence.models.items():
        scores = ", ".join(
            f"{metric.replace('_', ' ')} {100 * x.value:.1f} "
            f"({100 * x.low:.1f} to {100 * x.high:.1f})"
            for metric, x in one.metrics.items()
        )
        say(f"  {name}: {scores}")
    gain = evidence.difference(STUDENT, ALONE)
    say(
        f"  the teacher is worth {100 * gain.value:+.1f} points "
        f"({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
    )
    for line in advice(evidence):
        say(f"  {line}")
    return evidence


def advice(evidence: Evidence) -> list[str]:
    """Return what would help where student and teacher differ for certain."""
    ahead = evidence.difference(STUDENT, TEACHER)
    if ahead.low > 0:
        return [
            "the student is ahead of its teacher, which learned too little: "
            "more --epochs, or another --learning_rate, would help both"
        ]
    if ahead.high < 0:
        return [
            "the student is behind its teacher: more texts, with labels or "
            "without (--unlabeled=FILE), or more layers (--num_layers) would "
            "help"
        ]
    return []
