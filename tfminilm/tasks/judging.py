"""Judge models by their answers: the same evidence of every kind of task.

A kind turns outputs into `Answers` (`Kind.answers`); the rest is here.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from tfminilm.tasks import certainty, evidence
from tfminilm.tasks.answers import Answers
from tfminilm.tasks.evidence import Interval
from tfminilm.tasks.judgement import (
    Bin,
    Certainty,
    Cut,
    Difference,
    Errors,
    Evidence,
    Judgement,
    Mistake,
    Point,
)

_WORST = 20
_SHARES = (0.9, 0.95, 0.99)
# A curve on a page needs no more points.
_MOST_POINTS = 200


def gather(
    task: str,
    split: str,
    texts: Sequence[Sequence[str]],
    answers: Mapping[str, Answers],
    shown: str,
    against: str = "",
    pairs: Sequence[tuple[str, str]] = (),
    validation: Mapping[str, Answers] | None = None,
) -> Evidence:
    """Judge models by their answers to the same examples.

    Args:
        task: its name.
        split: of its examples.
        texts: of each example.
        answers: of each model, by its name.
        shown: the model whose worst answers are listed.
        against: the one whose answers are held against them, if any.
        pairs: models whose difference is asked for: first less second.
        validation: their answers to other examples, on which temperatures and
            thresholds are chosen.
    """
    scores = [one.score for one in answers.values()]
    samples = evidence.resample(scores, len(texts))
    everything = np.arange(len(texts))
    whole = np.array([list(score(everything)) for score in scores], float)
    place = {name: number for number, name in enumerate(answers)}
    metrics = answers[shown].metrics

    def interval(values: np.ndarray, drawn: np.ndarray) -> dict[str, Interval]:
        rows = evidence.bounds(values.tolist(), drawn)
        return dict(zip(metrics, rows, strict=True))

    def difference(first: str, second: str) -> Difference:
        one, other = place[first], place[second]
        value = whole[one] - whole[other]
        drawn = samples[:, one] - samples[:, other]
        return Difference(first, second, interval(value, drawn))

    disagreeing = unlike(answers[shown], answers[against]) if against else ()
    return Evidence(
        task=task,
        split=split,
        examples=len(texts),
        shown=shown,
        against=against,
        models={
            name: _judgement(
                one,
                interval(whole[place[name]], samples[:, place[name]]),
                (validation or {}).get(name),
            )
            for name, one in answers.items()
        },
        differences=tuple(difference(*pair) for pair in pairs),
        worst=_mistakes(texts, answers, shown, _worst(answers[shown])),
        disagreements=_mistakes(texts, answers, shown, disagreeing),
    )


def unlike(first: Answers, second: Answers) -> list[int]:
    """Return where two models' answers differ, the most different first."""

    def distance(place: int) -> float:
        one, other = first.rows[place].value, second.rows[place].value
        if one is None or other is None:
            return -float(first.rows[place].certainty or 0.0)
        return abs(one - other)

    places = [
        place
        for place, (one, other) in enumerate(
            zip(first.rows, second.rows, strict=True)
        )
        if one.answer != other.answer
    ]
    return sorted(places, key=distance, reverse=True)


def _worst(answers: Answers) -> list[int]:
    faults = [row.fault for row in answers.rows]
    places = [place for place, fault in enumerate(faults) if fault > 0]
    return sorted(places, key=lambda place: -faults[place])


def _mistakes(
    texts: Sequence[Sequence[str]],
    answers: Mapping[str, Answers],
    shown: str,
    places: Sequence[int],
) -> tuple[Mistake, ...]:
    return tuple(
        Mistake(
            texts=tuple(texts[at]),
            expected=answers[shown].rows[at].expected,
            answers={
                name: one.rows[at].answer for name, one in answers.items()
            },
            certainty=answers[shown].rows[at].certainty,
        )
        for at in places[:_WORST]
    )


def _judgement(
    answers: Answers,
    metrics: Mapping[str, Interval],
    validation: Answers | None,
) -> Judgement:
    return Judgement(
        metrics=metrics,
        classes=tuple(answers.classes),
        confusion=tuple(map(tuple, answers.confusion.tolist())),
        certainty=_certainty(answers, validation),
        errors=_errors(answers),
    )


def _certainty(
    answers: Answers, validation: Answers | None
) -> Certainty | None:
    sure, right = answers.certainties, answers.are_right
    if not len(sure):
        return None
    rows = certainty.rejection(sure, right)
    cuts = [Cut(*row) for row in rows]
    temperature, calibrated = _calibrated(answers, validation)
    return Certainty(
        calibration_error=certainty.calibration_error(sure, right),
        bins=tuple(Bin(*row) for row in certainty.reliability(sure, right)),
        cuts=tuple(cuts[at] for at in _spread(len(cuts))),
        choices=tuple(_choices(answers, validation)),
        unsure_below=_cut(answers, answers.unsure_below)
        if answers.unsure_below
        else None,
        temperature=temperature,
        calibrated_error=calibrated,
        has_validation=validation is not None,
    )


def _choices(answers: Answers, validation: Answers | None) -> list[Cut]:
    """Return the thresholds of some precisions, and what they do."""
    chosen_on = validation or answers
    sure, right = chosen_on.certainties, chosen_on.are_right
    choices = []
    for share in _SHARES:
        threshold = certainty.threshold_for(sure, right, share)
        if threshold is not None:
            choices.append(
                dataclasses.replace(_cut(answers, threshold), asked=share)
            )
    return choices


def _cut(answers: Answers, threshold: float) -> Cut:
    sure, right = answers.certainties, answers.are_right
    answered = sure >= threshold
    precision = float(right[answered].mean()) if answered.any() else 0.0
    return Cut(threshold, float(answered.mean()), precision)


def _calibrated(
    answers: Answers, validation: Answers | None
) -> tuple[float | None, float | None]:
    """Return the temperature of validation examples, and ECE with it."""
    if validation is None or not len(validation.logits):
        return None, None
    temperature = evidence.fit_temperature(validation.logits, validation.labels)
    sure = evidence.probabilities(answers.logits, temperature).max(axis=1)
    return temperature, certainty.calibration_error(sure, answers.are_right)


def _errors(answers: Answers) -> Errors | None:
    residuals = answers.residuals
    if not len(residuals):
        return None
    low, high = np.percentile(residuals, [5, 95])
    values = [row.value or 0.0 for row in answers.rows]
    return Errors(
        mean=float(residuals.mean()),
        mean_absolute=float(np.abs(residuals).mean()),
        root_mean_square=float(np.sqrt((residuals**2).mean())),
        low=float(low),
        high=float(high),
        points=tuple(
            Point(float(values[at] - residuals[at]), float(values[at]))
            for at in _spread(len(values))
        ),
    )


def _spread(count: int) -> list[int]:
    """Return places from the first to the last, not too many."""
    most = min(count, _MOST_POINTS)
    return np.linspace(0, count - 1, most).round().astype(int).tolist()
