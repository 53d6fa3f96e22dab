"""Name the parts of KerasHub's post-norm encoders as `transformers` does."""

import pathlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Names(NamedTuple):
    """Names of a family's settings and tensors in a Hugging Face folder.

    Names of modules are those behind `prefix`, but for `masked_lm`.

    Attributes:
        prefix: what names begin with where the model has a head.
        sizes: settings that have to be there, by KerasHub's names.
        defaults: settings that need not be there.
        activation: the setting of the feed-forward blocks' activation.
        dropout: the setting of the hidden states' dropout.
        attention_dropout: the setting of the attention's.
        has_pads_position: whether real positions begin behind `pad_token_id`,
            and the first token type, if there are types, is added to all: as
            in RoBERTa.
        fixed: settings that `transformers` does not follow, and the values
            with which it computes.
        position_bias: the table of biases of relative positions, if any.
        stack: where the encoder layers are.
        layer: a layer's queries, keys, values, attention output and its norm,
            then its two dense layers and the norm behind them.
        projection: from the token table's width to the encoder's, where they
            differ.
        pooler: the layer in front of KerasHub's `pooled_output`, if it has one.
        written: settings that all folders have alike, for who writes one.
        require: refuses, from the file and its settings, a model that computes
            otherwise than the family's.
        suits: tells whether KerasHub's class computes right with such sizes,
            where it does not with all.
        masked_lm: the head for masked tokens: a dense layer, a norm, and what
            has the bias of the logits.
        decoder: where the token table and that bias are stored once more.
        new_masked_lm: the same head where the setting `legacy` is false.
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
    attention_dropout: str = "attention_probs_dropout_prob"
    has_pads_position: bool = False
    stack: str = "encoder.layer"
    projection: str = ""
    fixed: Mapping[str, Any] = {}
    position_bias: str = ""
    pooler: str | None = None
    new_masked_lm: tuple[str, str, str] | None = None
    written: Mapping[str, Any] = {}
    require: Callable[[pathlib.Path, Mapping[str, Any]], None] | None = None
    suits: Callable[[Mapping[str, Any]], bool] | None = None


SIZES = {
    "vocabulary_size": "vocab_size",
    "hidden_dim": "hidden_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "intermediate_dim": "intermediate_size",
    "max_sequence_length": "max_position_embeddings",
}
EPSILON = 1e-12  # Of families whose settings say nothing of it.
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
# A classifier with a dense layer of its own in front of the logits.
CLASSIFIER = {
    "pooled_dense": "classifier.dense",
    "logits": "classifier.out_proj",
}
