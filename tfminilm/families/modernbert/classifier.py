"""ModernBERT's heads: a dense layer and a norm in front of all logits."""

from collections.abc import Callable
from typing import Any

import keras
import keras_hub
from keras import ops

from tfminilm.errors import UserError
from tfminilm.families.modernbert.model import ModernBertBackbone
from tfminilm.layers.bottleneck import initializer
from tfminilm.layers.gated import plain_dense, scale_norm
from tfminilm.typing import Tensor

POOLINGS = ("cls", "mean")


def head_states(backbone: keras.Model) -> Callable[[Tensor], Any]:
    """Return what computes Norm(GELU(h W)) of states, with new weights.

    Args:
        backbone: gives the states, or what is pooled of them.
    """
    dtype, width = backbone.dtype_policy, backbone.hidden_dim
    dense = plain_dense(width, dtype, "head_dense")
    dense.activation = keras.activations.gelu
    norm = scale_norm(backbone.epsilon, dtype, "head_norm")
    return lambda states: norm(dense(states))


@keras.saving.register_keras_serializable(package="tfminilm")
class ModernBertTextClassifier(keras_hub.models.TextClassifier):
    """Class logits of a text, from a `ModernBertBackbone`.

    Args:
        backbone: reads the text.
        num_classes: outputs.
        dropout: rate in training, in front of the logits.
        pooling: what is read: "cls", the first token's state, or "mean", that
            over real tokens.
        preprocessor: as other KerasHub tasks have it, or `None`.

    Call arguments:
        inputs: what `backbone` reads.

    Returns:
        `[batch, num_classes]`.
    """

    backbone_cls = ModernBertBackbone

    def __init__(
        self,
        backbone: ModernBertBackbone,
        num_classes: int,
        dropout: float = 0.0,
        pooling: str = "cls",
        preprocessor: keras_hub.models.Preprocessor | None = None,
        **kwargs: Any,
    ):
        if pooling not in POOLINGS:
            raise UserError(
                f"ModernBERT: a classifier's pooling is {pooling!r}, expected "
                f"{' or '.join(POOLINGS)}"
            )
        self.backbone = backbone
        self.preprocessor = preprocessor
        pooled = _pooled(backbone, pooling)
        dtype = backbone.dtype_policy
        drop = keras.layers.Dropout(dropout, dtype=dtype, name="head_dropout")
        last = keras.layers.Dense(
            num_classes,
            kernel_initializer=initializer(),
            dtype=dtype,
            name="logits",
        )
        logits = last(drop(head_states(backbone)(pooled)))
        kwargs.setdefault("compile", False)
        super().__init__(inputs=backbone.input, outputs=logits, **kwargs)
        # Set again, as in `tasks.head_models`: PyTorch's backend needs it.
        self.backbone = backbone
        self.num_classes = num_classes
        self.dropout = dropout
        self.pooling = pooling

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "num_classes": self.num_classes,
            "dropout": self.dropout,
            "pooling": self.pooling,
        }


def _pooled(backbone: ModernBertBackbone, pooling: str) -> Any:
    """Return the symbolic state that is classified."""
    states = backbone.output
    if pooling == "cls":
        return states[:, 0, :]
    mask = ops.cast(backbone.input["padding_mask"], "float32")[:, :, None]
    total = ops.sum(ops.cast(states, "float32") * mask, axis=1)
    count = ops.maximum(ops.sum(mask, axis=1), 1.0)
    return ops.cast(total / count, states.dtype)
