"""Map `transformers`' names of BERT, RoBERTa, DistilBERT and ALBERT."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tfminilm.private.encoders import encoder_parts


class Family(NamedTuple):
    """A kind of model: its settings and its tensors in a Hugging Face folder.

    Names of modules are those behind `prefix`, but for `masked_lm`.

    Attributes:
        backbone: the name of KerasHub's class.
        prefix: what names begin with where the model has a head.
        sizes: settings that have to be there, by KerasHub's names.
        defaults: settings that need not be there.
        activation: the setting of the feed-forward blocks' activation.
        dropout: the setting of the hidden states' dropout.
        has_pads_position: whether real positions begin behind `pad_token_id`,
            and the first token type is added to all: as in RoBERTa.
        stack: where the encoder layers are.
        layer: a layer's queries, keys, values, attention output and its norm,
            then its two dense layers and the norm behind them.
        pooler: the layer in front of KerasHub's `pooled_output`, if it has one.
        masked_lm: the head for masked tokens: a dense layer, a norm, and what
            has the bias of the logits.
        decoder: where the token table and that bias are stored once more.
        is_masked_lm: a pattern of all names in that head.
        is_other: a pattern of what belongs to other heads.
    """

    backbone: str
    prefix: str
    sizes: Mapping[str, str]
    defaults: Mapping[str, Any]
    layer: tuple[str, ...]
    masked_lm: tuple[str, str, str]
    decoder: str
    is_masked_lm: str
    is_other: str
    activation: str = "hidden_act"
    dropout: str = "hidden_dropout_prob"
    has_pads_position: bool = False
    stack: str = "encoder.layer"
    pooler: str | None = None


_SIZES = {
    "vocabulary_size": "vocab_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "hidden_dim": "hidden_size",
    "intermediate_dim": "intermediate_size",
    "max_sequence_length": "max_position_embeddings",
}
_DEFAULTS = {
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "hidden_dropout_prob": 0.1,
    "type_vocab_size": 2,
}
_LAYER = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "attention.output.LayerNorm",
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm",
)
_OTHER = r"classifier\.|qa_outputs\."
_BERT = Family(
    backbone="BertBackbone",
    prefix="bert.",
    sizes=_SIZES,
    defaults=_DEFAULTS,
    layer=_LAYER,
    pooler="pooler.dense",
    masked_lm=(
        "cls.predictions.transform.dense",
        "cls.predictions.transform.LayerNorm",
        "cls.predictions",
    ),
    decoder="cls.predictions.decoder",
    is_masked_lm=r"cls\.predictions\.",
    is_other=rf"cls\.seq_relationship\.|{_OTHER}",
)
_ROBERTA = Family(
    backbone="RobertaBackbone",
    prefix="roberta.",
    sizes=_SIZES,
    defaults=_DEFAULTS | {"pad_token_id": 1},
    has_pads_position=True,
    layer=_LAYER,
    masked_lm=("lm_head.dense", "lm_head.layer_norm", "lm_head"),
    decoder="lm_head.decoder",
    is_masked_lm=r"lm_head\.",
    # KerasHub's has no pooler.
    is_other=rf"{_OTHER}|(roberta\.)?pooler\.dense\.",
)
_DISTILBERT = Family(
    backbone="DistilBertBackbone",
    prefix="distilbert.",
    sizes=_SIZES
    | {
        "num_layers": "n_layers",
        "num_heads": "n_heads",
        "hidden_dim": "dim",
        "intermediate_dim": "hidden_dim",
    },
    defaults={"activation": "gelu", "dropout": 0.1},
    activation="activation",
    dropout="dropout",
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
    is_other=rf"pre_classifier\.|{_OTHER}",
)
_ALBERT = Family(
    backbone="AlbertBackbone",
    prefix="albert.",
    sizes=_SIZES | {"embedding_dim": "embedding_size"},
    defaults=_DEFAULTS
    | {
        "hidden_act": "gelu_new",
        "hidden_dropout_prob": 0.0,
        "num_hidden_groups": 1,
        "inner_group_num": 1,
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
    pooler="pooler",
    masked_lm=("predictions.dense", "predictions.LayerNorm", "predictions"),
    decoder="predictions.decoder",
    is_masked_lm=r"predictions\.",
    is_other=rf"sop_classifier\.|{_OTHER}",
)
# By the `model_type` of a folder.
FAMILIES: Mapping[str, Family] = {
    "albert": _ALBERT,
    "bert": _BERT,
    "distilbert": _DISTILBERT,
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA._replace(backbone="XLMRobertaBackbone"),
}


def modules(family: Family, backbone: Any) -> Iterator[tuple[str, Any]]:
    """The layers of a KerasHub backbone, by the names of PyTorch's modules.

    The pooler is left out, and where `has_pads_position`, the positions.
    """
    yield "embeddings.word_embeddings", backbone.token_embedding
    yield "embeddings.LayerNorm", backbone.embeddings_layer_norm
    if hasattr(backbone, "segment_embedding"):
        yield "embeddings.position_embeddings", backbone.position_embedding
        yield "embeddings.token_type_embeddings", backbone.segment_embedding
    elif not family.has_pads_position:
        positions = backbone.embeddings.position_embedding
        yield "embeddings.position_embeddings", positions
    if hasattr(backbone, "embeddings_projection"):
        projection = backbone.embeddings_projection
        yield "encoder.embedding_hidden_mapping_in", projection
    for place, layer in _layers(backbone):
        attention = encoder_parts(layer).attention
        parts = (
            attention.query_dense,
            attention.key_dense,
            attention.value_dense,
            attention.output_dense,
            encoder_parts(layer).attention_norm,
            encoder_parts(layer).intermediate,
            encoder_parts(layer).output,
            encoder_parts(layer).feedforward_norm,
        )
        for name, part in zip(family.layer, parts, strict=True):
            yield f"{family.stack}.{place}.{name}", part


def _layers(backbone: Any) -> Iterator[tuple[str, Any]]:
    """The encoder layers; ALBERT has groups of them."""
    for index, layer in enumerate(backbone.transformer_layers):
        if isinstance(layer, list):
            for inner, part in enumerate(layer):
                yield f"{index}.albert_layers.{inner}", part
        else:
            yield f"{index}", layer
