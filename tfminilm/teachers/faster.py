"""The same model with the same weights, in fewer passes over memory."""

from typing import Any

import keras

from tfminilm.layers import ExposedEncoder


def faster(model: keras.Model) -> keras.Model:
    """`model` with its encoder layers run by `ExposedEncoder`.

    Their chains of elementwise operations are fused.

    Args:
        model: a functional model that holds KerasHub encoder layers, itself
            or in a backbone inside it.

    Returns:
        A model with the same inputs and outputs and the same variables:
        training it trains `model`.
    """
    import keras_hub

    exposed: dict[int, ExposedEncoder] = {}  # ALBERT calls one many times.

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(layer, keras_hub.layers.TransformerEncoder):
            mask = kwargs.get("padding_mask")
            if id(layer) not in exposed:
                exposed[id(layer)] = ExposedEncoder(
                    layer, (), name=f"{layer.name}_faster"
                )
            return exposed[id(layer)](args[0], mask)["hidden_states"]
        if isinstance(layer, keras.Model):
            return faster(layer)(*args, **kwargs)
        return layer(*args, **kwargs)

    return keras.models.clone_model(
        model, clone_function=lambda layer: layer, call_function=call
    )
