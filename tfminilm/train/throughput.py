"""Measure how fast a run is: its seconds, and its tokens a second."""

import time


class ThroughputMeter:
    """Count a run's seconds, and its tokens a second since the last row.

    Args:
        before: seconds that earlier starts of the run took.
    """

    def __init__(self, before: float = 0.0):
        self._start = time.monotonic() - before
        self._batches = self._tokens = 0
        self._busy = 0.0
        self._last = self._start

    def resume(self) -> None:
        """Start counting again, after a start or an evaluation."""
        self._last = time.monotonic()

    def count(self, tokens: int) -> None:
        """Count the tokens of batches that are done."""
        now = time.monotonic()
        if self._batches == 1:  # The first one was spent on tracing.
            self._tokens, self._busy = 0, 0.0
        self._batches += 1
        self._tokens += tokens
        self._busy += now - self._last
        self._last = now

    def tokens_per_second(self) -> float:
        """Return the rate since this was last called."""
        rate = self._tokens / max(self._busy, 1e-9)
        self._tokens, self._busy = 0, 0.0
        return rate

    def seconds(self) -> float:
        """Return the seconds of the whole run."""
        return time.monotonic() - self._start
