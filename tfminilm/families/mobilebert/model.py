"""MobileBERT as KerasHub has its models: a backbone, and a masked LM."""

from typing import Any

import keras
import keras_hub
from keras import layers

from tfminilm.errors import UserError
from tfminilm.layers.bottleneck import (
    ATTENTION_INPUTS,
    BottleneckEncoder,
    initializer,
)
from tfminilm.layers.factorised_head import FactorisedMaskedLMHead
from tfminilm.layers.no_norm import EPSILON, NORMALIZATIONS, norm
from tfminilm.layers.trigrams import Trigrams
from tfminilm.typing import Policy, Tensor

# What of a backbone's config is its encoder layers'.
_LAYER_FIELDS = (
    "num_heads",
    "bottleneck_dim",
    "intermediate_dim",
    "num_feedforwards",
    "attention_input",
    "normalization",
    "activation",
    "dropout",
    "attention_dropout",
    "epsilon",
    "outer_epsilon",
)
_FIELDS = (
    "vocabulary_size",
    "num_layers",
    "hidden_dim",
    "embedding_dim",
    *_LAYER_FIELDS,
    "max_sequence_length",
    "num_segments",
    "pooler",
)


@keras.saving.register_keras_serializable(package="tfminilm")
class MobileBertBackbone(keras_hub.models.Backbone):
    """MobileBERT and IB-BERT: see `tfminilm.students.mobilebert`."""

    def __init__(
        self,
        vocabulary_size: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        bottleneck_dim: int,
        intermediate_dim: int,
        embedding_dim: int,
        num_feedforwards: int = 1,
        attention_input: str = "shared",
        normalization: str = "no_norm",
        activation: str = "relu",
        max_sequence_length: int = 512,
        num_segments: int = 2,
        dropout: float = 0.0,
        attention_dropout: float = 0.1,
        epsilon: float = EPSILON,
        outer_epsilon: float = EPSILON,
        pooler: bool = False,
        dtype: Policy = None,
        **kwargs: Any,
    ):
        arguments = locals()
        config = {name: arguments[name] for name in _FIELDS}
        _check(config)
        self._make_embeddings(config, dtype)
        self._make_layers(config, dtype)
        inputs = {
            name: keras.Input((None,), dtype="int32", name=name)
            for name in ("token_ids", "segment_ids", "padding_mask")
        }
        super().__init__(
            inputs=inputs,
            outputs=self._outputs(**inputs),
            dtype=dtype,
            **kwargs,
        )
        for name, value in config.items():
            setattr(self, name, value)
        self.cls_token_index = 0

    def _make_embeddings(self, config: dict[str, Any], dtype: Policy) -> None:
        width = config["hidden_dim"]
        self.token_embedding = keras_hub.layers.ReversibleEmbedding(
            config["vocabulary_size"],
            config["embedding_dim"],
            embeddings_initializer=initializer(),
            dtype=dtype,
            name="token_embedding",
        )
        self.trigrams = Trigrams(dtype=dtype, name="trigrams")
        self.embeddings_projection = _dense(
            width, dtype, "embeddings_projection"
        )
        self.position_embedding = keras_hub.layers.PositionEmbedding(
            config["max_sequence_length"],
            initializer=initializer(),
            dtype=dtype,
            name="position_embedding",
        )
        self.segment_embedding = layers.Embedding(
            config["num_segments"],
            width,
            embeddings_initializer=initializer(),
            dtype=dtype,
            name="segment_embedding",
        )
        self.embeddings_add = layers.Add(dtype=dtype, name="embeddings_add")
        self.embeddings_norm = norm(
            config["normalization"],
            config["outer_epsilon"],
            dtype=dtype,
            name="embeddings_norm",
        )
        self.embeddings_dropout = layers.Dropout(
            config["dropout"], dtype=dtype, name="embeddings_dropout"
        )

    def _make_layers(self, config: dict[str, Any], dtype: Policy) -> None:
        self.transformer_layers = [
            BottleneckEncoder(
                **{name: config[name] for name in _LAYER_FIELDS},
                dtype=dtype,
                name=f"transformer_layer_{index}",
            )
            for index in range(config["num_layers"])
        ]
        self.pooled_dense = None
        if config["pooler"]:
            self.pooled_dense = _dense(
                config["hidden_dim"], dtype, "pooled_dense", "tanh"
            )

    def _outputs(
        self, token_ids: Tensor, segment_ids: Tensor, padding_mask: Tensor
    ) -> dict[str, Any]:
        x = self.trigrams(
            self.token_embedding(token_ids), padding_mask=padding_mask
        )
        x = self.embeddings_projection(x)
        x = self.embeddings_add(
            (x, self.position_embedding(x), self.segment_embedding(segment_ids))
        )
        x = self.embeddings_dropout(self.embeddings_norm(x))
        for layer in self.transformer_layers:
            x = layer(x, padding_mask=padding_mask)
        first = x[:, 0, :]
        pooled = self.pooled_dense(first) if self.pooled_dense else first
        return {"sequence_output": x, "pooled_output": pooled}

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            name: getattr(self, name) for name in _FIELDS
        }


@keras.saving.register_keras_serializable(package="tfminilm")
class MobileBertMaskedLM(keras_hub.models.MaskedLM):
    """A `MobileBertBackbone` that names masked tokens.

    Args:
        backbone: reads the text.
        preprocessor: as other KerasHub tasks have it, or `None`.
        next_sentence: whether it also says if a second text follows the
            first, from the backbone's pooled output.

    Call arguments:
        inputs: what `backbone` reads, and `mask_positions`
            `[batch, masked]`.

    Returns:
        Logits `[batch, masked, vocabulary_size]` in float32; with
        `next_sentence` a dict of them, "logits", and
        "next_sentence_logits" `[batch, 2]`: it follows, it does not.
    """

    backbone_cls = MobileBertBackbone

    def __init__(
        self,
        backbone: MobileBertBackbone,
        preprocessor: keras_hub.models.Preprocessor | None = None,
        next_sentence: bool = False,
        **kwargs: Any,
    ):
        self.backbone = backbone
        self.preprocessor = preprocessor
        self.masked_lm_head = FactorisedMaskedLMHead(
            backbone.token_embedding,
            backbone.activation,
            backbone.epsilon,
            dtype=backbone.dtype_policy,
            name="mlm_head",
        )
        positions = keras.Input((None,), dtype="int32", name="mask_positions")
        inputs = {**backbone.input, "mask_positions": positions}
        read = backbone(backbone.input)
        outputs = self.masked_lm_head(read["sequence_output"], positions)
        if next_sentence:
            head = _dense(2, backbone.dtype_policy, "next_sentence")
            outputs = {
                "logits": outputs,
                "next_sentence_logits": head(read["pooled_output"]),
            }
        kwargs.setdefault("compile", False)
        super().__init__(inputs=inputs, outputs=outputs, **kwargs)
        self.next_sentence = next_sentence

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"next_sentence": self.next_sentence}


def _check(config: dict[str, Any]) -> None:
    for name, choices in (
        ("attention_input", ATTENTION_INPUTS),
        ("normalization", NORMALIZATIONS),
    ):
        if config[name] not in choices:
            raise UserError(
                f"MobileBERT: {name} is {config[name]!r}, expected "
                f"{' or '.join(choices)}"
            )
    width, heads = config["bottleneck_dim"], config["num_heads"]
    if width % heads:
        raise UserError(
            f"MobileBERT: attention splits the bottleneck into heads, and "
            f"{width} is no multiple of {heads}: choose a bottleneck_dim that "
            "is"
        )
    if config["embedding_dim"] > config["hidden_dim"]:
        raise UserError(
            f"MobileBERT: embedding_dim {config['embedding_dim']} is above "
            f"hidden_dim {config['hidden_dim']}, expected at most that"
        )


def _dense(
    units: int, dtype: Policy, name: str, activation: str | None = None
) -> layers.Dense:
    return layers.Dense(
        units,
        activation=activation,
        kernel_initializer=initializer(),
        dtype=dtype,
        name=name,
    )
