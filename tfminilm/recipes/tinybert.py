"""TinyBERT (arXiv 1909.10351) on text and then on SST-2, as a recipe."""

import dataclasses
from typing import Any

from tfminilm.methods import TinyBERT
from tfminilm.train.recipe import (
    DataSpec,
    Recipe,
    Stage,
    StudentSpec,
    TrainSpec,
)

SST2 = DataSpec(
    source="task:sst2",
    sequence_length=64,
    augment_copies=20,
    augmentation="tinybert",
    masked_lm="hf://google-bert/bert-base-uncased",
)


def tinybert(
    name: str, num_layers: int, hidden_dim: int, intermediate_dim: int
) -> Recipe:
    """Return the three stages: general, intermediate and prediction layer."""
    shape: dict[str, Any] = {
        "num_layers": num_layers,
        "hidden_dim": hidden_dim,
        "intermediate_dim": intermediate_dim,
    }
    return Recipe(
        name=name,
        stages={
            "general": Stage(
                teacher="bert_base_en_uncased",
                student=StudentSpec(**shape),
                method=TinyBERT(),
                data=DataSpec(
                    source="tfds:wikipedia/20230601.en", sequence_length=128
                ),
                train=_train(300_000, 256, 5e-5),
            ),
            "intermediate": Stage(
                teacher="runs/bert_sst2",
                student=StudentSpec(
                    **shape, init="uniform", init_from="general"
                ),
                method=TinyBERT(),
                data=SST2,
                train=_train(440_000, 32, 5e-5),
            ),
            "prediction": Stage(
                teacher="runs/bert_sst2",
                student=StudentSpec(
                    **shape, init="uniform", init_from="intermediate"
                ),
                method=TinyBERT.prediction(),
                data=SST2,
                train=dataclasses.replace(
                    _train(132_000, 32, 3e-5), best_by="score"
                ),
            ),
        },
    )


def _train(steps: int, batch_size: int, learning_rate: float) -> TrainSpec:
    return TrainSpec(
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        warmup_steps=steps // 10,
    )
