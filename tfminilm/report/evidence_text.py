"""Put evidence into words, for the page and for the terminal alike."""

from tfminilm.tasks.judgement import Certainty, Evidence, Judgement

TOO_MANY_CLASSES = 26
# Between -1 and 1: no shares of anything.
_CORRELATIONS = ("spearman", "pearson", "matthews")


def title_of(metric: str) -> str:
    """Return what people call a metric, such as "macro F1"."""
    return metric.replace("_", " ").replace("f1", "F1")


def score(metric: str, value: float) -> str:
    """Return a metric's value, such as "93.1%", or "0.931" of correlations."""
    return f"{value:.3f}" if metric in _CORRELATIONS else f"{value:.1%}"


def points(value: float) -> str:
    """Return a difference in points of 100, such as "+1.2"."""
    return f"{100 * value:+.1f}"


def in_words(certainty: float | None) -> str:
    """Return how sure a model is, if it says so."""
    return "" if certainty is None else f"{certainty:.0%}"


def verdict(evidence: Evidence) -> str:
    """Say in a sentence what the shown model scores."""
    metric = evidence.headline
    value = evidence.models[evidence.shown].metrics[metric]
    name = title_of(metric)
    return (
        f"{name[:1].upper()}{name[1:]} {score(metric, value.value)}, between "
        f"{score(metric, value.low)} and {score(metric, value.high)} (95 %), "
        f"on {evidence.examples:,} examples of {evidence.task} "
        f"({evidence.split})."
    )


def class_rows(judgement: Judgement) -> list[tuple[str, ...]]:
    """Return of each class its name, precision, recall, F1 and examples."""
    return [
        (
            one.label,
            f"{one.precision:.1%}",
            f"{one.recall:.1%}",
            f"{one.f1:.3f}",
            f"{one.support:,}",
        )
        for one in judgement.classes
    ]


def threshold_rows(certainty: Certainty) -> list[tuple[str, ...]]:
    """Return what each threshold is for, itself, coverage and precision."""
    cuts = [(f"{x.asked:.0%} right", x) for x in certainty.choices]
    if certainty.unsure_below is not None:
        cuts.insert(0, ("its own threshold", certainty.unsure_below))
    return [
        (name, f"{x.threshold:.3f}", f"{x.coverage:.1%}", f"{x.precision:.1%}")
        for name, x in cuts
    ]


def difference_rows(evidence: Evidence) -> list[tuple[str, ...]]:
    """Return of each difference models, metric, value and interval."""
    return [
        (
            f"{one.model} less {one.less}",
            title_of(name),
            points(x.value),
            f"{points(x.low)} to {points(x.high)}",
        )
        for one in evidence.differences
        for name, x in one.metrics.items()
    ]


def confused(judgement: Judgement) -> list[tuple[str, str, str]]:
    """Return the pairs of classes that are confused most, and how often."""
    names = [x.label for x in judgement.classes]
    pairs = [
        (count, names[i], names[j])
        for i, row in enumerate(judgement.confusion)
        for j, count in enumerate(row)
        if i != j and count
    ]
    pairs.sort(key=lambda pair: -pair[0])
    return [(a, b, str(n)) for n, a, b in pairs[: TOO_MANY_CLASSES - 1]]
