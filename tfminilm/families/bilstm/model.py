"""The BiLSTM as KerasHub has its models: a backbone, and a classifier."""

from typing import Any

import keras
import keras_hub
from keras import layers, ops

from tfminilm.typing import Policy, Tensor


@keras.saving.register_keras_serializable(package="tfminilm")
class BiLSTMBackbone(keras_hub.models.Backbone):
    """See `tfminilm.students.bilstm`."""

    def __init__(
        self,
        vocabulary_size: int,
        embedding_dim: int,
        lstm_units: int,
        hidden_dim: int,
        pairs: bool = False,
        dropout: float = 0.1,
        dtype: Policy = None,
        **kwargs: Any,
    ):
        self.token_embedding = layers.Embedding(
            vocabulary_size, embedding_dim, dtype=dtype, name="token_embedding"
        )
        self.embedding_dropout = layers.Dropout(
            dropout, dtype=dtype, name="embedding_dropout"
        )
        self.encoder = layers.Bidirectional(
            layers.LSTM(lstm_units, dtype=dtype), dtype=dtype, name="encoder"
        )
        self.features_dropout = layers.Dropout(
            dropout, dtype=dtype, name="features_dropout"
        )
        self.features_dense = layers.Dense(
            hidden_dim, activation="relu", dtype=dtype, name="features_dense"
        )

        names = ["token_ids", "padding_mask"] + ["segment_ids"] * pairs
        inputs = {
            name: keras.Input((None,), dtype="int32", name=name)
            for name in names
        }
        features = self.features_dropout(self._features(**inputs))
        super().__init__(
            inputs=inputs,
            outputs=self.features_dense(features),
            dtype=dtype,
            **kwargs,
        )
        self.vocabulary_size = vocabulary_size
        self.embedding_dim = embedding_dim
        self.lstm_units = lstm_units
        self.hidden_dim = hidden_dim
        self.pairs = pairs
        self.dropout = dropout

    def _features(
        self,
        token_ids: Tensor,
        padding_mask: Tensor,
        segment_ids: Tensor | None = None,
    ) -> Any:
        """Return a text's last states, or [f1, f2, f1 * f2, |f1 - f2|]."""
        vectors = self.embedding_dropout(self.token_embedding(token_ids))
        is_real = ops.not_equal(padding_mask, 0)
        if segment_ids is None:
            return self.encoder(vectors, mask=is_real)
        split = PairSplitter(
            dtype=self.encoder.dtype_policy, name="pair_splitter"
        )
        texts = split(vectors, segment_ids, is_real)
        f1, f2 = (self.encoder(text, mask=mask) for text, mask in texts)
        return ops.concatenate([f1, f2, f1 * f2, ops.abs(f1 - f2)], axis=-1)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "vocabulary_size": self.vocabulary_size,
            "embedding_dim": self.embedding_dim,
            "lstm_units": self.lstm_units,
            "hidden_dim": self.hidden_dim,
            "pairs": self.pairs,
            "dropout": self.dropout,
        }


@keras.saving.register_keras_serializable(package="tfminilm")
class PairSplitter(layers.Layer):
    """Two texts in one sequence become two sequences.

    Call arguments:
        vectors: `[batch, length, width]`.
        segment_ids: `[batch, length]`: 0 in the first text, 1 in the second.
        is_real: `[batch, length]` booleans, False at padding.

    Returns:
        For each text `(vectors, mask)`, its tokens moved to the front.
    """

    def call(
        self, vectors: Tensor, segment_ids: Tensor, is_real: Tensor
    ) -> Any:
        places = ops.arange(ops.shape(vectors)[1])[None]
        is_second = ops.logical_and(is_real, ops.equal(segment_ids, 1))
        is_first = ops.logical_and(is_real, ops.logical_not(is_second))
        sizes = ops.sum(ops.cast(is_second, "int32"), axis=1, keepdims=True)
        start = ops.sum(ops.cast(is_first, "int32"), axis=1, keepdims=True)
        moved = ops.minimum(places + start, ops.shape(vectors)[1] - 1)
        second = ops.take_along_axis(vectors, moved[:, :, None], axis=1)
        return (vectors, is_first), (second, ops.less(places, sizes))


@keras.saving.register_keras_serializable(package="tfminilm")
class BiLSTMClassifier(keras_hub.models.TextClassifier):
    """Class logits of a `BiLSTMBackbone`.

    Args:
        backbone: reads one text or two.
        num_classes: outputs.
        dropout: rate in training, before the logits.
        preprocessor: as other KerasHub tasks have it, or `None`.
        activation: of the logits, as Keras names it; none by default.

    Call arguments:
        inputs: what `backbone` reads.

    Returns:
        `[batch, num_classes]`.
    """

    backbone_cls = BiLSTMBackbone

    def __init__(
        self,
        backbone: BiLSTMBackbone,
        num_classes: int,
        dropout: float = 0.0,
        preprocessor: keras_hub.models.Preprocessor | None = None,
        activation: str | None = None,
        **kwargs: Any,
    ):
        self.backbone = backbone
        self.preprocessor = preprocessor
        self.output_dropout = layers.Dropout(
            dropout, dtype=backbone.dtype_policy, name="output_dropout"
        )
        self.output_dense = layers.Dense(
            num_classes,
            activation=activation,
            dtype=backbone.dtype_policy,
            name="logits",
        )
        features = self.output_dropout(backbone(backbone.input))
        logits = self.output_dense(features)
        kwargs.setdefault("compile", False)
        super().__init__(inputs=backbone.input, outputs=logits, **kwargs)
        self.num_classes = num_classes
        self.dropout = dropout
        self.activation = activation

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {
            "num_classes": self.num_classes,
            "dropout": self.dropout,
        }
        ending = {"activation": self.activation} if self.activation else {}
        return config | ending
