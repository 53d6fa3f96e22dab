"""Hold what is known of models once their answers are judged."""

import dataclasses
from collections.abc import Mapping

from tfminilm.tasks.evidence import ClassScore, Interval


@dataclasses.dataclass(frozen=True)
class Bin:
    """Hold the answers that a model is about as sure of.

    Attributes:
        certainty: the mean of how sure it is.
        right: the share that is right.
        count: how many there are.
    """

    certainty: float
    right: float
    count: int


@dataclasses.dataclass(frozen=True)
class Cut:
    """Say what is left if a model does not answer below a threshold.

    Attributes:
        threshold: the least certainty.
        coverage: the share that it answers.
        precision: the share of these that is right.
        asked: the precision that the threshold was chosen for.
    """

    threshold: float
    coverage: float
    precision: float
    asked: float | None = None


@dataclasses.dataclass(frozen=True)
class Certainty:
    """Say how far a model's certainty can be trusted.

    Attributes:
        calibration_error: the expected one (ECE); 0 is best.
        bins: the reliability curve.
        cuts: precision over coverage, the most certain first.
        choices: the thresholds from which on 90, 95 and 99 % of the
            validation examples are right (of the same examples where there
            are no others), and what they do here. Those that no threshold
            reaches are left out.
        unsure_below: what the model's own threshold does; None without one.
        temperature: the one that suits the validation examples.
        calibrated_error: ECE after a division of the logits by it.
        has_validation: whether there were validation examples.
    """

    calibration_error: float
    bins: tuple[Bin, ...]
    cuts: tuple[Cut, ...]
    choices: tuple[Cut, ...]
    unsure_below: Cut | None = None
    temperature: float | None = None
    calibrated_error: float | None = None
    has_validation: bool = False


@dataclasses.dataclass(frozen=True)
class Point:
    """Hold a score that is right, and a model's."""

    expected: float
    answer: float


@dataclasses.dataclass(frozen=True)
class Errors:
    """Say how far a model's scores are from the right ones, in their unit.

    Attributes:
        mean: of score less right score: what it adds on the whole.
        mean_absolute: of their distance.
        root_mean_square: of their squared distance.
        low: the residual that 5 % are below.
        high: the residual that 5 % are above.
        points: some of the examples.
    """

    mean: float
    mean_absolute: float
    root_mean_square: float
    low: float
    high: float
    points: tuple[Point, ...]


@dataclasses.dataclass(frozen=True)
class Judgement:
    """Say how good one model is.

    Attributes:
        metrics: the task's, as fractions, with bootstrap intervals of 95 %.
        classes: the scores of each class, label or type of entity.
        confusion: examples by class and prediction; empty of other kinds.
        certainty: how far it can be trusted; None of scores.
        errors: of scores; None of other kinds.
    """

    metrics: Mapping[str, Interval]
    classes: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    certainty: Certainty | None
    errors: Errors | None


@dataclasses.dataclass(frozen=True)
class Difference:
    """Say what one model's metrics are less another one's, with intervals."""

    model: str
    less: str
    metrics: Mapping[str, Interval]


@dataclasses.dataclass(frozen=True)
class Mistake:
    """Hold an example that a model gets wrong, or two answer unlike.

    Attributes:
        texts: of the example.
        expected: what is right.
        answers: what each model says, by its name.
        certainty: how sure the shown model is; None where it does not say.
    """

    texts: tuple[str, ...]
    expected: str
    answers: Mapping[str, str]
    certainty: float | None


@dataclasses.dataclass(frozen=True)
class Evidence:
    """Hold what is known of models that were asked the same.

    Attributes:
        task: its name.
        split: of its examples.
        examples: how many there are.
        shown: the name of the model that worst and details are of.
        against: the name of the one that disagreements are with; "" if none.
        models: by name.
        differences: between some of them.
        worst: the worst answers of the shown model.
        disagreements: where it and the other one differ.
    """

    task: str
    split: str
    examples: int
    shown: str
    against: str
    models: Mapping[str, Judgement]
    differences: tuple[Difference, ...]
    worst: tuple[Mistake, ...]
    disagreements: tuple[Mistake, ...]

    @property
    def headline(self) -> str:
        """The name of the metric that papers report first."""
        return next(iter(self.models[self.shown].metrics))

    def difference(self, model: str, less: str) -> Interval:
        """Return what one model's headline is less another one's.

        Raises:
            KeyError: it was not asked for.
        """
        pairs = {(one.model, one.less): one for one in self.differences}
        return pairs[model, less].metrics[self.headline]
