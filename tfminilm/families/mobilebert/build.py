"""MobileBERT's students and their teacher's architecture (arXiv 2004.02984)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def mobilebert(
    num_layers: int = 24,
    hidden_dim: int = 512,
    num_heads: int = 4,
    bottleneck_dim: int = 128,
    intermediate_dim: int = 512,
    embedding_dim: int = 128,
    num_feedforwards: int = 4,
    attention_input: str = "shared",
    vocabulary_size: int = 30522,
    max_sequence_length: int = 512,
    **kwargs: Any,
) -> "keras.Model":
    """Build a randomly initialised MobileBERT: 24.6M parameters.

    A layer squeezes its states of `hidden_dim` to `bottleneck_dim`, attends
    there, and passes `num_feedforwards` small feed-forward blocks before it
    comes back to `hidden_dim`. Tokens have `embedding_dim` numbers each, read
    together with their neighbours'. In place of layer normalisation and GELU
    stand NoNorm and ReLU.

    Two readings of the attention's inputs exist. The released checkpoint
    (`attention_input="shared"`) has a second bottleneck, which queries and
    keys share, and values of the layer's input. In the paper's table
    (`"block"`) all three read the layer's input: 25.4M parameters. The third
    is MobileBERT-tiny's.

    Args:
        num_layers: encoder layers, as many as the teacher has.
        hidden_dim: width of the states between layers, the teacher's.
        num_heads: attention heads, the teacher's number.
        bottleneck_dim: width inside a layer; a multiple of `num_heads`.
        intermediate_dim: width inside a feed-forward block.
        embedding_dim: width of the token table.
        num_feedforwards: feed-forward blocks of a layer.
        attention_input: "shared", "block" or "bottleneck".
        vocabulary_size: the teacher's.
        max_sequence_length: rows of the position table.
        **kwargs: what else the backbone takes: `dropout` (0, of embeddings
            and layers' outputs), `attention_dropout` (0.1), `pooler`
            (`False`: the pooled output is the first token's state, as in the
            released model), `normalization` ("no_norm"), `activation`
            ("relu"), `epsilon` and `outer_epsilon` (1e-12, of layer
            normalisation, and of that behind the embeddings and each layer's
            last feed-forward block), `num_segments` (2), `dtype`, `name`.

    Returns:
        A backbone like KerasHub's. Its inputs are `token_ids`, `segment_ids`
        and `padding_mask`, all `[batch, length]` integers.

    Raises:
        UserError: sizes do not fit, or there is no such `attention_input`.
    """
    from tfminilm.families.mobilebert.model import MobileBertBackbone

    return MobileBertBackbone(
        vocabulary_size=vocabulary_size,
        num_layers=num_layers,
        num_heads=num_heads,
        hidden_dim=hidden_dim,
        bottleneck_dim=bottleneck_dim,
        intermediate_dim=intermediate_dim,
        embedding_dim=embedding_dim,
        num_feedforwards=num_feedforwards,
        attention_input=attention_input,
        max_sequence_length=max_sequence_length,
        **kwargs,
    )


def mobilebert_tiny(**kwargs: Any) -> "keras.Model":
    """Build a `mobilebert` of 15.5M parameters, the paper's smallest.

    Queries, keys and values all read the bottleneck, and two feed-forward
    blocks follow. `kwargs` are those of `mobilebert`.
    """
    settings: dict[str, Any] = {
        "num_feedforwards": 2,
        "attention_input": "bottleneck",
    }
    return mobilebert(**settings | kwargs)


def mobilebert_without_opt(**kwargs: Any) -> "keras.Model":
    """Build a `mobilebert` with layer normalisation and GELU.

    The paper's "w/o OPT": as good or better, and three times as slow on a
    phone. `kwargs` are those of `mobilebert`.
    """
    settings: dict[str, Any] = {
        "normalization": "layer_norm",
        "activation": "gelu",
    }
    return mobilebert(**settings | kwargs)


def ib_bert(**kwargs: Any) -> "keras.Model":
    """Build a random IB-BERT, MobileBERT's teacher: 294M parameters.

    Between layers its states are as wide as MobileBERT's, so that they can be
    compared; inside it is BERT-large, with an inverted bottleneck of 1024.
    Queries, keys and values read the layer's input. Its weights were never
    published. `kwargs` are those of `mobilebert`; smaller ones make a teacher
    that can be trained at home.
    """
    settings: dict[str, Any] = {
        "bottleneck_dim": 1024,
        "intermediate_dim": 4096,
        "num_feedforwards": 1,
        "attention_input": "block",
        "normalization": "layer_norm",
        "activation": "gelu",
        "dropout": 0.1,
    }
    return mobilebert(**settings | kwargs)
