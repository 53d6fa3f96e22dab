"""Distilled BiLSTM: a recurrent student, without attention."""

from typing import TYPE_CHECKING, Any

from tfminilm.families.bert import WORD_PIECES
from tfminilm.families.bilstm.build import bilstm
from tfminilm.families.family import Family, StudentShape

if TYPE_CHECKING:
    import keras


def _arguments(shape: StudentShape, pairs: bool) -> dict[str, Any]:
    return {
        "embedding_dim": shape.embedding_dim,
        "lstm_units": shape.lstm_units,
        "hidden_dim": shape.hidden_dim,
        "pairs": pairs,
        "dropout": shape.dropout,
    }


def _text_classifier() -> type:
    from tfminilm.families.bilstm.model import BiLSTMClassifier

    return BiLSTMClassifier


def _sizes(backbone: "keras.Model") -> dict[str, int]:
    """Return the sizes of one layer of two directions."""
    return {
        "num_layers": 1,
        "hidden_dim": backbone.hidden_dim,
        "num_heads": 0,
        "intermediate_dim": backbone.lstm_units,
    }


def _flops(backbone: "keras.Model", length: int) -> int:
    """Count the LSTM's for each token, and the ReLU layer's, which runs once.

    An LSTM has four gates, each of which reads a word vector and a state.
    """
    units, width = backbone.lstm_units, backbone.embedding_dim
    gates = 2 * 4 * units * (width + units)
    features = 2 * units * (4 if backbone.pairs else 1) * backbone.hidden_dim
    return 2 * (length * gates + features)


FAMILY = Family(
    name="bilstm",
    title="BiLSTM",
    backbone="BiLSTMBackbone",
    tokens=WORD_PIECES,
    students={"bilstm": bilstm},
    arguments=_arguments,
    text_classifier=_text_classifier,
    sizes=_sizes,
    flops=_flops,
)
