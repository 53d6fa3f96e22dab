"""Name the parts of KerasHub's post-norm encoders as `transformers` does."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tfminilm.private.encoders import encoder_parts


class Names(NamedTuple):
    """Names of a family's settings and tensors in a Hugging Face folder.

    Names of modules are those behind `prefix`, but for `masked_lm`.

    Attributes:
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


SIZES = {
    "vocabulary_size": "vocab_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "hidden_dim": "hidden_size",
    "intermediate_dim": "intermediate_size",
    "max_sequence_length": "max_position_embeddings",
}
DEFAULTS = {
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "hidden_dropout_prob": 0.1,
    "type_vocab_size": 2,
}
LAYER = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "attention.output.LayerNorm",
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm",
)
OTHER = r"classifier\.|qa_outputs\."


def modules(names: Names, backbone: Any) -> Iterator[tuple[str, Any]]:
    """Yield a KerasHub backbone's layers by the names of PyTorch's modules.

    The pooler is left out, and where `has_pads_position`, the positions.
    """
    yield "embeddings.word_embeddings", backbone.token_embedding
    yield "embeddings.LayerNorm", backbone.embeddings_layer_norm
    if hasattr(backbone, "segment_embedding"):
        yield "embeddings.position_embeddings", backbone.position_embedding
        yield "embeddings.token_type_embeddings", backbone.segment_embedding
    elif not names.has_pads_position:
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
        for name, part in zip(names.layer, parts, strict=True):
            yield f"{names.stack}.{place}.{name}", part


def _layers(backbone: Any) -> Iterator[tuple[str, Any]]:
    """The encoder layers; ALBERT has groups of them."""
    for index, layer in enumerate(backbone.transformer_layers):
        if isinstance(layer, list):
            for inner, part in enumerate(layer):
                yield f"{index}.albert_layers.{inner}", part
        else:
            yield f"{index}", layer
