"""Describe the server's API as OpenAPI has it, and show that on a page."""

import importlib.resources
from typing import Any

import tfminilm
from tfminilm.inference.model import TextModel
from tfminilm.serve import bodies
from tfminilm.serve.settings import Limits

_TEXT = "A film that I would see again."
_PAIR = "Who wrote the book?", "The book was written by Ada in spring."


def examples(model: TextModel) -> list[Any]:
    """Return two texts, or pairs, that a model reads."""
    if model.reads_pairs:
        return [_PAIR, tuple(reversed(_PAIR))]
    return [_TEXT, _PAIR[1]]


def document(
    model: TextModel, limits: Limits, name: str, answer: Any
) -> dict[str, Any]:
    """Return the API of a model.

    Args:
        model: what it is of.
        limits: on what the server takes.
        name: of the model.
        answer: what the model says of the first of `examples`.
    """
    texts = examples(model)
    asked = bodies.Question([], is_single=True)
    paths = {
        "/predict": _post(
            "What the model says of a text, or of each of several",
            _texts_schema(model.reads_pairs, limits),
            {"text": texts[0]},
            bodies.predictions_answer(asked, [answer]),
        ),
    }
    if model.embeds:
        paths["/embed"] = _post(
            "The embedding of a text, or of each of several",
            _texts_schema(False, limits),
            {"text": texts[0]},
            bodies.embed_answer(asked, [answer]),
        )
        paths["/v1/embeddings"] = _post(
            "The same, in the form that OpenAI's clients send and read",
            _input_schema(limits),
            {"input": texts[0], "model": name},
            bodies.embeddings_answer(asked, [answer], 9, name),
        )
        paths["/v1/models"] = _get("The model's name, for these clients")
    paths["/health/live"] = _get("Whether the server runs")
    paths["/health/ready"] = _get("Whether it takes texts, and of what kind")
    paths["/metrics"] = _get("Counters, in the form that Prometheus reads")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": name,
            "version": tfminilm.__version__,
            # Clients have no use for the folders of this machine.
            "description": repr(model).replace(repr(model.source), repr(name)),
        },
        "paths": paths,
    }


def page() -> str:
    """Return the page that shows the document, and tries it."""
    folder = importlib.resources.files("tfminilm.serve")
    return (folder / "page.html").read_text(encoding="utf-8")


def _texts_schema(reads_pairs: bool, limits: Limits) -> dict[str, Any]:
    text: dict[str, Any] = {"type": "string", "minLength": 1}
    text["maxLength"] = limits.max_characters
    if reads_pairs:
        text = {"type": "array", "items": text, "minItems": 2, "maxItems": 2}
    many = {"type": "array", "items": text, "minItems": 1}
    many["maxItems"] = limits.max_texts
    return {
        "type": "object",
        "properties": {"text": text, "texts": many},
        "oneOf": [{"required": ["text"]}, {"required": ["texts"]}],
        "additionalProperties": False,
    }


def _input_schema(limits: Limits) -> dict[str, Any]:
    text = {"type": "string", "minLength": 1}
    text["maxLength"] = limits.max_characters
    many = {"type": "array", "items": text, "minItems": 1}
    many["maxItems"] = limits.max_texts
    return {
        "type": "object",
        "properties": {
            "input": {"anyOf": [text, many]},
            "model": {"type": "string"},
            "encoding_format": {"enum": ["float", "base64"]},
        },
        "required": ["input"],
    }


def _post(
    summary: str, schema: dict[str, Any], asked: Any, answered: Any
) -> dict[str, Any]:
    refusals = {
        "408": "The request took too long to arrive",
        "413": "The request is too large",
        "422": "The request or a text in it cannot be used: a sentence why",
        "503": "Too many requests at once: come back after Retry-After",
    }
    return {
        "post": {
            "summary": summary,
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {"schema": schema, "example": asked}
                },
            },
            "responses": {
                "200": _response("What was found", answered),
                **{
                    status: _response(text, bodies.error_answer("...", "..."))
                    for status, text in refusals.items()
                },
            },
        }
    }


def _get(summary: str) -> dict[str, Any]:
    return {
        "get": {
            "summary": summary,
            "responses": {"200": {"description": "It is well"}},
        }
    }


def _response(text: str, example: Any) -> dict[str, Any]:
    return {
        "description": text,
        "content": {"application/json": {"example": example}},
    }
