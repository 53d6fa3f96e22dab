"""DistilBERT's student: BERT without segment embedding and pooler."""

import dataclasses
from typing import TYPE_CHECKING, Any

from tfminilm.families import post_norm
from tfminilm.families.bert import WORD_PIECES
from tfminilm.families.family import Family, HuggingFace
from tfminilm.families.hugging_face import names

if TYPE_CHECKING:
    import keras


def distilbert(
    num_layers: int = 6,
    hidden_dim: int = 768,
    num_heads: int = 12,
    intermediate_dim: int | None = None,
    vocabulary_size: int = 30522,
    max_sequence_length: int = 512,
    dropout: float = 0.1,
    **kwargs: Any,
) -> "keras.Model":
    """Build a randomly initialised `keras_hub.models.DistilBertBackbone`.

    `init_from_teacher` starts it from a BERT teacher of its width, and
    `tfminilm.teachers.build_masked_lm` puts the head on it that its method
    needs.

    Args:
        num_layers: encoder layers.
        hidden_dim: width, the teacher's.
        num_heads: attention heads.
        intermediate_dim: width of the feed-forward block; four times
            `hidden_dim` if not given.
        vocabulary_size: the teacher's.
        max_sequence_length: rows of the position table.
        dropout: rate in training.
        **kwargs: what else `DistilBertBackbone` takes, such as `dtype`.

    Returns:
        The backbone. Its inputs are `token_ids` and `padding_mask`,
        `[batch, length]` integers.
    """
    return post_norm.build(
        "DistilBertBackbone",
        hidden_dim,
        intermediate_dim,
        vocabulary_size=vocabulary_size,
        num_layers=num_layers,
        num_heads=num_heads,
        dropout=dropout,
        max_sequence_length=max_sequence_length,
        **kwargs,
    )


NAMES = names.Names(
    prefix="distilbert.",
    sizes=names.SIZES
    | {
        "num_layers": "n_layers",
        "num_heads": "n_heads",
        "hidden_dim": "dim",
        "intermediate_dim": "hidden_dim",
    },
    defaults={
        "activation": "gelu",
        "dropout": 0.1,
        "seq_classif_dropout": 0.2,
        "qa_dropout": 0.1,
    },
    activation="activation",
    dropout="dropout",
    attention_dropout="attention_dropout",
    stack="transformer.layer",
    layer=(
        "attention.q_lin",
        "attention.k_lin",
        "attention.v_lin",
        "attention.out_lin",
        "sa_layer_norm",
        "ffn.lin1",
        "ffn.lin2",
        "output_layer_norm",
    ),
    masked_lm=("vocab_transform", "vocab_layer_norm", "vocab_projector"),
    decoder="vocab_projector",
    is_masked_lm=r"vocab_(transform|layer_norm|projector)\.",
    is_other=rf"pre_classifier\.|{names.OTHER}",
)


FAMILY = Family(
    name="distilbert",
    title="DistilBERT",
    backbone="DistilBertBackbone",
    tokens=dataclasses.replace(WORD_PIECES, tokenizer="DistilBertTokenizer"),
    students={"distilbert": distilbert},
    arguments=post_norm.arguments,
    hugging_face=HuggingFace(
        "distilbert",
        "DistilBert",
        names=NAMES,
        reader=post_norm.reader,
        masked_lm=post_norm.masked_lm,
        contents=post_norm.contents,
        classifier={"pooled_dense": "pre_classifier", "logits": "classifier"},
        classifier_dropout=("seq_classif_dropout",),
    ),
    exposure=post_norm.exposure,
    computes_with=("gelu", 1e-12),
    mobile_graph="post_norm",
)
