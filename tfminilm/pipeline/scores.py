"""Compare made models by their task's metrics, and write the page of that."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tfminilm import files
from tfminilm.inference.compare import Comparison, compare
from tfminilm.inference.load import load
from tfminilm.pipeline import page_parts
from tfminilm.pipeline.outputs import SPLIT
from tfminilm.pipeline.page import NAME
from tfminilm.pipeline.plan import Plan
from tfminilm.pipeline.survey import Survey
from tfminilm.report.machine import machine
from tfminilm.tasks.evidence import Interval
from tfminilm.tasks.examples import read
from tfminilm.tasks.task import Task

_DRAWS = 300


@dataclasses.dataclass(frozen=True)
class Scores:
    """Say how "teacher", "student", "labels alone" and "bundle" score.

    Attributes:
        models: the score of each by the metrics' names.
        gain: of the student over the one without a teacher, by metric.
        kept: the student's score less the teacher's.
        rounding: the bundle's score less the student's.
        examples: how many test texts there are.
    """

    models: dict[str, dict[str, Interval]]
    gain: dict[str, Interval]
    kept: dict[str, Interval]
    rounding: dict[str, Interval]
    examples: int


def score(
    models: Mapping[str, pathlib.Path], task: Task, say: Callable[[str], None]
) -> Scores:
    """Score models on texts that none has seen.

    Args:
        models: their folders by the names that `Scores` has.
        task: made of the test texts' file.
        say: prints a line.
    """
    # What differences are taken from comes first.
    names = ["student", *(name for name in models if name != "student")]
    examples = read(task, SPLIT)
    opened = [load(models[name]) for name in names]
    result = compare(opened, task, examples, _DRAWS)
    scores = Scores(
        models={
            name: {
                metric: values[names.index(name)]
                for metric, values in result.scores.items()
            }
            for name in models
        },
        gain=_negative(_less(result, names, "labels alone")),
        kept=_negative(_less(result, names, "teacher")),
        rounding=_less(result, names, "bundle"),
        examples=len(examples),
    )
    for name, its in scores.models.items():
        shown = ", ".join(f"{k} {_shown(v)}" for k, v in its.items())
        say(f"  {name}: {shown}")
    first = task.metrics[0]
    gain = scores.gain[first]
    say(
        f"  the teacher is worth {100 * gain.value:+.1f} points of {first} "
        f"({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
    )
    return scores


def write_page(
    folder: pathlib.Path,
    name: str,
    survey: Survey,
    plan: Plan,
    scores: Scores,
) -> pathlib.Path:
    """Write `report.html` and `evidence.json` into a folder.

    Args:
        folder: what `make` makes.
        name: what messages call the data.
        survey: what was in it.
        plan: what was chosen.
        scores: what came out.

    Returns:
        The page's path.
    """
    facts = dataclasses.asdict(scores) | {"machine": machine()}
    files.write_json(folder / "evidence.json", facts)
    kind = survey.goal.kind.replace("_", " ")
    title = f"{folder.resolve().name}: {kind}"
    first = next(iter(scores.gain))
    bundle = scores.models["bundle"][first]
    points = page_parts.points
    tiles = (
        (first, f"{bundle.value:.3f}", "of the bundle, unseen texts"),
        ("Teacher", points(scores.kept[first]), "the student less it"),
        ("Distillation", points(scores.gain[first]), "over labels alone"),
        ("Rounding", points(scores.rounding[first]), "by the bundle"),
    )
    data = f"The data: {pathlib.Path(name).name}"
    sections = (
        page_parts.header(title, _verdict(scores, first), tiles),
        _models(scores),
        page_parts.bullets(data, survey.lines()),
        page_parts.bullets("The choices", plan.lines()),
    )
    path = folder / NAME
    page_parts.write(path, title, sections)
    return path


def _verdict(scores: Scores, metric: str) -> str:
    gain = scores.gain[metric]
    worth = "Whether the teacher helped cannot be told from so few texts"
    if gain.low > 0:
        worth = "Learning from the teacher helped"
    elif gain.high < 0:
        worth = "Learning from the teacher did harm"
    return (
        f"{worth}: {page_parts.points(gain)} points of {metric}, between "
        f"{100 * gain.low:+.1f} and {100 * gain.high:+.1f} (95 %), on "
        f"{scores.examples:,} texts that no model has seen."
    )


def _models(scores: Scores) -> str:
    metrics = list(scores.gain)
    rows: list[Sequence[Any]] = [
        (name, *(_shown(its[metric]) for metric in metrics))
        for name, its in scores.models.items()
    ]
    note = (
        f"With 95 % intervals of {_DRAWS} bootstrap samples of the test texts. "
        "“Labels alone” is the same student with as many steps, without a "
        "fine-tuned teacher."
    )
    return page_parts.section(
        "Teacher, student and bundle",
        note,
        page_parts.table(("", *metrics), rows),
    )


def _less(
    result: Comparison, names: Sequence[str], name: str
) -> dict[str, Interval]:
    """Return by metric a model's score less the first one's."""
    place = names.index(name) - 1
    return {metric: x[place] for metric, x in result.differences.items()}


def _negative(values: Mapping[str, Interval]) -> dict[str, Interval]:
    return {
        metric: Interval(-x.value, -x.high, -x.low)
        for metric, x in values.items()
    }


def _shown(value: Interval) -> str:
    return f"{value.value:.3f} ({value.low:.3f} to {value.high:.3f})"
