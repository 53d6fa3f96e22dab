"""The training loop around `fit`: logs, evaluates, saves, stops, resumes."""

import contextlib
import functools
import hashlib
import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from tfminilm.errors import Interrupted, UserError
from tfminilm.train import products
from tfminilm.train.checkpoint import Checkpoints
from tfminilm.train.progress import Progress
from tfminilm.train.recipe import TrainSpec
from tfminilm.train.scalars import Scalars
from tfminilm.train.signals import Signals
from tfminilm.train.team import resetter, tester
from tfminilm.train.watch import Watch
from tfminilm.train.workdir import Workdir


class Loop:
    """Trains a compiled model from its last checkpoint to the end.

    The batch of a step is a function of the seed and the step, and a
    checkpoint holds the model with its dropout's random state, the optimizer,
    and what was summed since the last row of metrics: a resumed run makes the
    steps and writes the rows that the first one would have.

    What is trained on, and how it is measured, a subclass says: `batches`,
    `tokens` and `losses`. `callbacks` see each update before it is saved.

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
        self.callbacks: list[keras.callbacks.Callback] = []
        self._test = tester(model)
        self.reset_metrics = resetter(model)
        self.checkpoints = Checkpoints(
            folder.checkpoints,
            spec.keep_checkpoints,
            lambda step: folder.tell("checkpoint", step),
            folder.run,
        )

    def batches(self, first: int, count: int) -> Any:
        """A dataset of `count` batches from number `first` on."""
        raise NotImplementedError

    def tokens(self, batch: int) -> int:
        """Tokens of a batch, by its number."""
        raise NotImplementedError

    def whole_numbers(self) -> Iterator[np.ndarray]:
        """Token ids and classes that tell the data from other data.

        No floats: their last digit may differ from machine to machine.
        """
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
            UserError: the loss is not finite, or the disk is full.
            Interrupted: a signal came; the run is saved.
        """
        step, facts = self._resume()
        steps = self.spec.steps
        with (
            self.checkpoints,
            self.progress.training(steps, step, self.doing) as bar,
            Signals() as signals,
        ):
            watch = Watch(self, bar, signals, step, facts)
            with self._telling(watch):
                self._evaluate(watch)
                for stop in self._stops(step):
                    self._fit(step, stop, watch)
                    step = stop
                    self._evaluate(watch)
                if self.folder.team.any(signals.stop):
                    watch.interrupt()

    def is_due(self, step: int) -> bool:
        """Whether to evaluate after this step."""
        return step % self.spec.evaluate_every == 0 or step == self.spec.steps

    def log(self, row: Mapping[str, Any]) -> None:
        """Writes a row of metrics, for TensorBoard as well."""
        if self.folder.team.is_chief:
            self.folder.log(row)
            self._scalars.add(row)

    def matrix_share(self, tokens_per_second: float) -> float:
        """What share of a second the matrix products need by themselves.

        They are measured when this is first called. 0 if they are not known,
        or if several replicas share them.
        """
        return tokens_per_second * self._seconds_per_token

    @functools.cached_property
    def _seconds_per_token(self) -> float:
        if self.folder.team.num_replicas > 1:
            return 0.0
        batch = next(iter(self.batches(0, 1)))
        inputs = batch[0] if isinstance(batch, tuple) else batch
        found = products.step_products(self.model, inputs)
        # Real ones, as the rate counts: padding is multiplied as well.
        return products.seconds(found) / self.tokens(0)

    def save(self, step: int, facts: dict[str, Any]) -> None:
        """Writes a checkpoint, unless the model in it is broken."""
        if not self.folder.team.is_chief:
            return
        self.losses(step, 1)
        self.checkpoints.save(step, self.variables, facts)

    def means(
        self,
        batches: Iterable[Sequence[Any]],
        weights: Sequence[int] | None = None,
    ) -> dict[str, float]:
        """The means of the model's metrics over batches.

        Args:
            batches: each as `fit` takes it.
            weights: how much each counts; all the same if `None`.
        """
        rows = [self._test(*batch) for batch in batches]
        self.reset_metrics()
        return {
            key: statistics.fmean([float(row[key]) for row in rows], weights)
            for key in sorted(rows[0])
        }

    def require_finite(self, row: Mapping[str, float], when: str) -> None:
        """Raises `UserError`, naming the terms, unless all are numbers."""
        broken = [key for key, value in row.items() if not math.isfinite(value)]
        if not broken:
            return
        terms = [key for key in broken if key != "loss"] or broken
        good = self.checkpoints.newest()
        raise UserError(
            f"the loss is not finite {when}: "
            + ", ".join(f"{key} is {row[key]}" for key in terms)
            + f"; {self._state_of_weights()}"
            + (f"; the last good checkpoint is {good}" if good else "")
            + "; try a lower train.learning_rate or train.precision=float32 "
            "in a new --workdir"
        )

    def _resume(self) -> tuple[int, dict[str, Any]]:
        found = self.checkpoints.restore(self.variables, self.progress.say)
        step, facts = found or (0, {})
        self._agree(step)
        if self.folder.team.is_chief:
            self.folder.keep_to_data(self._data_digest(), bool(found))
        self.folder.team.part_seeds(self.variables)
        self.folder.forget_after(step if found else -1)
        if self.folder.team.is_chief:
            self._scalars = Scalars(
                self.folder.path / "tensorboard",
                self.folder.rows(),
                self.folder.run,
            )
        self.folder.tell("resumed" if found else "started", step)
        if found:
            self.progress.say(f"resumed at step {step:,}")
        return step, facts

    def _agree(self, step: int) -> None:
        """Raises `UserError` if workers are at other places, or in other data.

        A batch depends on how many sequences there are: the first one will
        do.
        """
        if not self.folder.team.workers:
            return
        digest = hashlib.sha256()
        for tensor in keras.tree.flatten(next(iter(self.batches(0, 1)))):
            digest.update(np.asarray(tensor).tobytes())
        self.folder.team.agree(
            {
                "the checkpoint's step": step,
                "the digest of the data": digest.hexdigest()[:12],
            }
        )

    def _data_digest(self) -> str:
        digest = hashlib.sha256()
        for array in self.whole_numbers():
            digest.update(np.asarray(array).tobytes())
        return digest.hexdigest()

    def _stops(self, step: int) -> Iterator[int]:
        every, steps = self.spec.evaluate_every, self.spec.steps
        while step < steps:
            step = min((step // every + 1) * every, steps)
            yield step

    def _fit(self, start: int, stop: int, watch: Watch) -> None:
        parts = self.spec.gradient_accumulation
        batches = self.batches(start * parts, (stop - start) * parts)
        batches = self.folder.team.shares(batches)
        callbacks = [*self.callbacks, watch]
        self.model.fit(batches, shuffle=False, verbose=0, callbacks=callbacks)

    @contextlib.contextmanager
    def _telling(self, watch: Watch) -> Iterator[None]:
        """Notes in events.jsonl why a run ends before its last step."""
        try:
            yield
        except UserError as error:
            stopped = isinstance(error, Interrupted)
            # A full disk has no room for this, and it is `error` that counts.
            with contextlib.suppress(UserError):
                self.folder.tell(
                    "interrupted" if stopped else "failed",
                    watch.step,
                    reason=str(error),
                )
            raise

    def _state_of_weights(self) -> str:
        """Where among the trained weights to look for what broke."""
        sizes = {
            weight.path: float(
                np.abs(keras.ops.convert_to_numpy(weight)).max(initial=0)
            )
            for weight in self.model.trainable_variables
        }
        broken = [path for path, x in sizes.items() if not math.isfinite(x)]
        if broken:
            return (
                f"{len(broken)} of {len(sizes)} weights are not finite, the "
                f"first is {broken[0]}"
            )
        path, size = max(sizes.items(), key=lambda item: item[1])
        return f"all weights are finite, the largest is {size:.3g} in {path}"

    def _evaluate(self, watch: Watch) -> None:
        step = watch.step
        if not self.folder.team.is_chief:
            return
        # A run may have been killed between a checkpoint and its evaluation.
        if not self.is_due(step) or self.folder.has_logged(step, self.split):
            return
        row = self.losses(step, None)
        loss = row.get("loss")
        if step and loss is not None and self.checkpoints.is_best(loss):
            if not self.checkpoints.has(step):
                watch.save()
            self.checkpoints.mark_best(step, loss)
        self.log({"step": step, "split": self.split, **row})
        self.folder.tell("evaluated", step, split=self.split, **row)
        self.progress.say(
            f"{self.split.replace('_', ' ')} at step {step:,}: "
            + ", ".join(f"{key} {value:.4f}" for key, value in row.items())
        )
