"""Read a Hugging Face `config.json`, and refuse settings by name.

A setting that changes a model's numbers is either carried over by who reads
the folder, or refused here: none is left out in silence.
"""

import pathlib
from collections.abc import Mapping
from typing import Any

from tfminilm.errors import UserError

# By the names of `transformers`; ours first, in the order of preference.
ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_approximate",
    "gelu_accurate": "gelu_approximate",
    "gelu_fast": "gelu_approximate",
    "gelu_python_tanh": "gelu_approximate",
    "gelu_pytorch_tanh": "gelu_approximate",
    "relu": "relu",
    "relu6": "relu6",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}
# What no encoder of ours can be: the values that change nothing, and why
# others are refused.
_REFUSED: dict[str, tuple[tuple[Any, ...], str]] = {
    "position_embedding_type": (
        (None, "absolute"),
        "'absolute', no other positions are known here",
    ),
    "is_decoder": ((None, False), "false, here every token sees all others"),
    "add_cross_attention": ((None, False), "false, an encoder stands alone"),
    "pruned_heads": (
        (None, {}),
        "none, all layers have the same number of heads here",
    ),
    "quantization_config": (
        (None,),
        "none, weights are read as floating-point numbers",
    ),
    "auto_map": (
        (None, {}),
        "none: a model's own code is never run; save the model with "
        "transformers' own class, or take auto_map out if that class made it",
    ),
}
_ADAPTERS = "adapter_config.json"


def check(
    path: pathlib.Path, settings: Mapping[str, Any], masked_lm: bool = False
) -> None:
    """Refuse settings with which a model would compute something else.

    Args:
        path: of the settings.
        settings: all of them.
        masked_lm: whether its logits over the vocabulary are asked for.

    Raises:
        UserError: there is such a setting, or an adapter lies beside them.
    """
    for name, (values, expected) in _REFUSED.items():
        value = settings.get(name)
        if value not in values:
            text = " ".join(repr(value).split())[:80]
            raise UserError(f"{path}: {name} is {text}, expected {expected}")
    if masked_lm and not settings.get("tie_word_embeddings", True):
        raise UserError(
            f"{path}: tie_word_embeddings is false, expected true: here the "
            "logits' kernel is the token table"
        )
    if path.with_name(_ADAPTERS).is_file():
        raise UserError(
            f"{path.parent} holds an {_ADAPTERS}: merge the adapter into the "
            "model and save it, or remove the file to load the model without"
        )


def check_fixed(
    path: pathlib.Path, settings: Mapping[str, Any], fixed: Mapping[str, Any]
) -> None:
    """Refuse settings that `transformers` would not follow.

    Args:
        path: of the settings.
        settings: all of them.
        fixed: with what it computes, by their names.

    Raises:
        UserError: there is another value.
    """
    for name, expected in fixed.items():
        if settings.get(name, expected) != expected:
            raise UserError(
                f"{path}: {name} is {settings[name]!r}, expected {expected}, "
                "with which transformers computes whatever stands there"
            )


def activation(
    path: pathlib.Path, settings: Mapping[str, Any], name: str = "hidden_act"
) -> str:
    """Return our name of the activation that a setting names.

    Raises:
        UserError: it is none of `ACTIVATIONS`.
    """
    value = settings[name]
    if not isinstance(value, str) or value not in ACTIVATIONS:
        raise UserError(
            f"{path}: {name} is {value!r}, expected one of "
            f"{', '.join(ACTIVATIONS)}"
        )
    return ACTIVATIONS[value]


def huggingface_activation(name: str) -> str:
    """Return the name in `transformers` of one of our activations.

    Raises:
        UserError: it has none such.
    """
    for setting, activation_name in ACTIVATIONS.items():
        if activation_name == name:
            return setting
    raise UserError(
        f"transformers has no activation {name!r}: expected one of "
        f"{', '.join(sorted(set(ACTIVATIONS.values())))}"
    )


def count(
    path: pathlib.Path, settings: Mapping[str, Any], name: str, least: int = 1
) -> int:
    """Read a setting that is a whole number.

    Raises:
        UserError: it is missing, no whole number, or below `least`.
    """
    value = _present(path, settings, name)
    if type(value) is not int or value < least:
        raise UserError(
            f"{path}: {name} is {value!r}, expected a whole number from {least}"
        )
    return value


def number(
    path: pathlib.Path,
    settings: Mapping[str, Any],
    name: str,
    least: float = 1e-38,
) -> float:
    """Read a setting that is a number below 1.

    Raises:
        UserError: it is missing, no number, or out of range.
    """
    value = _present(path, settings, name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not least <= value < 1:
        raise UserError(
            f"{path}: {name} is {value!r}, expected a number from {least:g} "
            "to below 1"
        )
    return float(value)


def _present(path: pathlib.Path, settings: Mapping[str, Any], name: str) -> Any:
    if name not in settings:
        raise UserError(f"{path} lacks {name}")
    return settings[name]
