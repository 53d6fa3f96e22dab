"""Students of XLM-R's shape: its vocabulary, its inputs, fewer layers."""

from typing import TYPE_CHECKING, Any

from tfminilm.families import camembert, post_norm, tiny
from tfminilm.families.family import Family, HuggingFace, Tokens
from tfminilm.families.hugging_face import names
from tfminilm.families.roberta import NAMES, contents

if TYPE_CHECKING:
    import keras


def xlm_roberta(
    num_layers: int,
    hidden_dim: int,
    num_heads: int = 12,
    intermediate_dim: int | None = None,
    vocabulary_size: int = 250_002,
    max_sequence_length: int = 512,
    dropout: float = 0.1,
    **kwargs: Any,
) -> "keras.Model":
    """Build a randomly initialised `keras_hub.models.XLMRobertaBackbone`.

    It has no segment table and no pooler, and goes with XLM-R's tokenizer in
    all of KerasHub's tasks.

    Args:
        num_layers: encoder layers.
        hidden_dim: width; a multiple of `num_heads`.
        num_heads: attention heads. MiniLM needs the teacher's number.
        intermediate_dim: width of the feed-forward block; four times
            `hidden_dim` if not given.
        vocabulary_size: the teacher's; 250,002 is XLM-R's.
        max_sequence_length: rows of the position table.
        dropout: rate in training.
        **kwargs: what else `XLMRobertaBackbone` takes, such as `dtype`.

    Returns:
        The backbone. Its inputs are `token_ids` and `padding_mask`, both
        `[batch, length]` integers.
    """
    return post_norm.build(
        "XLMRobertaBackbone",
        hidden_dim,
        intermediate_dim,
        vocabulary_size=vocabulary_size,
        num_layers=num_layers,
        num_heads=num_heads,
        dropout=dropout,
        max_sequence_length=max_sequence_length,
        **kwargs,
    )


FAMILY = Family(
    name="xlm_roberta",
    title="XLM-R",
    backbone="XLMRobertaBackbone",
    tokens=Tokens(
        "XLMRobertaTokenizer",
        250_002,
        # It was trained with two of them between the texts, as RoBERTa.
        separators=2,
        tiny="xlm_roberta",
        tiny_tokenizer=tiny.sentence_pieces,
    ),
    students={"xlm_roberta": xlm_roberta},
    arguments=post_norm.arguments,
    hugging_face=HuggingFace(
        "xlm-roberta",
        "XLMRoberta",
        names=NAMES,
        relatives=(camembert.RELATIVE,),
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
