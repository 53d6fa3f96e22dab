"""DeBERTa-v3: distances between tokens instead of places, in each layer."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tfminilm.families import post_norm
from tfminilm.families.deberta_v3 import folder
from tfminilm.families.family import Exposure, Family, HuggingFace, Tokens
from tfminilm.families.hugging_face import names

if TYPE_CHECKING:
    import keras

# What `transformers` takes for granted describes DeBERTa-v2, another model.
_DEFAULTS = {
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-7,
    "hidden_dropout_prob": 0.1,
    "relative_attention": False,
    "share_att_key": False,
    "position_biased_input": True,
    "norm_rel_ebd": "none",
    "pos_att_type": None,
}
# Of all models of the third version: distances count in each layer, through
# the tokens' own projections, and places do not.
_WRITTEN = {
    "relative_attention": True,
    "share_att_key": True,
    "position_biased_input": False,
    "norm_rel_ebd": "layer_norm",
    "pos_att_type": ["p2c", "c2p"],
    "max_relative_positions": -1,
    "type_vocab_size": 0,
    "pooler_hidden_act": "gelu",
}


def deberta_v3(
    num_layers: int,
    hidden_dim: int,
    num_heads: int = 12,
    intermediate_dim: int | None = None,
    vocabulary_size: int = 128_100,
    max_sequence_length: int = 512,
    dropout: float = 0.1,
    **kwargs: Any,
) -> "keras.Model":
    """Build a randomly initialised `keras_hub.models.DebertaV3Backbone`.

    Its attention sorts the distances of tokens into as many buckets to each
    side as half of `max_sequence_length`. Where KerasHub's class sorts some
    of them wrong, it is this package's class of the same name.

    Args:
        num_layers: encoder layers.
        hidden_dim: width; a multiple of `num_heads`.
        num_heads: attention heads. MiniLM needs the teacher's number.
        intermediate_dim: width of the feed-forward block; four times
            `hidden_dim` if not given.
        vocabulary_size: the teacher's; 128,100 is DeBERTa-v3's.
        max_sequence_length: twice the buckets; the teacher's, where the
            student starts from one.
        dropout: rate in training.
        **kwargs: what else `DebertaV3Backbone` takes, such as `dtype`.

    Returns:
        The backbone. Its inputs are `token_ids` and `padding_mask`, both
        `[batch, length]` integers.
    """
    import keras_hub

    from tfminilm.families import backbones

    sizes = {"bucket_size": max_sequence_length // 2} | kwargs
    sizes["max_sequence_length"] = max_sequence_length
    cls: Any = keras_hub.models.DebertaV3Backbone
    if not _suits(sizes):
        cls = backbones.variants(FAMILY).backbone
        assert FAMILY.computes_with is not None
        activation, epsilon = FAMILY.computes_with
        sizes |= {"activation": activation, "layer_norm_epsilon": epsilon}
    return cls(
        vocabulary_size=vocabulary_size,
        num_layers=num_layers,
        num_heads=num_heads,
        hidden_dim=hidden_dim,
        intermediate_dim=intermediate_dim or 4 * hidden_dim,
        dropout=dropout,
        **sizes,
    )


def _suits(sizes: Mapping[str, Any]) -> bool:
    """Tell whether KerasHub's class sorts distances as DeBERTa does."""
    from tfminilm.layers.disentangled import is_exact

    return is_exact(sizes["bucket_size"], sizes["max_sequence_length"])


def _flops(backbone: "keras.Model", length: int) -> int:
    """Count the products with all distances that occur, to both sides."""
    hidden = backbone.hidden_dim
    dense = 4 * hidden * hidden + 2 * hidden * backbone.intermediate_dim
    attention = 2 * length * hidden + 2 * (2 * length - 1) * hidden
    return 2 * length * backbone.num_layers * (dense + attention)


def _exposure() -> Exposure:
    from tfminilm.layers.disentangled import (
        DisentangledParts,
        ExposedDisentangled,
    )
    from tfminilm.private.encoders import disentangled_encoder

    return Exposure(
        disentangled_encoder(), ExposedDisentangled, DisentangledParts
    )


NAMES = names.Names(
    prefix="deberta.",
    sizes=names.SIZES | {"bucket_size": "position_buckets"},
    defaults=_DEFAULTS,
    layer=(
        "attention.self.query_proj",
        "attention.self.key_proj",
        "attention.self.value_proj",
        *names.LAYER[3:],
    ),
    masked_lm=(
        "cls.predictions.transform.dense",
        "cls.predictions.transform.LayerNorm",
        "cls.predictions",
    ),
    new_masked_lm=(
        "lm_predictions.lm_head.dense",
        "lm_predictions.lm_head.LayerNorm",
        "lm_predictions.lm_head",
    ),
    decoder="cls.predictions.decoder",
    is_masked_lm=r"(cls|lm)[._]predictions\.",
    # Its generator's and its discriminator's heads come with the published
    # one, and a table of places that nothing reads.
    is_other=r"((cls\.|lm_|mask_)predictions|pooler)\.|"
    rf"(deberta\.)?embeddings\.position_embeddings\.|{names.OTHER}",
    written=_WRITTEN,
    require=folder.require,
    suits=_suits,
)
FAMILY = Family(
    name="deberta_v3",
    title="DeBERTa-v3",
    backbone="DebertaV3Backbone",
    tokens=Tokens("DebertaV3Tokenizer", 128_100, read=folder.read_tokenizer),
    hugging_face=HuggingFace(
        "deberta-v2",
        "DebertaV2",
        names=NAMES,
        reader=post_norm.reader,
        masked_lm=post_norm.masked_lm,
        contents=folder.contents,
        classifier={"pooled_dense": "pooler.dense", "logits": "classifier"},
        classifier_activation="gelu",
        # KerasHub's has the backbone's rate behind its dense layer.
        classifier_dropout=("pooler_dropout",),
    ),
    students={"deberta_v3": deberta_v3},
    arguments=post_norm.arguments,
    exposure=_exposure,
    flops=_flops,
    computes_with=("gelu", 1e-7),
    mobile_graph="disentangled",
)
