"""The training loop around `fit`: logs, evaluates, saves, stops, resumes."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import keras

from tfminilm.errors import UserError
from tfminilm.train import checkpoint
from tfminilm.train.progress import Progress
from tfminilm.train.recipe import TrainSpec
from tfminilm.train.signals import Signals
from tfminilm.train.watch import Watch
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
            Signals() as signals,
        ):
            watch = Watch(self, bar, signals, step, facts)
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

    def _fit(self, start: int, stop: int, watch: Watch) -> None:
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
