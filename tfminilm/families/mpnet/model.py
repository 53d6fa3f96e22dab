"""MPNet as KerasHub has its models: a backbone, and a masked LM."""

from typing import Any

import keras
import keras_hub
from keras import layers

from tfminilm.families.masked_lm import MaskedLM
from tfminilm.families.mpnet.hugging_face import SPECIAL
from tfminilm.layers.bottleneck import activation_function, initializer
from tfminilm.layers.relative import RelativeEncoder, RelativePositionBias
from tfminilm.private.tokenizers import declare_special_tokens
from tfminilm.typing import Policy, Tensor

EPSILON = 1e-5  # Of the published models.
_FIELDS = (
    "vocabulary_size",
    "num_layers",
    "num_heads",
    "hidden_dim",
    "intermediate_dim",
    "dropout",
    "max_sequence_length",
    "activation",
    "layer_norm_epsilon",
    "pooler",
)


@keras.saving.register_keras_serializable(package="tfminilm")
class MPNetBackbone(keras_hub.models.Backbone):
    """MPNet's encoder: see `tfminilm.students.mpnet`."""

    def __init__(
        self,
        vocabulary_size: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        intermediate_dim: int,
        dropout: float = 0.1,
        max_sequence_length: int = 512,
        activation: str = "gelu",
        layer_norm_epsilon: float = EPSILON,
        pooler: bool = False,
        dtype: Policy = None,
        **kwargs: Any,
    ):
        arguments = locals()
        config = {name: arguments[name] for name in _FIELDS}
        self._make_layers(config, dtype)
        inputs = {
            name: keras.Input((None,), dtype="int32", name=name)
            for name in ("token_ids", "padding_mask")
        }
        super().__init__(
            inputs=inputs,
            outputs=self._outputs(**inputs),
            dtype=dtype,
            **kwargs,
        )
        for name, value in config.items():
            setattr(self, name, value)
        self.start_token_index = 0

    def _make_layers(self, config: dict[str, Any], dtype: Policy) -> None:
        width, epsilon = config["hidden_dim"], config["layer_norm_epsilon"]
        self.embeddings = keras_hub.layers.TokenAndPositionEmbedding(
            vocabulary_size=config["vocabulary_size"],
            sequence_length=config["max_sequence_length"],
            embedding_dim=width,
            embeddings_initializer=initializer(),
            dtype=dtype,
            name="embeddings",
        )
        self.token_embedding = self.embeddings.token_embedding
        self.embeddings_layer_norm = layers.LayerNormalization(
            epsilon=epsilon, dtype=dtype, name="embeddings_layer_norm"
        )
        self.embeddings_dropout = layers.Dropout(
            config["dropout"], dtype=dtype, name="embeddings_dropout"
        )
        self.position_bias = RelativePositionBias(
            config["num_heads"], dtype=dtype, name="position_bias"
        )
        self.transformer_layers = [
            RelativeEncoder(
                intermediate_dim=config["intermediate_dim"],
                num_heads=config["num_heads"],
                dropout=config["dropout"],
                activation=activation_function(config["activation"]),
                layer_norm_epsilon=epsilon,
                kernel_initializer=initializer(),
                dtype=dtype,
                name=f"transformer_layer_{index}",
            )
            for index in range(config["num_layers"])
        ]
        if config["pooler"]:
            self.pooled_dense = layers.Dense(
                width,
                activation="tanh",
                kernel_initializer=initializer(),
                dtype=dtype,
                name="pooled_dense",
            )

    def _outputs(self, token_ids: Tensor, padding_mask: Tensor) -> Any:
        x = self.embeddings_layer_norm(self.embeddings(token_ids))
        x = self.embeddings_dropout(x)
        position_bias = self.position_bias(x)
        for layer in self.transformer_layers:
            x = layer(x, padding_mask=padding_mask, position_bias=position_bias)
        if not hasattr(self, "pooled_dense"):
            return x
        pooled = self.pooled_dense(x[:, 0, :])
        return {"sequence_output": x, "pooled_output": pooled}

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            name: getattr(self, name) for name in _FIELDS
        }


@keras.saving.register_keras_serializable(package="tfminilm")
class MPNetMaskedLM(MaskedLM):
    """An `MPNetBackbone` that names masked tokens: see `MaskedLM`."""

    backbone_cls = MPNetBackbone


@keras.saving.register_keras_serializable(package="tfminilm")
class MPNetTokenizer(keras_hub.tokenizers.WordPieceTokenizer):
    """BERT's word pieces between the special tokens of RoBERTa.

    The words `[CLS]`, `[SEP]`, `[PAD]` and `[MASK]` of BERT's vocabulary have
    no meaning here, though they may be in the published one.

    Args:
        vocabulary: a file, or words in the order of their ids; `<s>`, `</s>`,
            `<pad>`, `<mask>` and `[UNK]` are among them.
        lowercase: whether the text is lower-cased.
        **kwargs: what else `WordPieceTokenizer` takes.

    Raises:
        ValueError: a special token is not in the vocabulary.
    """

    backbone_cls = MPNetBackbone

    def __init__(
        self, vocabulary: Any = None, lowercase: bool = False, **kwargs: Any
    ):
        more = {"start": SPECIAL["cls"], "end": SPECIAL["sep"]}
        tokens = SPECIAL | more
        declare_special_tokens(
            self, {f"{name}_token": token for name, token in tokens.items()}
        )
        super().__init__(vocabulary=vocabulary, lowercase=lowercase, **kwargs)
