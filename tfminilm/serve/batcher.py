"""Gather the texts of many requests into batches of one length."""

import asyncio
import concurrent.futures
import dataclasses
import heapq
import itertools
import time
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from tfminilm.errors import UserError
from tfminilm.inference.model import TextModel
from tfminilm.inference.texts import Row

# Those to which the models are run that take any.
LENGTHS = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512)

# How much of the pace is that of the newest batch.
_SMOOTHING = 0.1


class Watcher(Protocol):
    """Hear of each batch."""

    def batch(self, texts: int, tokens: int, seconds: float) -> None: ...
    def failure(self, error: Exception) -> None: ...


@dataclasses.dataclass(slots=True, order=True)
class _Item:
    """A text that waits; those with a lower `turn` come first."""

    turn: tuple[float, int]
    row: Row = dataclasses.field(compare=False)
    tokens: int = dataclasses.field(compare=False)
    since: float = dataclasses.field(compare=False)
    answer: "asyncio.Future[Any]" = dataclasses.field(compare=False)


class Batcher:
    """Predict texts in batches, whichever requests they came with.

    A text is put with others that are padded to the same length. A batch runs
    when it is full, or when its first text has waited long enough, and a copy
    of the model is idle. It has a power of two of texts, so that models that
    compile each shape see few. To be used in one event loop.

    The texts of a request take their turns as if each had come when those
    before it were read, so that a small request does not wait for all of a
    large one that came before it, nor a large one for all that come after it.
    """

    def __init__(
        self,
        models: Sequence[TextModel],
        max_batch: int,
        max_wait: float,
        watcher: Watcher,
    ):
        """Start the threads.

        Args:
            models: copies of one model; each computes one batch at a time.
            max_batch: texts of a batch, a power of two.
            max_wait: seconds that a text waits for others.
            watcher: hears of each batch.
        """
        self._model = models[0]
        self._idle = list(models)
        self._max_batch = max_batch
        self._max_wait = max_wait
        self._watcher = watcher
        self._lengths = self._model.lengths or LENGTHS
        # By the length to which they are padded, heaps of texts.
        self._waiting: dict[int, list[_Item]] = {}
        self._order = itertools.count()
        self._pace = 0.0  # Seconds that the model takes for a text.
        self._running: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._threads = concurrent.futures.ThreadPoolExecutor(
            len(models), "model"
        )
        # Some tokenizers take milliseconds; the loop has others to answer.
        self._counter = concurrent.futures.ThreadPoolExecutor(1, "tokens")

    @property
    def num_waiting(self) -> int:
        """The number of texts that wait for a batch."""
        return sum(map(len, self._waiting.values()))

    async def predict(self, rows: Sequence[Row]) -> tuple[list[Any], int]:
        """Return what the model says of each row, and how many tokens it read.

        Args:
            rows: as `inference.texts.rows_of` gives them.

        Raises:
            UserError: the model refuses one of them.
        """
        counts = await self._counts(rows)
        loop, now = asyncio.get_running_loop(), time.monotonic()
        items = [
            _Item(
                (now + place * self._pace, next(self._order)),
                row,
                count,
                now,
                loop.create_future(),
            )
            for place, (row, count) in enumerate(zip(rows, counts, strict=True))
        ]
        for item in items:
            group = self._waiting.setdefault(self._padded(item.tokens), [])
            heapq.heappush(group, item)
        self._start_batches()
        try:
            answers = await asyncio.gather(
                *(item.answer for item in items), return_exceptions=True
            )
        except asyncio.CancelledError:  # Nobody waits for them any more.
            self._leave_out_cancelled()
            raise
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return answers, sum(counts)

    async def close(self) -> None:
        """Wait for the batches that run, and stop the threads.

        Texts that still wait get no answer: their requests took too long.
        """
        for item in itertools.chain(*self._waiting.values()):
            item.answer.cancel()
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.gather(*self._running)
        self._threads.shutdown()
        self._counter.shutdown()

    async def _counts(self, rows: Sequence[Row]) -> list[int]:
        if self._model.counts_quickly and len(rows) == 1:
            return self._model.token_counts(rows)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._counter, self._model.token_counts, rows
        )

    def _leave_out_cancelled(self) -> None:
        for length, group in [*self._waiting.items()]:
            group[:] = [item for item in group if not item.answer.done()]
            heapq.heapify(group)
            if not group:
                del self._waiting[length]

    def _padded(self, tokens: int) -> int:
        fitting = (length for length in self._lengths if length >= tokens)
        return next(fitting, self._lengths[-1])

    def _start_batches(self) -> None:
        """Start batches for as long as a model is idle and one is due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._idle and self._waiting:
            length, wait = self._next(time.monotonic())
            if wait > 0:
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(wait, self._start_batches)
                return
            task = asyncio.create_task(
                self._run(self._idle.pop(), self._take(length))
            )
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def _next(self, now: float) -> tuple[int, float]:
        """Return the length that is next, and in how many seconds it is due.

        First what has waited long enough, then what is full.
        """
        oldest = min(self._waiting, key=lambda x: self._waiting[x][0])
        wait = self._waiting[oldest][0].since + self._max_wait - now
        if wait > 0:
            for length, group in self._waiting.items():
                if len(group) >= self._max_batch:
                    return length, 0.0
        return oldest, wait

    def _take(self, length: int) -> list[_Item]:
        group = self._waiting[length]
        most = min(len(group), self._max_batch)
        size = 1 << (most.bit_length() - 1)
        items = [heapq.heappop(group) for _ in range(size)]
        if not group:
            del self._waiting[length]
        return items

    async def _run(self, model: TextModel, items: list[_Item]) -> None:
        loop, start = asyncio.get_running_loop(), time.monotonic()
        try:
            answers = await loop.run_in_executor(
                self._threads, _predict, model, [item.row for item in items]
            )
        finally:
            self._idle.append(model)
        for item, answer in zip(items, answers, strict=True):
            if item.answer.done():  # Its request was cancelled meanwhile.
                continue
            if not isinstance(answer, Exception):
                item.answer.set_result(answer)
                continue
            if not isinstance(answer, UserError):
                self._watcher.failure(answer)
            item.answer.set_exception(answer)
        tokens = sum(item.tokens for item in items)
        seconds = time.monotonic() - start
        self._pace += _SMOOTHING * (seconds / len(items) - self._pace)
        self._watcher.batch(len(items), tokens, seconds)
        self._start_batches()


def _predict(model: TextModel, rows: Sequence[Row]) -> list[Any]:
    """Return what a model says of each row, or the error that it raises."""
    try:
        return model.predict(_inputs(model, rows), progress=False)
    except Exception as error:
        if len(rows) == 1:
            return [error]
    # One text at fault must not cost the others their answers.
    return [answer for row in rows for answer in _predict(model, [row])]


def _inputs(model: TextModel, rows: Iterable[Row]) -> list[Any]:
    return [row if model.reads_pairs else row[0] for row in rows]
