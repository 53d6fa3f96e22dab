"""Students of ModernBERT's shape (arXiv 2412.13663)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def modernbert(
    num_layers: int,
    hidden_dim: int,
    num_heads: int = 12,
    intermediate_dim: int | None = None,
    vocabulary_size: int = 50_368,
    max_sequence_length: int = 8192,
    dropout: float = 0.0,
    **kwargs: Any,
) -> "keras.Model":
    """Build a randomly initialised ModernBERT.

    Rotary positions, norms before each block, gated feed-forward blocks and
    no biases. Each third layer, the first included, attends to all tokens,
    the others to 64 on either side.

    Args:
        num_layers: encoder layers.
        hidden_dim: width; `num_heads` times an even number.
        num_heads: attention heads. MiniLM needs the teacher's number.
        intermediate_dim: width of the feed-forward block's inside, of which
            there are two; one and a half times `hidden_dim` if not given, as
            published: as many weights as BERT's block.
        vocabulary_size: the teacher's; 50,368 is ModernBERT's.
        max_sequence_length: the longest text; no weight depends on it.
        dropout: rate in training, of embeddings, attention and feed-forward
            blocks; the published models have none.
        **kwargs: what else the backbone takes: `global_every` (3),
            `local_attention` (128, both sides together), `global_rope_theta`
            (160,000), `local_rope_theta` (10,000), `activation` ("gelu"),
            `epsilon` (1e-5), `embedding_dropout` and `attention_dropout`
            (`dropout`), `dtype`, `name`.

    Returns:
        A backbone like KerasHub's. Its inputs are `token_ids` and
        `padding_mask`, both `[batch, length]` integers.

    Raises:
        UserError: sizes do not fit.
    """
    from tfminilm.families.modernbert.model import ModernBertBackbone

    rates = {"embedding_dropout": dropout, "attention_dropout": dropout}
    return ModernBertBackbone(
        vocabulary_size=vocabulary_size,
        num_layers=num_layers,
        num_heads=num_heads,
        hidden_dim=hidden_dim,
        intermediate_dim=intermediate_dim or hidden_dim * 3 // 2,
        max_sequence_length=max_sequence_length,
        dropout=dropout,
        **rates | kwargs,
    )
