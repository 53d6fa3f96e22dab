"""MobileBERT's factorised embedding, which joins three neighbours."""

from typing import Any

import keras
from keras import ops

from tfminilm.typing import Tensor


@keras.saving.register_keras_serializable(package="tfminilm")
class Trigrams(keras.layers.Layer):
    """Concatenates the vectors of the next, this and the previous token.

    A dense layer on the result is a convolution with a kernel of three, the
    paper's embedding factorization; the order is the released checkpoint's.
    Zeros stand for neighbours beyond the ends of a text, and for padding too:
    else the last token's result would depend on how far the batch is padded.

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
