"""ModernBERT as KerasHub has its models: a backbone, and a masked LM."""

import math
from typing import Any

import keras
import keras_hub
from keras import layers

from tfminilm.errors import UserError
from tfminilm.layers.bottleneck import initializer
from tfminilm.layers.gated import GatedEncoder, scale_norm
from tfminilm.layers.tied_head import TiedMaskedLMHead
from tfminilm.typing import Policy

_FIELDS = (
    "vocabulary_size",
    "num_layers",
    "num_heads",
    "hidden_dim",
    "intermediate_dim",
    "global_every",
    "local_attention",
    "global_rope_theta",
    "local_rope_theta",
    "activation",
    "max_sequence_length",
    "dropout",
    "embedding_dropout",
    "attention_dropout",
    "epsilon",
)


@keras.saving.register_keras_serializable(package="tfminilm")
class ModernBertBackbone(keras_hub.models.Backbone):
    """ModernBERT (arXiv 2412.13663): see `tfminilm.students.modernbert`.

    Layer 0, and each `global_every`-th from there, attends to all tokens; the
    others attend to `local_attention // 2` to either side. A layer's queries
    and keys are turned by their positions, so that there is no position
    table: `max_sequence_length` is how long texts were that it has seen. The
    last layer's states go through `final_norm`.
    """

    def __init__(
        self,
        vocabulary_size: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        intermediate_dim: int,
        global_every: int = 3,
        local_attention: int = 128,
        global_rope_theta: float = 160_000.0,
        local_rope_theta: float = 10_000.0,
        activation: str = "gelu",
        max_sequence_length: int = 8192,
        dropout: float = 0.0,
        embedding_dropout: float = 0.0,
        attention_dropout: float = 0.0,
        epsilon: float = 1e-5,
        dtype: Policy = None,
        **kwargs: Any,
    ):
        arguments = locals()
        config = {name: arguments[name] for name in _FIELDS}
        _check(config)
        self.token_embedding = keras_hub.layers.ReversibleEmbedding(
            vocabulary_size,
            hidden_dim,
            embeddings_initializer=initializer(),
            dtype=dtype,
            name="token_embedding",
        )
        self.embeddings_layer_norm = scale_norm(
            epsilon, dtype, "embeddings_layer_norm"
        )
        self.embeddings_dropout = layers.Dropout(
            embedding_dropout, dtype=dtype, name="embeddings_dropout"
        )
        self.transformer_layers = [
            _layer(index, config, dtype) for index in range(num_layers)
        ]
        self.final_norm = scale_norm(epsilon, dtype, "final_norm")
        inputs = {
            name: keras.Input((None,), dtype="int32", name=name)
            for name in ("token_ids", "padding_mask")
        }
        x = self.embeddings_layer_norm(
            self.token_embedding(inputs["token_ids"])
        )
        x = self.embeddings_dropout(x)
        for layer in self.transformer_layers:
            x = layer(x, padding_mask=inputs["padding_mask"])
        super().__init__(
            inputs=inputs, outputs=self.final_norm(x), dtype=dtype, **kwargs
        )
        for name, value in config.items():
            setattr(self, name, value)
        self.cls_token_index = 0

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            name: getattr(self, name) for name in _FIELDS
        }


@keras.saving.register_keras_serializable(package="tfminilm")
class ModernBertMaskedLM(keras_hub.models.MaskedLM):
    """A `ModernBertBackbone` that names masked tokens.

    Args:
        backbone: reads the text.
        preprocessor: as other KerasHub tasks have it, or `None`.

    Call arguments:
        inputs: what `backbone` reads, and `mask_positions`
            `[batch, masked]`.

    Returns:
        Logits `[batch, masked, vocabulary_size]` in float32.
    """

    backbone_cls = ModernBertBackbone

    def __init__(
        self,
        backbone: ModernBertBackbone,
        preprocessor: keras_hub.models.Preprocessor | None = None,
        **kwargs: Any,
    ):
        self.backbone = backbone
        self.preprocessor = preprocessor
        self.masked_lm_head = TiedMaskedLMHead(
            backbone.token_embedding,
            epsilon=backbone.epsilon,
            dtype=backbone.dtype_policy,
            name="mlm_head",
        )
        positions = keras.Input((None,), dtype="int32", name="mask_positions")
        inputs = {**backbone.input, "mask_positions": positions}
        outputs = self.masked_lm_head(backbone(backbone.input), positions)
        kwargs.setdefault("compile", False)
        super().__init__(inputs=inputs, outputs=outputs, **kwargs)


def _layer(index: int, config: dict[str, Any], dtype: Policy) -> GatedEncoder:
    is_global = index % config["global_every"] == 0
    kind = "global" if is_global else "local"
    return GatedEncoder(
        num_heads=config["num_heads"],
        intermediate_dim=config["intermediate_dim"],
        rope_theta=config[f"{kind}_rope_theta"],
        window=None if is_global else config["local_attention"] // 2,
        normalizes_attention=index > 0,
        activation=config["activation"],
        dropout=config["dropout"],
        attention_dropout=config["attention_dropout"],
        epsilon=config["epsilon"],
        output_stddev=0.02 / math.sqrt(2 * config["num_layers"]),
        dtype=dtype,
        name=f"transformer_layer_{index}",
    )


def _check(config: dict[str, Any]) -> None:
    width, heads = config["hidden_dim"], config["num_heads"]
    if width % heads or width // heads % 2:
        raise UserError(
            f"ModernBERT: hidden_dim is {width} and num_heads {heads}, "
            "expected heads of an even number of numbers each: their positions "
            "turn pairs of numbers"
        )
    for name, least in (("global_every", 1), ("local_attention", 2)):
        if config[name] < least:
            raise UserError(
                f"ModernBERT: {name} is {config[name]}, expected {least} or "
                "more"
            )
