"""Distilled BiLSTM's student (arXiv 1903.12136, section 3.1)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def bilstm(
    vocabulary_size: int = 30522,
    embedding_dim: int = 300,
    lstm_units: int = 200,
    hidden_dim: int = 400,
    pairs: bool = False,
    dropout: float = 0.1,
    **kwargs: Any,
) -> "keras.Model":
    """Build a randomly initialised `BiLSTMBackbone`: 10.1M parameters.

    The last states f of a bidirectional LSTM over word vectors go through a
    ReLU layer. Two texts are read one by one with the same weights, and their
    states compared: [f1, f2, f1 * f2, |f1 - f2|]. The vectors are of the
    teacher's word pieces, and trained; the paper's are of whole words, and for
    SST-2 once fixed and once trained. It takes 150 or 300 units.

    Args:
        vocabulary_size: the teacher's.
        embedding_dim: width of the word vectors.
        lstm_units: width of each direction's state.
        hidden_dim: width of the ReLU layer, the output.
        pairs: whether it reads pairs of texts.
        dropout: rate in training, around the LSTM.
        **kwargs: what else a Keras model takes, such as `dtype` or `name`.

    Returns:
        A backbone like KerasHub's, for `BiLSTMClassifier`. Its inputs are
        `token_ids`, `padding_mask` and, for pairs, `segment_ids`, all
        `[batch, length]` integers; its output is `[batch, hidden_dim]`.
    """
    from tfminilm.families.bilstm.model import BiLSTMBackbone

    return BiLSTMBackbone(
        vocabulary_size=vocabulary_size,
        embedding_dim=embedding_dim,
        lstm_units=lstm_units,
        hidden_dim=hidden_dim,
        pairs=pairs,
        dropout=dropout,
        **kwargs,
    )
