"""Share what KerasHub's post-norm encoders have in common: BERT and its kin."""

from typing import TYPE_CHECKING, Any

from tfminilm.families.family import Exposure, Family, Reader, StudentShape

if TYPE_CHECKING:
    import keras

    from tfminilm.families.hugging_face.names import Names


def build(
    backbone: str,
    hidden_dim: int,
    intermediate_dim: int | None,
    **sizes: Any,
) -> "keras.Model":
    """Build a backbone of `keras_hub.models` with random weights.

    Args:
        backbone: the name of its class.
        hidden_dim: width.
        intermediate_dim: width of the feed-forward block; four times
            `hidden_dim` if not given.
        **sizes: what else the class takes.
    """
    import keras_hub

    return getattr(keras_hub.models, backbone)(
        hidden_dim=hidden_dim,
        intermediate_dim=intermediate_dim or 4 * hidden_dim,
        **sizes,
    )


def arguments(shape: StudentShape, pairs: bool = False) -> dict[str, Any]:
    """Return what a backbone's constructor takes for a student's shape."""
    return {
        "num_layers": shape.num_layers,
        "hidden_dim": shape.hidden_dim,
        "num_heads": shape.num_heads,
        "intermediate_dim": shape.intermediate_dim,
        "max_sequence_length": shape.max_sequence_length,
        "dropout": shape.dropout,
    }


def exposure() -> Exposure:
    """Return the classes that show the inside of KerasHub's encoder layer."""
    import keras_hub

    from tfminilm.layers.attention import AttentionParts, ExposedEncoder

    layer = keras_hub.layers.TransformerEncoder
    return Exposure(layer, ExposedEncoder, AttentionParts)


def reader() -> Reader:
    """Return what reads Hugging Face folders of such encoders."""
    from tfminilm.families.hugging_face import reader

    return reader


def contents(
    names: "Names", backbone: "keras.Model"
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a folder's settings and its layers by PyTorch's modules."""
    from tfminilm.families.hugging_face import writer

    return writer.contents(names, backbone)


def masked_lm(family: Family, model: "keras.Model") -> dict[str, Any]:
    """Return the layers of a head for masked words by PyTorch's modules."""
    from tfminilm.families.hugging_face import writer

    return writer.masked_lm(family, model)
