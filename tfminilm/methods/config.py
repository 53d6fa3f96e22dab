"""Turn methods into JSON-able values, and back."""

import dataclasses
from typing import Any

import keras

from tfminilm import methods
from tfminilm.errors import UserError
from tfminilm.methods.terms import Method


def to_config(method: Method) -> dict[str, Any]:
    """Return a method's class and settings as JSON-able values.

    Raises:
        UserError: the method is not of this package, and Keras cannot
            serialise it.
    """
    name = type(method).__name__
    if getattr(methods, name, None) is type(method):
        settings = dataclasses.asdict(method)  # type: ignore[call-overload]
        return {"method": name, "settings": settings}
    if not hasattr(method, "get_config"):
        raise UserError(
            f"{name} has no get_config, which saving it takes: add one and "
            "register the class with keras.saving.register_keras_serializable"
        )
    return keras.saving.serialize_keras_object(method)


def from_config(config: dict[str, Any]) -> Method:
    """Return the method that `to_config` was given."""
    if "method" not in config:
        return keras.saving.deserialize_keras_object(config)
    return getattr(methods, config["method"])(**config["settings"])
