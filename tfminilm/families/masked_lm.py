"""A masked language model on an encoder for which KerasHub has none."""

from typing import Any

import keras
import keras_hub

from tfminilm.layers.bottleneck import initializer

_EPSILON = 1e-12  # Of KerasHub's encoders, which have no setting for it.


class MaskedLM(keras_hub.models.MaskedLM):
    """A backbone that names masked tokens, as KerasHub's classes do.

    The head's activation is the exact GELU, whatever the backbone's is, as
    `transformers` has it for MPNet and ELECTRA. Its dense layer is as wide as
    the token table.

    Args:
        backbone: reads the text.
        preprocessor: as other KerasHub tasks have it, or `None`.

    Call arguments:
        inputs: what `backbone` reads, and `mask_positions`
            `[batch, masked]`.

    Returns:
        Logits `[batch, masked, vocabulary_size]`.
    """

    def __init__(
        self,
        backbone: keras.Model,
        preprocessor: keras_hub.models.Preprocessor | None = None,
        **kwargs: Any,
    ):
        self.backbone = backbone
        self.preprocessor = preprocessor
        self.masked_lm_head = keras_hub.layers.MaskedLMHead(
            token_embedding=backbone.token_embedding,
            intermediate_activation="gelu",
            layer_norm_epsilon=getattr(
                backbone, "layer_norm_epsilon", _EPSILON
            ),
            kernel_initializer=initializer(),
            dtype=backbone.dtype_policy,
            name="mlm_head",
        )
        positions = keras.Input((None,), dtype="int32", name="mask_positions")
        states = backbone(backbone.input)
        if isinstance(states, dict):
            states = states["sequence_output"]
        kwargs.setdefault("compile", False)
        super().__init__(
            inputs={**backbone.input, "mask_positions": positions},
            outputs=self.masked_lm_head(states, positions),
            **kwargs,
        )


@keras.saving.register_keras_serializable(package="tfminilm")
class ElectraMaskedLM(MaskedLM):
    """An ELECTRA that names masked tokens, as its generator: see `MaskedLM`."""

    backbone_cls = keras_hub.models.ElectraBackbone
