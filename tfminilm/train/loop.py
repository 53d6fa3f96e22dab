"""The training loop around `fit`: logs, evaluates, saves, stops, resumes."""

import math
import signal
import time
from collections.abc import Iterator
from typing import Any

import keras

from tfminilm import data
from tfminilm.distiller import Distiller
from tfminilm.errors import UserError
from tfminilm.train import checkpoint
from tfminilm.train.progress import Progress
from tfminilm.train.recipe import Recipe
from tfminilm.train.workdir import Workdir


class Loop:
    """Trains a compiled distiller from its last checkpoint to the end.

    The batch of a step is a function of the seed and the step, and a
    checkpoint holds the student with its dropout's random state, and the
    optimizer: a resumed run makes the steps that the first one would have
    made.
    """

    def __init__(
        self,
        recipe: Recipe,
        folder: Workdir,
        distiller: Distiller,
        text: data.TextData,
        progress: Progress,
    ):
        self.recipe = recipe
        self.spec = recipe.train
        self.folder = folder
        self.distiller = distiller
        self.text = text
        self.progress = progress
        self.variables = [
            *distiller.student.variables,
            *distiller.optimizer.variables,
        ]
        self.held_out = data.held_out_batches(
            text.held_out,
            self._batch_size(),
            math.ceil(self.spec.held_out_sequences / self._batch_size()),
        )

    def run(self) -> None:
        """Trains to the last step.

        Raises:
            UserError: the loss is not finite, or the run was interrupted.
        """
        step, seconds = self._resume()
        steps = self.spec.steps
        with self.progress.training(steps, step) as bar, _Signals() as signals:
            watch = _Watch(self, bar, signals, step, seconds)
            if step == 0:
                self._evaluate(0)
            for stop in self._stops(step):
                self._fit(step, stop, watch)
                step = stop
                if step % self.spec.evaluate_every == 0 or step == steps:
                    self._evaluate(step)

    def save(self, step: int, seconds: float) -> None:
        """Writes a checkpoint."""
        checkpoint.save(
            self.folder.checkpoints, step, self.variables, {"seconds": seconds}
        )

    def _resume(self) -> tuple[int, float]:
        found = checkpoint.restore(self.folder.checkpoints, self.variables)
        step, facts = found or (0, {"seconds": 0.0})
        self.folder.forget_after(step if found else -1)
        if found:
            self.progress.say(f"resumed at step {step:,}")
        return step, facts["seconds"]

    def _stops(self, step: int) -> Iterator[int]:
        every, steps = self.spec.evaluate_every, self.spec.steps
        while step < steps:
            step = min((step // every + 1) * every, steps)
            yield step

    def _fit(self, start: int, stop: int, watch: "_Watch") -> None:
        parts = self.spec.gradient_accumulation
        batches = data.dataset(
            self.text.train,
            self._batch_size(),
            self.recipe.seed,
            start * parts,
            (stop - start) * parts,
        )
        self.distiller.fit(batches, shuffle=False, verbose=0, callbacks=[watch])

    def _evaluate(self, step: int) -> None:
        self.distiller.reset_metrics()
        for batch in self.held_out:
            row = self.distiller.test_on_batch(batch, return_dict=True)
        self.distiller.reset_metrics()
        row = {key: float(value) for key, value in row.items()}
        self.folder.log({"step": step, "split": "held_out", **row})
        self.progress.say(
            f"held out at step {step:,}: "
            + ", ".join(f"{key} {value:.4f}" for key, value in row.items())
        )

    def _batch_size(self) -> int:
        return self.spec.batch_size // self.spec.gradient_accumulation


class _Watch(keras.callbacks.Callback):
    """Counts steps; logs, saves and stops at the right ones."""

    def __init__(
        self,
        loop: Loop,
        bar: Any,
        signals: "_Signals",
        step: int,
        seconds: float,
    ):
        super().__init__()
        self.loop = loop
        self.bar = bar
        self.signals = signals
        self.step = step
        self.part = 0
        self.logged = step
        self.before = seconds
        self.start = self.last = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        spec = self.loop.spec
        self.part = (self.part + 1) % spec.gradient_accumulation
        if self.part:
            return
        self.step += 1
        row = {key: float(value) for key, value in (logs or {}).items()}
        self._require_finite(row)
        self.bar.update(self.step, row["loss"])
        if self.step % spec.log_every == 0 or self.step == spec.steps:
            self._log(row)
        is_last = self.step == spec.steps
        if (
            self.step % spec.checkpoint_every == 0
            or is_last
            or self.signals.stop
        ):
            self.loop.save(self.step, self._seconds())
        if self.signals.stop and not is_last:
            raise UserError(
                f"interrupted at step {self.step}, which is saved: start the "
                "same command again to go on"
            )

    def _log(self, row: dict[str, float]) -> None:
        now = time.monotonic()
        spec = self.loop.spec
        tokens = (self.step - self.logged) * spec.batch_size
        tokens *= self.loop.recipe.data.sequence_length
        rate = self.loop.distiller.optimizer.learning_rate
        self.loop.folder.log(
            {
                "step": self.step,
                "split": "train",
                **row,
                "learning_rate": float(keras.ops.convert_to_numpy(rate)),
                "tokens_per_second": tokens / (now - self.last),
                "seconds": self._seconds(),
            }
        )
        self.logged, self.last = self.step, now
        self.loop.distiller.reset_metrics()

    def _require_finite(self, row: dict[str, float]) -> None:
        broken = [key for key, value in row.items() if not math.isfinite(value)]
        if not broken:
            return
        terms = [key for key in broken if key != "loss"] or broken
        raise UserError(
            f"the loss is not finite at step {self.step}: "
            f"{', '.join(f'{key} is {row[key]}' for key in terms)}; the last "
            f"good checkpoint is kept in {self.loop.folder.checkpoints}; "
            "try a lower train.learning_rate or train.precision=float32"
        )

    def _seconds(self) -> float:
        return self.before + time.monotonic() - self.start


class _Signals:
    """Notes Ctrl-C and SIGTERM; the second Ctrl-C stops at once."""

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
