"""Sizes and FLOPs of encoders, as most families count them."""

from typing import TYPE_CHECKING

from tfminilm.errors import UserError

if TYPE_CHECKING:
    import keras


def sizes(backbone: "keras.Model") -> dict[str, int]:
    """Read an encoder's sizes from the attributes that KerasHub gives them.

    Raises:
        UserError: it is no encoder.
    """
    names = ("num_layers", "num_heads", "hidden_dim", "intermediate_dim")
    for name in ("transformer_layers", "token_embedding", *names):
        if not hasattr(backbone, name):
            raise UserError(
                f"{type(backbone).__name__} cannot be described: it has no "
                f"{name}; expected a BERT, RoBERTa, XLM-R, DistilBERT, "
                "ALBERT or ELECTRA backbone of KerasHub"
            )
    return {name: getattr(backbone, name) for name in names}


def vocabulary_size(backbone: "keras.Model") -> int | None:
    """Return how many tokens a model knows; `None` if it does not say so."""
    # ELECTRA's attribute is `vocab_size`.
    other = getattr(backbone, "vocab_size", None)
    return getattr(backbone, "vocabulary_size", other)


def flops(backbone: "keras.Model", length: int) -> int:
    """Count the FLOPs of a sequence: two for each multiply-add.

    They are of the dense layers, both products of attention, and the
    projection of factorised embeddings.
    """
    hidden = backbone.hidden_dim
    dense = 4 * hidden * hidden + 2 * hidden * backbone.intermediate_dim
    attention = 2 * length * hidden
    # An ALBERT layer runs its inner layers one after the other.
    runs = backbone.num_layers * getattr(backbone, "num_inner_repetitions", 1)
    projection = 0
    if getattr(backbone, "embeddings_projection", None) is not None:
        projection = backbone.token_embedding.output_dim * hidden
    return 2 * length * (runs * (dense + attention) + projection)


def reading(backbone: "keras.Model") -> str:
    """Return an empty text: no other model has the same name."""
    return ""
