"""RoBERTa: BERT without segments, its tokens byte-level pieces."""

from typing import TYPE_CHECKING, Any

from tfminilm.families import post_norm, tiny
from tfminilm.families.family import Family, HuggingFace, Tokens
from tfminilm.families.hugging_face import names

if TYPE_CHECKING:
    import keras


def roberta(
    num_layers: int,
    hidden_dim: int,
    num_heads: int = 12,
    intermediate_dim: int | None = None,
    vocabulary_size: int = 50_265,
    max_sequence_length: int = 512,
    dropout: float = 0.1,
    **kwargs: Any,
) -> "keras.Model":
    """Build a randomly initialised `keras_hub.models.RobertaBackbone`.

    It has no segment table and no pooler, and goes with RoBERTa's tokenizer
    in all of KerasHub's tasks.

    Args:
        num_layers: encoder layers.
        hidden_dim: width; a multiple of `num_heads`.
        num_heads: attention heads. MiniLM needs the teacher's number.
        intermediate_dim: width of the feed-forward block; four times
            `hidden_dim` if not given.
        vocabulary_size: the teacher's; 50,265 is RoBERTa's.
        max_sequence_length: rows of the position table.
        dropout: rate in training.
        **kwargs: what else `RobertaBackbone` takes, such as `dtype`.

    Returns:
        The backbone. Its inputs are `token_ids` and `padding_mask`, both
        `[batch, length]` integers.
    """
    return post_norm.build(
        "RobertaBackbone",
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
    prefix="roberta.",
    sizes=names.SIZES,
    defaults=names.DEFAULTS | {"pad_token_id": 1},
    has_pads_position=True,
    layer=names.LAYER,
    masked_lm=("lm_head.dense", "lm_head.layer_norm", "lm_head"),
    decoder="lm_head.decoder",
    is_masked_lm=r"lm_head\.",
    # KerasHub's has no pooler.
    is_other=rf"{names.OTHER}|(roberta\.)?pooler\.dense\.",
)


def contents(
    names: names.Names, backbone: "keras.Model"
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a folder's settings and its layers by PyTorch's modules.

    The only token type is zero. A pooler, which KerasHub's model has not,
    gives the tanh of the first token's state.
    """
    import numpy as np

    from tfminilm.families.hugging_face import writer

    settings, layers = writer.contents(names, backbone)
    positions = writer.padded_positions(names, backbone, settings)
    width = backbone.hidden_dim
    layers["embeddings.position_embeddings"] = positions
    types = writer.table(np.zeros((1, width)))
    layers["embeddings.token_type_embeddings"] = types
    layers["pooler.dense"] = writer.identity(width)
    return settings, layers


FAMILY = Family(
    name="roberta",
    title="RoBERTa",
    backbone="RobertaBackbone",
    # It was trained with two end tokens between the texts.
    tokens=Tokens(
        "RobertaTokenizer",
        50_265,
        separators=2,
        tiny="roberta",
        tiny_tokenizer=tiny.byte_pairs,
    ),
    students={"roberta": roberta},
    arguments=post_norm.arguments,
    hugging_face=HuggingFace(
        "roberta",
        "Roberta",
        names=NAMES,
        reader=post_norm.reader,
        masked_lm=post_norm.masked_lm,
        contents=contents,
        classifier=names.CLASSIFIER,
    ),
    exposure=post_norm.exposure,
    computes_with=("gelu", 1e-5),
    masked_lm_activation="gelu",
    mobile_graph="post_norm",
)
