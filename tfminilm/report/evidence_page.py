"""Show evidence of models as the sections of a page."""

from collections.abc import Mapping, Sequence

from tfminilm.report import plots, svg
from tfminilm.report.evidence_text import (
    TOO_MANY_CLASSES,
    class_rows,
    confused,
    difference_rows,
    in_words,
    score,
    threshold_rows,
    title_of,
)
from tfminilm.report.page_parts import escaped, section, table
from tfminilm.tasks.judgement import Certainty, Errors, Evidence, Mistake

# Of fewer answers a share of right ones says nothing.
_FEWEST = 5
_LONGEST_TEXT = 300
# Colours of the models that have a meaning; others take them in turn.
_COLOURS = {
    "teacher": "teacher",
    "student": "student",
    "labels alone": "train",
    "bundle": "int8",
}


def sections(evidence: Evidence) -> list[str]:
    """Return all that is known, in the order in which a reader asks for it."""
    parts = [
        _models(evidence),
        _differences(evidence),
        _classes(evidence),
        _certainty(evidence),
        _errors(evidence),
        _mistakes("The worst answers", evidence, evidence.worst),
    ]
    if evidence.against:
        title = f"Where {evidence.shown} and {evidence.against} differ"
        parts.append(_mistakes(title, evidence, evidence.disagreements))
    return [part for part in parts if part]


def titled_sections(evidence: Mapping[str, Evidence]) -> list[str]:
    """Return the sections of several evidences, each behind its title."""
    return [
        part
        for title, one in evidence.items()
        for part in (section(f"On {title}", "", ""), *sections(one))
    ]


def _colour(evidence: Evidence, name: str) -> str:
    others = [x for x in evidence.models if x != evidence.shown]
    if name in _COLOURS:
        return _COLOURS[name]
    if name == evidence.shown:
        return "student"
    return ("teacher", "int8", "train")[others.index(name) % 3]


def _models(evidence: Evidence) -> str:
    metrics = evidence.models[evidence.shown].metrics
    has_certainty = any(one.certainty for one in evidence.models.values())
    has_temperature = any(
        one.certainty and one.certainty.temperature
        for one in evidence.models.values()
    )
    head = ["", *(x for name in metrics for x in (title_of(name), "95 %"))]
    head += ["calibration error"] * has_certainty
    head += ["same, T"] * has_temperature
    rows = []
    for name, one in evidence.models.items():
        row = [name]
        for metric, x in one.metrics.items():
            row.append(score(metric, x.value))
            row.append(f"{score(metric, x.low)} to {score(metric, x.high)}")
        if has_certainty:
            sure = one.certainty
            row.append(f"{sure.calibration_error:.3f}" if sure else "")
        if has_temperature:
            row.append(_with_temperature(one.certainty))
        rows.append(row)
    note = (
        f"{evidence.examples:,} examples of {evidence.task} "
        f"({evidence.split}). Intervals are of 1,000 bootstrap samples of them."
    )
    if "labels alone" in evidence.models:
        note += (
            " “Labels alone” is the same student with as many steps, without a "
            "fine-tuned teacher."
        )
    if has_certainty:
        note += (
            " A calibration error of 0 says that of answers given with 80 % "
            "four of five are right."
        )
    if has_temperature:
        note += " T is the temperature that suits the validation texts."
    return section("Scores", note, table(head, rows))


def _with_temperature(certainty: Certainty | None) -> str:
    if certainty is None or certainty.temperature is None:
        return ""
    return f"{certainty.calibrated_error:.3f} at {certainty.temperature:.2f}"


def _differences(evidence: Evidence) -> str:
    if not evidence.differences:
        return ""
    note = (
        "In points of 100, both models on the same bootstrap samples. A "
        "difference whose interval does not hold 0 is hardly chance."
    )
    head = ("", "metric", "difference", "95 %")
    return section("What differs", note, table(head, difference_rows(evidence)))


def _classes(evidence: Evidence) -> str:
    shown = evidence.models[evidence.shown]
    if not shown.classes:
        return ""
    head = ("", "precision", "recall", "F1", "examples")
    body = table(head, class_rows(shown))
    names = [x.label for x in shown.classes]
    if shown.confusion and len(names) < TOO_MANY_CLASSES:
        matrix = plots.count_matrix(
            "Examples by class and answer", "student", names, shown.confusion
        )
        body += (
            f'<figure class="card scroll">{matrix}<figcaption>Rows: the '
            f"class; columns: the answer of {escaped(evidence.shown)}."
            "</figcaption></figure>"
        )
    elif pairs := confused(shown):
        body += table(("class", "taken for", "examples"), pairs)
    return section("Class by class", f"Of {evidence.shown}.", body)


def _certainty(evidence: Evidence) -> str:
    certainty = evidence.models[evidence.shown].certainty
    if certainty is None:
        return ""
    rows = threshold_rows(certainty)
    head = ("asked for", "least certainty", "answered", "of these right")
    note = (
        f"Where {evidence.shown} is less certain than a threshold, an app may "
        "answer “unsure”. "
    ) + (
        "Thresholds are chosen on the validation texts, of the "
        "probabilities that it gives."
        if certainty.has_validation or certainty.temperature
        else "Thresholds are chosen on these examples themselves, so that on "
        "others a little fewer answers are right."
    )
    body = (
        f'<div class="pair"><figure class="card">{_reliability(evidence)}'
        "<figcaption>Right answers by how sure the model is.</figcaption>"
        f'</figure><figure class="card">{_rejection(evidence)}<figcaption>'
        "Right answers if the least certain are refused.</figcaption></figure>"
        "</div>" + (table(head, rows) if rows else "")
    )
    return section("How sure it is", note, body)


def _reliability(evidence: Evidence) -> str:
    lines = [
        svg.Series(
            name,
            _colour(evidence, name),
            [
                (x.certainty, x.right)
                for x in one.certainty.bins
                if x.count >= _FEWEST
            ],
            True,
        )
        for name, one in evidence.models.items()
        if one.certainty and name not in ("student", "labels alone")
    ]
    ideal = svg.Series("ideal", "train", [(0.0, 0.0), (1.0, 1.0)])
    return plots.share_chart(
        "Share of right answers by certainty", [ideal, *lines], "certainty"
    )


def _rejection(evidence: Evidence) -> str:
    curves = [
        svg.Series(
            name,
            _colour(evidence, name),
            [
                (x.coverage, x.precision)
                for x in one.certainty.cuts
                if x.coverage * evidence.examples >= _FEWEST
            ],
        )
        for name, one in evidence.models.items()
        if one.certainty
    ]
    low = min((p[1] for line in curves for p in line.points), default=0.0)
    return plots.share_chart(
        "Share of right answers by share of answers given",
        curves,
        "share of answers that are given",
        y_low=max(0.0, 0.1 * int(10 * low) - 0.1),
    )


def _errors(evidence: Evidence) -> str:
    if evidence.models[evidence.shown].errors is None:
        return ""
    head = ("", "mean error", "mean distance", "root mean square", "9 of 10")
    rows = [
        (
            name,
            f"{x.mean:+.3f}",
            f"{x.mean_absolute:.3f}",
            f"{x.root_mean_square:.3f}",
            f"{x.low:+.2f} to {x.high:+.2f}",
        )
        for name, one in evidence.models.items()
        for x in _of(one.errors)
    ]
    note = "A score less the right one, in the unit of the labels."
    (shown,) = _of(evidence.models[evidence.shown].errors)
    pairs = [(x.expected, x.answer) for x in shown.points]
    picture = plots.scatter(
        "Scores by the right ones",
        _colour(evidence, evidence.shown),
        pairs,
        "right score",
    )
    figure = (
        f'<figure class="card">{picture}<figcaption>Scores of '
        f"{escaped(evidence.shown)}, up, by the right ones; on the line both "
        "are the same.</figcaption></figure>"
    )
    return section(
        "How far scores are off",
        note,
        f'{table(head, rows)}<div class="pair">{figure}</div>',
    )


def _of(errors: Errors | None) -> list[Errors]:
    return [] if errors is None else [errors]


def _mistakes(
    title: str, evidence: Evidence, mistakes: Sequence[Mistake]
) -> str:
    if not mistakes:
        return section(title, "None.", "")
    has_certainty = any(one.certainty is not None for one in mistakes)
    others = [name for name in evidence.models if name != evidence.shown]
    head = ["text", "right", evidence.shown, *["sure"] * has_certainty]
    rows = [
        [
            " · ".join(one.texts)[:_LONGEST_TEXT],
            one.expected,
            one.answers[evidence.shown],
            *[in_words(one.certainty)] * has_certainty,
            *(one.answers[name] for name in others),
        ]
        for one in mistakes
    ]
    note = f"Up to {len(rows)} examples."
    return section(title, note, table([*head, *others], rows))
