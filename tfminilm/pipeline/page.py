"""Write the page of a made model: its data, choices and evidence."""

import dataclasses
import pathlib
from collections.abc import Sequence

from tfminilm import files
from tfminilm.pipeline.judge import Evidence, Judgement, Mistake
from tfminilm.pipeline.page_parts import (
    bullets,
    header,
    percent,
    points,
    section,
    table,
    write,
)
from tfminilm.pipeline.plan import Plan
from tfminilm.pipeline.survey import Survey
from tfminilm.report import plots, svg
from tfminilm.report.machine import machine

NAME = "report.html"
_MOST_CLASSES = 25
# Of fewer texts a share of right answers says nothing.
_FEWEST = 5
_KINDS = {
    "teacher": "teacher",
    "student": "student",
    "labels alone": "train",
    "bundle": "int8",
}


def write_page(
    folder: pathlib.Path,
    name: str,
    survey: Survey,
    plan: Plan,
    evidence: Evidence,
) -> pathlib.Path:
    """Write `report.html` and `evidence.json` into a folder.

    Args:
        folder: what `make` makes.
        name: what messages call the data.
        survey: what was in it.
        plan: what was chosen.
        evidence: what came out.

    Returns:
        The page's path.
    """
    facts = dataclasses.asdict(evidence) | {"machine": machine()}
    files.write_json(folder / "evidence.json", facts)
    count = len(survey.labels)
    title = f"{folder.resolve().name}: a classifier of {count} classes"
    sections = (
        _header(title, evidence),
        _models(evidence),
        _classes(evidence),
        _certainty(evidence),
        _mistakes("Mistakes it is most sure of", evidence.worst),
        _mistakes("Texts that rounding changes", evidence.disagreements),
        bullets(f"The data: {pathlib.Path(name).name}", survey.lines()),
        bullets("The choices", plan.lines()),
    )
    path = folder / NAME
    write(path, title, sections)
    return path


def _header(title: str, evidence: Evidence) -> str:
    bundle = evidence.models["bundle"]
    kept = evidence.models["student"].accuracy.value / max(
        evidence.models["teacher"].accuracy.value, 1e-9
    )
    tiles = (
        ("Accuracy", percent(bundle.accuracy), "of the bundle, unseen texts"),
        ("Kept", f"{kept:.1%}", "of the teacher's accuracy"),
        ("Distillation", points(evidence.gain), "over labels alone"),
        ("Rounding", points(evidence.rounding), "by the bundle"),
    )
    return header(title, _verdict(evidence), tiles)


def _verdict(evidence: Evidence) -> str:
    gain = evidence.gain
    if gain.low > 0:
        worth = "Learning from the teacher helped"
    elif gain.high < 0:
        worth = "Learning from the teacher did harm"
    else:
        worth = "Whether the teacher helped cannot be told from so few texts"
    return (
        f"{worth}: {points(gain)} points of accuracy, between "
        f"{100 * gain.low:+.1f} and {100 * gain.high:+.1f} (95 %), on "
        f"{evidence.examples:,} texts that no model has seen."
    )


def _models(evidence: Evidence) -> str:
    head = ("", "accuracy", "95 %", "macro F1", "calibration error", "same, T")
    rows = [
        (
            name,
            f"{one.accuracy.value:.1%}",
            f"{one.accuracy.low:.1%} to {one.accuracy.high:.1%}",
            f"{one.macro_f1.value:.3f}",
            f"{one.calibration_error:.3f}",
            f"{one.calibrated_error:.3f} at {one.temperature:.2f}",
        )
        for name, one in evidence.models.items()
    ]
    note = (
        "Intervals are of 1,000 bootstrap samples of the test texts. “Labels "
        "alone” is the same student with as many steps, without a fine-tuned "
        "teacher. T is the temperature that suits the validation "
        "texts. A calibration error of 0 says that of answers given with 80 % "
        "four of five are right."
    )
    return section("Teacher, student and bundle", note, table(head, rows))


def _classes(evidence: Evidence) -> str:
    bundle = evidence.models["bundle"]
    head = ("class", "precision", "recall", "F1", "texts")
    rows = [
        (x.label, f"{x.precision:.1%}", f"{x.recall:.1%}", f"{x.f1:.3f}", n)
        for x in bundle.classes
        for n in [f"{x.support:,}"]
    ]
    body = table(head, rows)
    if len(bundle.classes) <= _MOST_CLASSES:
        names = [x.label for x in bundle.classes]
        matrix = plots.count_matrix(
            "Test texts by class and answer", "student", names, bundle.confusion
        )
        body += (
            f'<figure class="card scroll">{matrix}<figcaption>Rows: the '
            "class; columns: the bundle's answer.</figcaption></figure>"
        )
    else:
        body += table(("class", "taken for", "texts"), _confused(bundle))
    return section("Class by class", "The bundle, on the test texts.", body)


def _confused(bundle: Judgement) -> list[tuple[str, str, str]]:
    """Return the pairs of classes that are confused most."""
    names = [x.label for x in bundle.classes]
    pairs = [
        (count, names[i], names[j])
        for i, row in enumerate(bundle.confusion)
        for j, count in enumerate(row)
        if i != j and count
    ]
    pairs.sort(key=lambda pair: -pair[0])
    return [(a, b, str(n)) for n, a, b in pairs[:_MOST_CLASSES]]


def _certainty(evidence: Evidence) -> str:
    bundle = evidence.models["bundle"]
    rows = [
        (share, "none" if value is None else f"{value:.2f}")
        for share, value in bundle.thresholds.items()
    ]
    note = (
        "Where the bundle's most probable class has less than a threshold, an "
        "app may answer “unsure”. Thresholds are chosen on the validation "
        "texts, of the probabilities that the bundle gives."
    )
    body = (
        f'<div class="pair"><figure class="card">{_reliability(evidence)}'
        "<figcaption>Right answers by how sure the model is.</figcaption>"
        f'</figure><figure class="card">{_rejection(evidence)}<figcaption>'
        "Right answers if the least certain are refused.</figcaption></figure>"
        "</div>" + table(("right answers asked for", "least probability"), rows)
    )
    return section("How sure it is", note, body)


def _reliability(evidence: Evidence) -> str:
    lines = [
        svg.Series(
            name,
            _KINDS[name],
            [(c, a) for c, a, n in one.reliability if n >= _FEWEST],
            True,
        )
        for name, one in evidence.models.items()
        if name in ("teacher", "bundle")
    ]
    ideal = svg.Series("ideal", "train", [(0.0, 0.0), (1.0, 1.0)])
    return plots.share_chart(
        "Share of right answers by certainty",
        [ideal, *lines],
        "certainty, calibrated",
    )


def _rejection(evidence: Evidence) -> str:
    curves = [
        svg.Series(
            name,
            _KINDS[name],
            [
                (c, a)
                for _, c, a in one.rejection
                if c * evidence.examples >= _FEWEST
            ],
        )
        for name, one in evidence.models.items()
    ]
    low = min((p[1] for line in curves for p in line.points), default=0.0)
    return plots.share_chart(
        "Share of right answers by share of texts answered",
        curves,
        "share of texts that are answered",
        y_low=max(0.0, 0.1 * int(10 * low) - 0.1),
    )


def _mistakes(title: str, mistakes: Sequence[Mistake]) -> str:
    if not mistakes:
        return section(title, "None.", "")
    head = ("text", "label", "bundle", "sure", "student", "teacher")
    rows = [
        (
            " · ".join(one.texts)[:300],
            one.label,
            one.predictions["bundle"],
            f"{one.probability:.0%}",
            one.predictions["student"],
            one.predictions["teacher"],
        )
        for one in mistakes
    ]
    return section(title, f"Up to {len(rows)} test texts.", table(head, rows))
