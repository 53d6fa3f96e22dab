"""Write the model cards of what was made."""

import pathlib
from collections.abc import Mapping

from tfminilm.export.card import bundle as bundle_card
from tfminilm.export.card.facts import Score
from tfminilm.export.card.page import CARD
from tfminilm.export.card.publish import write_beside
from tfminilm.pipeline.judge import BUNDLE, STUDENT
from tfminilm.tasks.judgement import Evidence


def write(models: Mapping[str, pathlib.Path], evidence: Evidence) -> None:
    """Write `README.md` beside each model, unless it is there.

    Args:
        models: the folders of workdirs and of the bundle, by their names in
            `pipeline.judge`.
        evidence: of the bundle, on texts that no model has seen.

    Raises:
        UserError: a file of a run is damaged, or the disk is full.
    """
    for name, folder in models.items():
        if name != BUNDLE:
            write_beside(None, folder)
    bundle = models[BUNDLE]
    if (bundle / CARD).exists():
        return
    scores = [
        Score(
            evidence.task,
            evidence.split,
            metric,
            value.value,
            note=f"{evidence.examples} examples",
            bounds=(value.low, value.high),
        )
        for metric, value in evidence.models[BUNDLE].metrics.items()
    ]
    bundle_card.add(bundle, models[STUDENT], scores)
