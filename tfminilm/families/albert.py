"""ALBERT: layers that share their weights, and a narrow token table."""

from typing import TYPE_CHECKING, Any

from tfminilm.families import post_norm
from tfminilm.families.family import Family, HuggingFace, Tokens
from tfminilm.families.hugging_face import names

if TYPE_CHECKING:
    import keras

    from tfminilm.families.hugging_face.names import Names

NAMES = names.Names(
    prefix="albert.",
    sizes=names.SIZES | {"embedding_dim": "embedding_size"},
    defaults=names.DEFAULTS
    | {
        "hidden_act": "gelu_new",
        "hidden_dropout_prob": 0.0,
        "num_hidden_groups": 1,
        "inner_group_num": 1,
        "classifier_dropout_prob": 0.1,
    },
    stack="encoder.albert_layer_groups",
    layer=(
        "attention.query",
        "attention.key",
        "attention.value",
        "attention.dense",
        "attention.LayerNorm",
        "ffn",
        "ffn_output",
        "full_layer_layer_norm",
    ),
    projection="encoder.embedding_hidden_mapping_in",
    pooler="pooler",
    masked_lm=("predictions.dense", "predictions.LayerNorm", "predictions"),
    decoder="predictions.decoder",
    is_masked_lm=r"predictions\.",
    is_other=rf"sop_classifier\.|{names.OTHER}",
)


def _contents(
    names: "Names", backbone: "keras.Model"
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a folder's settings, with the groups, and its layers."""
    settings, layers = post_norm.contents(names, backbone)
    settings["num_hidden_groups"] = backbone.num_groups
    settings["inner_group_num"] = backbone.num_inner_repetitions
    return settings, layers


FAMILY = Family(
    name="albert",
    title="ALBERT",
    backbone="AlbertBackbone",
    tokens=Tokens("AlbertTokenizer", 30_000),
    hugging_face=HuggingFace(
        "albert",
        "Albert",
        names=NAMES,
        reader=post_norm.reader,
        masked_lm=post_norm.masked_lm,
        contents=_contents,
        classifier_dropout=("classifier_dropout_prob",),
    ),
    exposure=post_norm.exposure,
    computes_with=("gelu_approximate", 1e-12),
    classifier_pools=True,
)
