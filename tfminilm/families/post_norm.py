"""Share what KerasHub's post-norm encoders have in common: BERT and its kin."""

from typing import Any

from tfminilm.families.family import Exposure, Reader, StudentShape


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
