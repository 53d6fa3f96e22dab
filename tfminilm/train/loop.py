"""The training loop around `fit`: logs, evaluates, saves, stops, resumes."""

import collections
import math
import signal
import time
from collections.abc import Iterator, Mapping
from typing import Any

import keras

from tfminilm.errors import UserError
from tfminilm.train import checkpoint
from tfminilm.train.progress import Progress, StepBar
from tfminilm.train.recipe import TrainSpec
from tfminilm.train.workdir import Workdir


class Loop:
    """Trains a compiled model from its last checkpoint to the end.

    The batch of a step is a function of the seed and the step, and a
    checkpoint holds the model with its dropout's random state, the optimizer,
    and what was summed since the last row of metrics: a resumed run makes the
    steps and writes the rows that the first one would have.

    What is trained on, and how it is measured, a subclass says: `batches`,
    `tokens` and `losses`.

    Args:
        spec: steps and rhythm.
        folder: where metrics and checkpoints go.
        model: what `fit` trains, compiled.
        saved: the model whose variables a checkpoint holds.
        progress: what a person sees.
    """

    doing = "training"
    split = "held_out"

    def __init__(
        self,
        spec: TrainSpec,
        folder: Workdir,
        model: keras.Model,
        saved: keras.Model,
        progress: Progress,
    ):
        self.spec = spec
        self.folder = folder
        self.model = model
        self.progress = progress
        self.variables = [*saved.variables, *model.optimizer.variables]
        self.batch_size = spec.batch_size // spec.gradient_accumulation

    def batches(self, first: int, count: int) -> Any:
        """A dataset of `count` batches from number `first` on."""
        raise NotImplementedError

    def tokens(self, batch: int) -> int:
        """Tokens of a batch, by its number."""
        raise NotImplementedError

    def losses(self, step: int, num_batches: int | None) -> dict[str, float]:
        """The losses on the first batches (`None`: all) held out, or alike.

        Raises:
            UserError: one of them is not finite.
        """
        raise NotImplementedError

    def run(self) -> None:
        """Trains to the last step.

        Raises:
            UserError: the loss is not finite, the disk is full, or the run
                was interrupted.
        """
        step, facts = self._resume()
        steps = self.spec.steps
        with (
            self.progress.training(steps, step, self.doing) as bar,
            _Signals() as signals,
        ):
            watch = _Watch(self, bar, signals, step, facts)
            self._evaluate(step)
            for stop in self._stops(step):
                self._fit(step, stop, watch)
                step = stop
                self._evaluate(step)

    def is_due(self, step: int) -> bool:
        """Whether to evaluate after this step."""
        return step % self.spec.evaluate_every == 0 or step == self.spec.steps

    def save(self, step: int, facts: dict[str, Any]) -> None:
        """Writes a checkpoint, unless the model in it is broken."""
        self.losses(step, 1)
        checkpoint.save(self.folder.checkpoints, step, self.variables, facts)

    def require_finite(self, row: Mapping[str, float], when: str) -> None:
        """Raises `UserError`, naming the terms, unless all are numbers."""
        broken = [key for key, value in row.items() if not math.isfinite(value)]
        if not broken:
            return
        terms = [key for key in broken if key != "loss"] or broken
        good = max(self.folder.checkpoints.glob("step-*"), default=None)
        raise UserError(
            f"the loss is not finite {when}: "
            + ", ".join(f"{key} is {row[key]}" for key in terms)
            + (f"; the last good checkpoint is {good}" if good else "")
            + "; try a lower train.learning_rate or train.precision=float32 "
            "in a new --workdir"
        )

    def _resume(self) -> tuple[int, dict[str, Any]]:
        found = checkpoint.restore(
            self.folder.checkpoints, self.variables, self.progress.say
        )
        step, facts = found or (0, {})
        self.folder.forget_after(step if found else -1)
        if found:
            self.progress.say(f"resumed at step {step:,}")
        return step, facts

    def _stops(self, step: int) -> Iterator[int]:
        every, steps = self.spec.evaluate_every, self.spec.steps
        while step < steps:
            step = min((step // every + 1) * every, steps)
            yield step

    def _fit(self, start: int, stop: int, watch: "_Watch") -> None:
        parts = self.spec.gradient_accumulation
        batches = self.batches(start * parts, (stop - start) * parts)
        self.model.fit(batches, shuffle=False, verbose=0, callbacks=[watch])

    def _evaluate(self, step: int) -> None:
        # A run may have been killed between a checkpoint and its evaluation.
        if not self.is_due(step) or self.folder.has_logged(step, self.split):
            return
        row = self.losses(step, None)
        self.folder.log({"step": step, "split": self.split, **row})
        self.progress.say(
            f"{self.split.replace('_', ' ')} at step {step:,}: "
            + ", ".join(f"{key} {value:.4f}" for key, value in row.items())
        )


class _Watch(keras.callbacks.Callback):
    """Counts steps; logs, saves and stops at the right ones."""

    def __init__(
        self,
        loop: Loop,
        bar: StepBar,
        signals: "_Signals",
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
        self.clock = _Clock(facts.get("seconds", 0.0))

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.clock.go_on()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self._logs(self.step + 1):
            # Before the update: afterwards it is the next step's.
            rate = self.loop.model.optimizer.learning_rate
            self.rate = float(keras.ops.convert_to_numpy(rate))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        row = {key: float(value) for key, value in (logs or {}).items()}
        # So that the next ones are of their own batch alone.
        self.loop.model.reset_metrics()
        self.loop.require_finite(row, f"at step {self.step + 1}")
        self.sums.update(row)
        self.summed += 1
        parts = self.spec.gradient_accumulation
        self.clock.count(self.loop.tokens(self.step * parts + self.part))
        self.part = (self.part + 1) % parts
        if not self.part:
            self._end_step(row["loss"])

    def _end_step(self, loss: float) -> None:
        self.step += 1
        self.bar.update(self.step, loss)
        if self._logs(self.step):
            self._log()
        is_last = self.step == self.spec.steps
        is_due = self.step % self.spec.checkpoint_every == 0
        stop = self.signals.stop
        if is_due or is_last or stop:
            facts = {
                "seconds": self.clock.seconds(),
                "sums": dict(self.sums),
                "summed": self.summed,
            }
            self.loop.save(self.step, facts)
        if stop and not is_last:
            raise UserError(
                f"interrupted at step {self.step}, which is saved: start the "
                "same command again to go on"
            )

    def _logs(self, step: int) -> bool:
        return step % self.spec.log_every == 0 or step == self.spec.steps

    def _log(self) -> None:
        means = {key: value / self.summed for key, value in self.sums.items()}
        self.loop.folder.log(
            {
                "step": self.step,
                "split": "train",
                **means,
                "learning_rate": self.rate,
                "tokens_per_second": self.clock.tokens_per_second(),
                "seconds": self.clock.seconds(),
            }
        )
        self.sums.clear()
        self.summed = 0


class _Clock:
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


class _Signals:
    """Notes Ctrl-C and SIGTERM; the second one stops at once."""

    def __enter__(self) -> "_Signals":
        self.stop = False
        self._old = {
            number: signal.signal(number, self._note)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: Any) -> None:
        if self.stop:
            raise KeyboardInterrupt
        self.stop = True
