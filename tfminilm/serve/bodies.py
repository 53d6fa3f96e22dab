"""Read what clients ask, and write what they are answered."""

import base64
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfminilm import json_files
from tfminilm.errors import UserError
from tfminilm.inference.texts import Row, rows_of
from tfminilm.serve.settings import Limits
from tfminilm.typing import Json

_REMEDY = "the API page, /docs, shows what is expected"
_EITHER = 'expected {"text": ...} for one text, or {"texts": [...]}'
_ASK = {"text?": (str, [str]), "texts?": [(str, [str])]}
# What OpenAI's clients send.
_INPUT = {
    "input": (str, [str]),
    "model?": str,
    "encoding_format?": (str, None),
    "dimensions?": (int, None),
    "user?": (str, None),
}
_FORMATS = (None, "float", "base64")


@dataclasses.dataclass(frozen=True)
class Question:
    """Hold what a client asks.

    Attributes:
        rows: each with one text, or with two that are read together.
        is_single: whether it was one text, and no list.
        as_base64: whether embeddings are wanted as text.
    """

    rows: list[Row]
    is_single: bool = False
    as_base64: bool = False


def question(content: bytes, reads_pairs: bool, limits: Limits) -> Question:
    """Read the body of `/predict` and `/embed`.

    Args:
        content: the body.
        reads_pairs: whether the model reads two texts together.
        limits: on texts.

    Raises:
        UserError: it is damaged, has other fields, or too much of a text.
    """
    body = json_files.parse(content, "the request", _ASK, _REMEDY)
    if unknown := [name for name in body if name not in ("text", "texts")]:
        raise UserError(f"the field {unknown[0]!r} is not known: {_EITHER}")
    if len(body) != 1:
        raise UserError(f"the request has {len(body)} fields, {_EITHER}")
    ((name, value),) = body.items()
    if name == "texts":
        _require_few(value, limits)
    texts = list(map(_pair, value)) if name == "texts" else _pair(value)
    rows, is_single = rows_of(texts, reads_pairs)
    if is_single != (name == "text"):
        raise UserError('"text" is a list of several: call it "texts"')
    _require_short(rows, limits)
    return Question(rows, is_single)


def embeddings_question(
    content: bytes, dimension: int, limits: Limits
) -> Question:
    """Read the body of `/v1/embeddings`, as OpenAI's clients send it.

    Args:
        content: the body.
        dimension: of the model's embeddings.
        limits: on texts.

    Raises:
        UserError: as `question` raises it, or it asks for what the model
            does not give.
    """
    body = json_files.parse(content, "the request", _INPUT, _REMEDY)
    if unknown := [
        x for x in body if x not in _INPUT and f"{x}?" not in _INPUT
    ]:
        raise UserError(
            f"the field {unknown[0]!r} is not known: expected "
            + ", ".join(name.removesuffix("?") for name in _INPUT)
        )
    format = body.get("encoding_format")
    if format not in _FORMATS:
        raise UserError(
            f"encoding_format is {format[:20]!r}, expected float or base64"
        )
    if body.get("dimensions") not in (None, dimension):
        raise UserError(
            f"dimensions is {body['dimensions']}: the model's embeddings have "
            f"{dimension}, leave it out"
        )
    texts = body["input"]
    if isinstance(texts, list):
        _require_few(texts, limits)
    rows, is_single = rows_of(texts, is_pair=False)
    _require_short(rows, limits)
    return Question(rows, is_single, as_base64=format == "base64")


def _pair(value: Json) -> Json:
    """Return two texts, which JSON has as a list, as a tuple."""
    return tuple(value) if isinstance(value, list) else value


def _require_few(texts: Sequence[object], limits: Limits) -> None:
    if len(texts) > limits.max_texts:
        raise UserError(
            f"{len(texts)} texts are too many for one request: expected up to "
            f"{limits.max_texts}, send the others in more requests"
        )


def _require_short(rows: Sequence[Row], limits: Limits) -> None:
    for number, row in enumerate(rows):
        size = sum(map(len, row))
        if size > limits.max_characters:
            where = f"text {number}" if len(rows) > 1 else "the text"
            raise UserError(
                f"{where} has {size} characters: expected up to "
                f"{limits.max_characters}, send a part of it"
            )


def predictions_answer(
    asked: Question, predictions: Sequence[Any]
) -> dict[str, Any]:
    """Return what `/predict` answers."""
    answers = [as_json(one) for one in predictions]
    if asked.is_single:
        return {"prediction": answers[0]}
    return {"predictions": answers}


def embed_answer(asked: Question, predictions: Sequence[Any]) -> dict[str, Any]:
    """Return what `/embed` answers."""
    vectors = [one.embedding.tolist() for one in predictions]
    if asked.is_single:
        return {"embedding": vectors[0]}
    return {"embeddings": vectors}


def embeddings_answer(
    asked: Question, predictions: Sequence[Any], tokens: int, model: str
) -> dict[str, Any]:
    """Return what `/v1/embeddings` answers, as OpenAI's clients read it."""
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _base64(one.embedding)
            if asked.as_base64
            else one.embedding.tolist(),
        }
        for index, one in enumerate(predictions)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model, "usage": usage}


def error_answer(message: str, kind: str) -> dict[str, Any]:
    """Return what is answered where something is refused.

    OpenAI's clients show it to their users.
    """
    error = {"message": message, "type": kind, "param": None, "code": None}
    return {"error": error}


def as_json(prediction: Any) -> dict[str, Any]:
    """Return a prediction's fields as JSON's types."""
    return {
        field.name: _plain(getattr(prediction, field.name))
        for field in dataclasses.fields(prediction)
    }


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple):  # Labels, or parts of a text.
        return [x if isinstance(x, str) else as_json(x) for x in value]
    return value


def _base64(vector: np.ndarray) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()
