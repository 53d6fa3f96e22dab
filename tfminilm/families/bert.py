"""Students of BERT's shape: fewer layers, narrower, otherwise the same."""

from typing import TYPE_CHECKING, Any

from tfminilm.families import post_norm, tiny
from tfminilm.families.family import Family, HuggingFace, Tokens
from tfminilm.families.hugging_face import names

if TYPE_CHECKING:
    import keras


def bert(
    num_layers: int,
    hidden_dim: int,
    num_heads: int = 12,
    intermediate_dim: int | None = None,
    vocabulary_size: int = 30522,
    max_sequence_length: int = 512,
    dropout: float = 0.1,
    **kwargs: Any,
) -> "keras.Model":
    """Build a randomly initialised `keras_hub.models.BertBackbone`.

    Nothing of this package is inside: it saves, loads and fine-tunes like any
    KerasHub backbone.

    Args:
        num_layers: encoder layers.
        hidden_dim: width; a multiple of `num_heads`.
        num_heads: attention heads. MiniLM needs the teacher's number.
        intermediate_dim: width of the feed-forward block; four times
            `hidden_dim` if not given.
        vocabulary_size: the teacher's.
        max_sequence_length: rows of the position table.
        dropout: rate in training.
        **kwargs: what else `BertBackbone` takes, such as `dtype` or `name`.

    Returns:
        The backbone. Its inputs are `token_ids`, `segment_ids` and
        `padding_mask`, all `[batch, length]` integers.
    """
    return post_norm.build(
        "BertBackbone",
        hidden_dim,
        intermediate_dim,
        vocabulary_size=vocabulary_size,
        num_layers=num_layers,
        num_heads=num_heads,
        dropout=dropout,
        max_sequence_length=max_sequence_length,
        **kwargs,
    )


WORD_PIECES = Tokens(
    "BertTokenizer",
    30_522,
    tiny="bert",
    tiny_tokenizer=tiny.word_pieces,
    special={"cls": "[CLS]", "sep": "[SEP]", "pad": "[PAD]", "mask": "[MASK]"},
)


NAMES = names.Names(
    prefix="bert.",
    sizes=names.SIZES,
    defaults=names.DEFAULTS,
    layer=names.LAYER,
    pooler="pooler.dense",
    masked_lm=(
        "cls.predictions.transform.dense",
        "cls.predictions.transform.LayerNorm",
        "cls.predictions",
    ),
    decoder="cls.predictions.decoder",
    is_masked_lm=r"cls\.predictions\.",
    is_other=rf"cls\.seq_relationship\.|{names.OTHER}",
)


FAMILY = Family(
    name="bert",
    title="BERT",
    backbone="BertBackbone",
    tokens=WORD_PIECES,
    students={"bert": bert},
    arguments=post_norm.arguments,
    exposure=post_norm.exposure,
    classifier_pools=True,
    computes_with=("gelu_approximate", 1e-12),
    hugging_face=HuggingFace(
        "bert",
        "Bert",
        names=NAMES,
        reader=post_norm.reader,
        masked_lm=post_norm.masked_lm,
        contents=post_norm.contents,
    ),
    mobile_graph="post_norm",
)
