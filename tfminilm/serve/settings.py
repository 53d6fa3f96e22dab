"""Define how much a server takes, and how it gathers texts."""

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """Bound what a server takes.

    Attributes:
        max_batch: texts that the model reads together, a power of two.
        max_wait_ms: milliseconds that a text waits for others of its length
            while the model has nothing to do.
        max_concurrency: requests that are answered or wait at once; one more
            is told to come back (503).
        max_body: bytes of a request (413).
        max_texts: texts of a request (422).
        max_characters: of a text, or of two that are read together (422).
        body_seconds: in which a request has to arrive (408).
    """

    max_batch: int = 32
    max_wait_ms: float = 2.0
    max_concurrency: int = 512
    max_body: int = 2**20
    max_texts: int = 256
    max_characters: int = 20_000
    body_seconds: float = 10.0
