"""ELECTRA: BERT's shape, pre-trained to tell replaced tokens."""

import dataclasses
from typing import TYPE_CHECKING, Any

from tfminilm.families import post_norm
from tfminilm.families.bert import WORD_PIECES
from tfminilm.families.family import Family, HuggingFace, StudentShape
from tfminilm.families.hugging_face import names

if TYPE_CHECKING:
    import keras


def electra(
    num_layers: int,
    hidden_dim: int,
    num_heads: int = 12,
    intermediate_dim: int | None = None,
    embedding_dim: int = 128,
    vocabulary_size: int = 30_522,
    max_sequence_length: int = 512,
    dropout: float = 0.1,
    **kwargs: Any,
) -> "keras.Model":
    """Build a randomly initialised `keras_hub.models.ElectraBackbone`.

    It is a BERT whose embeddings may be narrower than its layers: a dense
    layer widens them.

    Args:
        num_layers: encoder layers.
        hidden_dim: width; a multiple of `num_heads`.
        num_heads: attention heads. MiniLM needs the teacher's number.
        intermediate_dim: width of the feed-forward block; four times
            `hidden_dim` if not given.
        embedding_dim: width of the embeddings; there is no such dense layer
            if it is `hidden_dim`.
        vocabulary_size: the teacher's; KerasHub's class calls it `vocab_size`.
        max_sequence_length: rows of the position table.
        dropout: rate in training.
        **kwargs: what else `ElectraBackbone` takes, such as `dtype`.

    Returns:
        The backbone. Its inputs are `token_ids`, `segment_ids` and
        `padding_mask`, all `[batch, length]` integers.
    """
    return post_norm.build(
        "ElectraBackbone",
        hidden_dim,
        intermediate_dim,
        vocab_size=vocabulary_size,
        num_layers=num_layers,
        num_heads=num_heads,
        embedding_dim=embedding_dim,
        dropout=dropout,
        max_sequence_length=max_sequence_length,
        **kwargs,
    )


def _arguments(shape: StudentShape, pairs: bool = False) -> dict[str, Any]:
    """Return what `electra` takes for a student's shape."""
    more = {"embedding_dim": shape.embedding_dim}
    return post_norm.arguments(shape, pairs) | more


SIZES = {key: x for key, x in names.SIZES.items() if key != "vocabulary_size"}
NAMES = names.Names(
    prefix="electra.",
    sizes=SIZES
    | {"vocab_size": "vocab_size", "embedding_dim": "embedding_size"},
    defaults=names.DEFAULTS | {"embedding_size": 128},
    layer=names.LAYER,
    projection="embeddings_project",
    # The generator's.
    masked_lm=(
        "generator_predictions.dense",
        "generator_predictions.LayerNorm",
        "generator_lm_head",
    ),
    decoder="generator_lm_head",
    is_masked_lm=r"generator_(predictions|lm_head)\.",
    is_other=rf"discriminator_predictions\.|{names.OTHER}",
)


def _masked_lm() -> type:
    from tfminilm.families.masked_lm import ElectraMaskedLM

    return ElectraMaskedLM


FAMILY = Family(
    name="electra",
    title="ELECTRA",
    backbone="ElectraBackbone",
    tokens=dataclasses.replace(WORD_PIECES, tokenizer="ElectraTokenizer"),
    students={"electra": electra},
    arguments=_arguments,
    hugging_face=HuggingFace(
        "electra",
        "Electra",
        names=NAMES,
        reader=post_norm.reader,
        masked_lm=post_norm.masked_lm,
        contents=post_norm.contents,
        classifier=names.CLASSIFIER,
        classifier_activation="gelu",
    ),
    masked_lm=_masked_lm,
    masked_lm_activation="gelu",
    exposure=post_norm.exposure,
    computes_with=("gelu_approximate", 1e-12),
    mobile_graph="post_norm",
)
