"""What happens beside the steps of a run: rows, checkpoints, a stop."""

import collections
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from tfminilm.errors import Interrupted
from tfminilm.private.optimizers import learning_rate
from tfminilm.report.machine import peak_memory
from tfminilm.train.progress import StepBar
from tfminilm.train.signals import Signals

if TYPE_CHECKING:
    from tfminilm.train.loop import Loop


class Watch(keras.callbacks.Callback):
    """Counts steps; logs, saves and stops at the right ones."""

    def __init__(
        self,
        loop: "Loop",
        bar: StepBar,
        signals: Signals,
        step: int,
        facts: Mapping[str, Any],
    ):
        super().__init__()
        self.loop = loop
        self.spec = loop.spec
        self.bar = bar
        self.signals = signals
        self.step = step
        self.part = 0
        # Of the steps since the last row.
        self.sums = collections.Counter(facts.get("sums", {}))
        self.summed = facts.get("summed", 0)
        self.clock = Clock(facts.get("seconds", 0.0))
        # What the run was given; seeds of batches replace it.
        self._seed = _torch_seed()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.clock.go_on()
        self.seen = 0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if keras.backend.backend() == "torch":
            self._seed_torch()
        if self._logs(self.step + self.spec.steps_per_execution):
            # Before the update: afterwards it is the next step's.
            self.rate = learning_rate(
                self.loop.model.optimizer, self.spec.batches_per_execution
            )

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        row = {key: float(value) for key, value in (logs or {}).items()}
        if keras.backend.backend() == "jax":
            # There a running `fit` keeps its state apart from the variables.
            self.loop.model.jax_state_sync()
        # So that the next ones are of their own batch alone.
        self.loop.reset_metrics()
        self.loop.require_finite(row, f"at step {self.step + 1}")
        # `batch` counts from 0, and is the last of an execution's.
        count, self.seen = batch + 1 - self.seen, batch + 1
        self.sums.update({key: count * value for key, value in row.items()})
        self.summed += count
        parts = self.spec.gradient_accumulation
        first = self.step * parts + self.part
        self.clock.count(
            sum(map(self.loop.tokens, range(first, first + count)))
        )
        steps, self.part = divmod(self.part + count, parts)
        if steps:
            self._end_steps(steps, row["loss"])

    def save(self) -> None:
        """Writes a checkpoint of the steps done."""
        facts = {
            "seconds": self.clock.seconds(),
            "sums": dict(self.sums),
            "summed": self.summed,
        }
        self.loop.save(self.step, facts)

    def interrupt(self) -> None:
        """Stops the run, which is saved at this step.

        Raises:
            Interrupted: always.
        """
        self.loop.checkpoints.wait()
        self.loop.folder.team.wait()  # One that left would be missed.
        raise Interrupted(
            f"interrupted at step {self.step}, which is saved: start the "
            "same command again to go on"
        )

    def _end_steps(self, count: int, loss: float) -> None:
        self.step += count
        self.bar.update(self.step, loss)
        if self._logs(self.step):
            self._log()
        is_last = self.step == self.spec.steps
        is_due = self.step % self.spec.checkpoint_every == 0
        # All stop after the same step, whoever was told to.
        stop = self.loop.folder.team.any(self.signals.stop)
        if is_due or is_last or stop:
            self.save()
        if stop:
            self.interrupt()

    def _seed_torch(self) -> None:
        """Makes a batch's dropout a function of the seed and its number.

        On PyTorch, Keras draws for dropout from the process' own random
        state, which no checkpoint holds.
        """
        import torch

        number = self.step * self.spec.gradient_accumulation + self.part
        mixed = np.random.SeedSequence([self._seed, number])
        torch.manual_seed(int(mixed.generate_state(1)[0]))

    def _logs(self, step: int) -> bool:
        return step % self.spec.log_every == 0 or step == self.spec.steps

    def _log(self) -> None:
        means = {key: value / self.summed for key, value in self.sums.items()}
        speed = self.clock.tokens_per_second()
        self.loop.log(
            {
                "step": self.step,
                "split": "train",
                **means,
                "learning_rate": self.rate,
                "tokens_per_second": speed,
                "seconds": self.clock.seconds(),
                **peak_memory(),
            }
        )
        self.bar.report(self.step, means, speed, self.loop.matrix_share)
        self.clock.go_on()
        self.sums.clear()
        self.summed = 0


def _torch_seed() -> int:
    """The seed of this process on PyTorch; 0 on other backends."""
    if keras.backend.backend() != "torch":
        return 0
    import torch

    return torch.initial_seed()


class Clock:
    """A run's seconds, and its tokens a second since it was last asked."""

    def __init__(self, before: float):
        self._start = time.monotonic() - before
        self._batches = self._tokens = 0
        self._busy = 0.0

    def go_on(self) -> None:
        """Batches are coming, after an evaluation or a start."""
        self._last = time.monotonic()

    def count(self, tokens: int) -> None:
        """A batch is done."""
        now = time.monotonic()
        if self._batches == 1:  # The first one was spent on tracing.
            self._tokens, self._busy = 0, 0.0
        self._batches += 1
        self._tokens += tokens
        self._busy += now - self._last
        self._last = now

    def tokens_per_second(self) -> float:
        rate = self._tokens / max(self._busy, 1e-9)
        self._tokens, self._busy = 0, 0.0
        return rate

    def seconds(self) -> float:
        return time.monotonic() - self._start
