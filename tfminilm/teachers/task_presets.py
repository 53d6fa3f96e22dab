"""Read what KerasHub's presets say of a head for a task.

Such a folder has a `task.json` beside its backbone. It knows how many classes
there are, and not what they are called.
"""

import pathlib
from typing import Any

from tfminilm import families, json_files
from tfminilm.errors import UserError
from tfminilm.teachers.cross_encoders import SIGMOID
from tfminilm.teachers.heads import Head

_AGAIN = "save the model again"
_OF_CLASSES, _OF_FIRST_TOKEN = "TextClassifier", "FirstTokenClassifier"
_OF_ANSWERS, _OF_TOKENS = "SpanFinder", "TokenClassifier"
# What an encoder was pretrained with, which no task asks for.
_PRETRAINED = "MaskedLM"
# What the output of the last layer goes through, and what that makes of it.
_KINDS = dict.fromkeys((None, "linear", "softmax"), "classification") | {
    "sigmoid": "multi_label"
}
_SCORE = {None: "", "linear": "", "sigmoid": SIGMOID}
# In tokens, where no preprocessor says how long texts were.
_LENGTH = 128
_SHAPE = {
    "class_name": str,
    "config": {
        "num_classes?": int,
        "activation?": object,
        "output_activation?": object,
        "dropout?": float,
        "backbone?": {"config?": {"max_sequence_length?": (int, None)}},
        "preprocessor?": ({"config?": {"sequence_length?": (int, None)}}, None),
    },
}


def find_preset_head(folder: pathlib.Path) -> Head | None:
    """Return what a KerasHub preset says of its head.

    Args:
        folder: any model's folder.

    Returns:
        None if it is an encoder, a masked language model, or no preset.

    Raises:
        UserError: the model is for another task, or damaged.
    """
    path = folder / "task.json"
    if not path.is_file():
        return None
    content = json_files.read(path, _SHAPE, _AGAIN)
    name, config = content["class_name"], content["config"]
    if name.endswith(_PRETRAINED):
        return None
    dropout, length = config.get("dropout", 0.0), _length(config)
    if name == _OF_ANSWERS:
        return Head("qa", (), dropout, "", 2, length, {})
    own = [cls.__name__ for cls in families.own_text_classifiers()]
    if not name.endswith((_OF_CLASSES, _OF_FIRST_TOKEN, _OF_TOKENS, *own)):
        raise UserError(
            f"{path}: the model is a {name}, whose head is not read here: "
            "expected a text classifier of KerasHub, such as "
            "BertTextClassifier"
        )
    count = config.get("num_classes", 0)
    if count < 1:
        raise UserError(
            f"{path}: num_classes is {count}, expected 1 or more; {_AGAIN}"
        )
    if name == _OF_TOKENS:
        kind = "token_classification"
        return Head(kind, (), dropout, "", 1, length, {}, "", "", count)
    # A FirstTokenClassifier has one in front of the logits, too.
    is_first = name == _OF_FIRST_TOKEN
    activation = config.get("output_activation" if is_first else "activation")
    choices = tuple(_SCORE if count == 1 else _KINDS)
    if activation not in choices:
        raise UserError(
            f"{path}: activation is {str(activation)[:60]!r} of {count} "
            f"classes, expected {' or '.join(map(str, choices))}"
        )
    kind = "regression" if count == 1 else _KINDS[activation]
    score = _SCORE[activation] if count == 1 else ""
    return Head(
        kind, (), dropout, "", 1, length, {}, "", score, count * (count > 1)
    )


def _length(config: dict[str, Any]) -> int:
    """Return how many tokens the preprocessor leaves of a text."""
    preprocessor = (config.get("preprocessor") or {}).get("config", {})
    length = preprocessor.get("sequence_length") or _LENGTH
    backbone = config.get("backbone", {}).get("config", {})
    return min(length, backbone.get("max_sequence_length") or length)
