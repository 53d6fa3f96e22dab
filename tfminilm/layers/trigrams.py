"""MobileBERT's factorised embedding: a token among its neighbours."""

from typing import Any

import keras
from keras import ops

from tfminilm.typing import Tensor


@keras.saving.register_keras_serializable(package="tfminilm")
class Trigrams(keras.layers.Layer):
    """Each token's vector between its neighbours': next, own, previous.

    A dense layer on the result is a convolution with a kernel of three, the
    paper's embedding factorization; the order is the released checkpoint's.
    Beyond the ends of a text there are zeros, and padding is beyond its end:
    the padding token's own vector must not tell the last token how long the
    batch is.

    Call arguments:
        vectors: `[batch, length, width]`.
        padding_mask: `[batch, length]`, nonzero at real tokens.

    Returns:
        `[batch, length, 3 * width]`.
    """

    def call(self, vectors: Tensor, padding_mask: Tensor) -> Any:
        is_real = ops.not_equal(padding_mask, 0)[:, :, None]
        vectors = ops.where(is_real, vectors, ops.zeros_like(vectors))
        beyond = ops.zeros_like(vectors[:, :1])
        following = ops.concatenate([vectors[:, 1:], beyond], axis=1)
        previous = ops.concatenate([beyond, vectors[:, :-1]], axis=1)
        return ops.concatenate([following, vectors, previous], axis=-1)
