"""Count what a server does, in the form that Prometheus reads."""

import sys
import traceback

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

_SECONDS = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10,
)  # fmt: skip
_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """Hold a server's counters; each server has its own."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self) -> None:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._registry = registry
        self._requests = Counter(
            "tfminilm_requests",
            "Requests that were answered",
            ["path", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "tfminilm_request_seconds",
            "Seconds from a request's first line to its answer",
            ["path"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._texts = Counter(
            "tfminilm_texts", "Texts that were read", registry=registry
        )
        self._tokens = Counter(
            "tfminilm_tokens", "Tokens of these texts", registry=registry
        )
        self._batch_texts = Histogram(
            "tfminilm_batch_texts",
            "Texts that the model read together",
            buckets=_TEXTS,
            registry=registry,
        )
        self._batch_seconds = Histogram(
            "tfminilm_batch_seconds",
            "Seconds that the model took for a batch",
            buckets=_SECONDS,
            registry=registry,
        )
        self.in_flight = Gauge(
            "tfminilm_requests_in_flight",
            "Requests that are answered or wait",
            registry=registry,
        )
        self.waiting = Gauge(
            "tfminilm_texts_waiting",
            "Texts that wait for a batch",
            registry=registry,
        )

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def batch(self, texts: int, tokens: int, seconds: float) -> None:
        """Count a batch that the model read."""
        self._texts.inc(texts)
        self._tokens.inc(tokens)
        self._batch_texts.observe(texts)
        self._batch_seconds.observe(seconds)

    def failure(self, error: Exception) -> None:
        """Write an error of ours to stderr: clients are told nothing of it."""
        traceback.print_exception(error, file=sys.stderr)

    def text(self) -> bytes:
        """Return all of it, in Prometheus' text format."""
        return generate_latest(self._registry)
