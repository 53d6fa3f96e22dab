"""Answer requests: an ASGI application around a model."""

import asyncio
import contextlib
import json
import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Sequence,
)
from typing import Any, TypeAlias

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from tfminilm.errors import UserError
from tfminilm.inference.model import TextModel
from tfminilm.serve import bodies, openapi
from tfminilm.serve.batcher import Batcher
from tfminilm.serve.metrics import Metrics
from tfminilm.serve.settings import Limits

_Answer: TypeAlias = dict[str, Any]
_Ask: TypeAlias = Callable[[bytes], Coroutine[Any, Any, _Answer]]
# What nginx counts for a client that left.
_LEFT = 499
_NO_EMBEDDINGS = "the model is one for {}: it embeds no texts, use /predict"
_TYPES = {404: "not_found_error", 500: "server_error", 503: "overloaded_error"}


def make_app(
    models: Sequence[TextModel], limits: Limits, name: str = "model"
) -> Starlette:
    """Return the application that serves a model.

    Args:
        models: copies of one model; each computes one batch at a time.
        limits: on what it takes.
        name: of the model, as clients see it.
    """
    service = _Service(models, limits, name)
    page = openapi.page()
    routes = [
        Route("/predict", service.counted(service.predict), methods=["POST"]),
        Route("/embed", service.counted(service.embed), methods=["POST"]),
        Route(
            "/v1/embeddings",
            service.counted(service.embeddings),
            methods=["POST"],
        ),
        Route("/v1/models", service.list_models),
        Route("/health", service.health),
        Route("/health/live", service.health),
        Route("/health/ready", service.health),
        Route("/metrics", service.show_metrics),
        Route("/openapi.json", service.describe),
        Route("/docs", lambda request: HTMLResponse(page, headers=_PAGE)),
        Route("/", lambda request: HTMLResponse(page, headers=_PAGE)),
    ]
    return Starlette(
        routes=routes,
        lifespan=service.lifespan,
        exception_handlers={HTTPException: _refused, 500: _failed},
    )


# The page takes nothing from elsewhere.
_PAGE = {
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; "
    "script-src 'unsafe-inline'; style-src 'unsafe-inline'"
}


class _Service:
    """The functions behind the routes, and what they share."""

    def __init__(self, models: Sequence[TextModel], limits: Limits, name: str):
        self._models = models
        self._model = models[0]
        self._limits = limits
        self._name = name
        self._metrics = Metrics()
        self._batcher: Batcher | None = None
        self._in_flight = 0
        # Asked before anybody else asks: a model may compile something first.
        examples = openapi.examples(self._model)
        (example, *_), *_ = [m.predict(examples, False) for m in models]
        self._dimension = len(getattr(example, "embedding", ()))
        document = openapi.document(self._model, limits, name, example)
        self._document = json.dumps(document).encode()

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Have a batcher for as long as the server runs."""
        self._batcher = Batcher(
            self._models,
            self._limits.max_batch,
            self._limits.max_wait_ms / 1000,
            self._metrics,
        )
        yield
        batcher, self._batcher = self._batcher, None
        await batcher.close()

    def counted(self, ask: _Ask) -> Callable[[Request], Awaitable[Response]]:
        """Return the function of a route: within the limits, and counted."""

        async def answer(request: Request) -> Response:
            start = time.monotonic()
            if self._in_flight >= self._limits.max_concurrency:
                response = _error(
                    503,
                    f"{self._in_flight} requests are being answered: try "
                    "again in a second",
                    {"Retry-After": "1"},
                )
            else:
                self._in_flight += 1
                try:
                    response = await self._answer(request, ask)
                except asyncio.CancelledError:  # A stop took too long.
                    response = _error(
                        503,
                        "the server stops: send it again when it runs",
                        {"Retry-After": "10", "Connection": "close"},
                    )
                finally:
                    self._in_flight -= 1
            seconds = time.monotonic() - start
            self._metrics.request(
                request.url.path, response.status_code, seconds
            )
            return response

        return answer

    async def _answer(self, request: Request, ask: _Ask) -> Response:
        """Return a response, whatever happens."""
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                content = await self._body(request)
        except TimeoutError:
            return _error(
                408,
                "the request did not arrive within "
                f"{self._limits.body_seconds:g} seconds: send it at once",
                {"Connection": "close"},
            )
        except ClientDisconnect:
            return Response(status_code=_LEFT)  # Nobody reads it.
        if content is None:
            return _error(
                413,
                f"the request has more than {self._limits.max_body} bytes: "
                "send fewer texts at once",
                {"Connection": "close"},
            )
        try:
            answer = await _while_there(request, ask(content))
            if answer is None:
                return Response(status_code=_LEFT)  # Nobody reads it.
            return _json(answer)
        except UserError as error:
            return _error(422, str(error))
        except Exception as error:
            self._metrics.failure(error)
            return _error(500, "the server failed: its log says why")

    async def _body(self, request: Request) -> bytes | None:
        """Return the body, or None if it is too large."""
        most = self._limits.max_body
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > most:
            return None
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > most:
                return None
            parts.append(part)
        return b"".join(parts)

    async def predict(self, content: bytes) -> dict[str, Any]:
        asked = bodies.question(content, self._model.reads_pairs, self._limits)
        answers, _ = await self._ask(asked)
        return bodies.predictions_answer(asked, answers)

    async def embed(self, content: bytes) -> dict[str, Any]:
        self._require_embeddings()
        asked = bodies.question(content, False, self._limits)
        answers, _ = await self._ask(asked)
        return bodies.embed_answer(asked, answers)

    async def embeddings(self, content: bytes) -> dict[str, Any]:
        self._require_embeddings()
        asked = bodies.embeddings_question(
            content, self._dimension, self._limits
        )
        answers, tokens = await self._ask(asked)
        return bodies.embeddings_answer(asked, answers, tokens, self._name)

    async def _ask(self, asked: bodies.Question) -> tuple[list[Any], int]:
        assert self._batcher is not None
        return await self._batcher.predict(asked.rows)

    def _require_embeddings(self) -> None:
        if not self._model.embeds:
            raise UserError(_NO_EMBEDDINGS.format(self._model.task))

    def list_models(self, request: Request) -> Response:
        model = {"id": self._name, "object": "model", "created": 0}
        model["owned_by"] = "tfminilm"
        return _json({"object": "list", "data": [model]})

    async def health(self, request: Request) -> Response:
        """Say that it runs; it listens no sooner than the model is ready."""
        model = self._model
        facts = {
            "status": "ready",
            "model": self._name,
            "task": model.task,
            "labels": list(model.labels),
            "reads_pairs": model.reads_pairs,
            "max_length": model.max_length,
            "precision": model.precision,
        }
        return _json(facts)

    async def show_metrics(self, request: Request) -> Response:
        self._metrics.in_flight.set(self._in_flight)
        if self._batcher is not None:
            self._metrics.waiting.set(self._batcher.num_waiting)
        return Response(
            self._metrics.text(), media_type=self._metrics.content_type
        )

    async def describe(self, request: Request) -> Response:
        return Response(self._document, media_type="application/json")


async def _while_there(
    request: Request, work: Coroutine[Any, Any, _Answer]
) -> _Answer | None:
    """Return what some work gives, or None: its client has left meanwhile.

    What the client no longer waits for is cancelled.
    """
    doing = asyncio.ensure_future(work)
    # Once the body is here, nothing else is received.
    leaving = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait(
            (doing, leaving), return_when=asyncio.FIRST_COMPLETED
        )
        return doing.result() if doing.done() else None
    finally:
        doing.cancel()
        leaving.cancel()


def _json(content: dict[str, Any], status: int = 200) -> Response:
    # JSON has no NaN: clients could not read such an answer.
    text = json.dumps(
        content, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    )
    return Response(
        text.encode("utf-8", "replace"), status, media_type="application/json"
    )


def _error(
    status: int, message: str, headers: dict[str, str] | None = None
) -> Response:
    kind = _TYPES.get(status, "invalid_request_error")
    response = _json(bodies.error_answer(message, kind), status)
    response.headers.update(headers or {})
    return response


async def _refused(request: Request, error: Exception) -> Response:
    """Answer what has no route."""
    assert isinstance(error, HTTPException)
    path = request.url.path[:60]
    message = f"there is no {request.method} {path}: /docs lists what there is"
    return _error(error.status_code, message, dict(error.headers or {}))


async def _failed(request: Request, error: Exception) -> Response:
    return _error(500, "the server failed: its log says why")
