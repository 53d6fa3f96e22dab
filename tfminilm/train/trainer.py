"""Train: make steps, log, evaluate, save checkpoints, heed signals."""

import collections
import contextlib
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras

from tfminilm.errors import Interrupted, UserError
from tfminilm.private.optimizers import learning_rate
from tfminilm.train.checkpoint import Checkpoints
from tfminilm.train.distributed import local_reset_metrics, local_test_on_batch
from tfminilm.train.finite import require_finite
from tfminilm.train.matmul import MatmulUtilisation
from tfminilm.train.memory import peak_memory
from tfminilm.train.models import Models
from tfminilm.train.progress import Progress
from tfminilm.train.recipe import TrainSpec
from tfminilm.train.scalars import Scalars
from tfminilm.train.signals import Signals
from tfminilm.train.sources.training_data import Batch, TrainingData
from tfminilm.train.throughput import ThroughputMeter
from tfminilm.train.torch_seed import TorchSeed
from tfminilm.train.workdir import Workdir

# What `fit` tells its callbacks.
_Logs = Mapping[str, float] | None


class Trainer:
    """Train a compiled model from its last checkpoint to the last step.

    The batch of a step is a function of the seed and the step, and a
    checkpoint holds the model with its dropout's random state, the optimizer,
    and what was summed since the last row of metrics: a resumed run makes the
    steps and writes the rows that the first one would have.

    Attributes:
        callbacks: of `fit`; they see each update before it is saved.
        variables: what a checkpoint holds.
        step: optimizer steps done.

    Args:
        models: what is trained, compiled.
        data: what it is trained on and measured on.
        spec: steps and rhythm.
        folder: where metrics and checkpoints go.
        progress: what a person sees.
        doing: what that person sees beside the steps.
        split: what evaluations are called in metrics.jsonl.
    """

    def __init__(
        self,
        models: Models,
        data: TrainingData,
        spec: TrainSpec,
        folder: Workdir,
        progress: Progress,
        doing: str = "training",
        split: str = "held_out",
    ):
        self.data = data
        self.spec = spec
        self.folder = folder
        self.progress = progress
        self.doing = doing
        self.split = split
        self.model = models.trained
        self.student = models.student
        self.variables = models.variables
        self.callbacks: list[keras.callbacks.Callback] = []
        self.checkpoints = Checkpoints(
            folder.checkpoints,
            spec.keep_checkpoints,
            lambda step: folder.log_event("checkpoint", step),
            folder.run,
        )
        self.step = 0
        # Batches done of the next step, which gradients are accumulated of.
        self._part = 0
        # Batches done of this call of `fit`.
        self._seen = 0
        # Losses of the batches since the last row, and how many those are.
        self._sums: collections.Counter[str] = collections.Counter()
        self._summed = 0
        self._rate = 0.0
        self._meter = ThroughputMeter()
        self._scalars: Scalars | None = None
        self._torch_seed = TorchSeed()
        self._test = local_test_on_batch(self.model)
        self._reset_metrics = local_reset_metrics(self.model)
        self._utilisation = MatmulUtilisation(self.model, data, folder.context)

    def run(self) -> None:
        """Train to the last step.

        Raises:
            UserError: the loss is not finite, or the disk is full.
            Interrupted: a signal came; the run is saved.
        """
        self._resume()
        with (
            self.checkpoints,
            self.progress.training(
                self.spec.steps, self.step, self.doing
            ) as self._bar,
            Signals() as self.signals,
            self._logging_failures(),
        ):
            self._evaluate()
            while self.step < self.spec.steps and not self._is_over():
                self._fit()
                self._evaluate()
            if self.spec.best_by and self.folder.context.is_chief:
                step = self.checkpoints.restore_best(self.variables)
                self.progress.say(f"best by {self.spec.best_by}: step {step:,}")
            if self.folder.context.any(self.signals.stop):
                self._interrupt()

    def _resume(self) -> None:
        """Restore the last checkpoint, and drop the rows written after it."""
        folder = self.folder
        restored = self.checkpoints.restore(self.variables, self.progress.say)
        self.step, facts = restored or (0, {})
        self._sums.update(facts.get("sums", {}))
        self._summed = facts.get("summed", 0)
        self._meter = ThroughputMeter(facts.get("seconds", 0.0))
        if folder.context.workers:
            folder.context.check_equal(
                {
                    "the checkpoint's step": self.step,
                    "the digest of the data": (
                        self.data.digest_of_first_batch()[:12]
                    ),
                }
            )
        if folder.context.is_chief:
            folder.pin_data(self.data.digest(), bool(restored))
        folder.context.split_seeds(self.variables)
        folder.drop_rows_after(self.step if restored else -1)
        if folder.context.is_chief:
            self._scalars = Scalars(
                folder.path / "tensorboard", folder.rows(), folder.run
            )
        folder.log_event("resumed" if restored else "started", self.step)
        if restored:
            self.progress.say(f"resumed at step {self.step:,}")

    def _fit(self) -> None:
        """Make the steps up to the next evaluation."""
        spec, every = self.spec, self.spec.evaluate_every
        stop = min((self.step // every + 1) * every, spec.steps)
        parts = spec.gradient_accumulation
        batches = self.data.batches(
            self.step * parts, (stop - self.step) * parts
        )
        # Each update is pruned, for example, before it is counted and saved.
        steps = keras.callbacks.LambdaCallback(
            on_epoch_begin=self._begin_fit,
            on_train_batch_begin=self._begin_batch,
            on_train_batch_end=self._end_batch,
        )
        self.model.fit(
            self.folder.context.shard(batches),
            shuffle=False,
            verbose=0,
            callbacks=[*self.callbacks, steps],
        )

    def _begin_fit(self, epoch: int, logs: _Logs = None) -> None:
        self._meter.resume()
        self._seen = 0

    def _begin_batch(self, batch: int, logs: _Logs = None) -> None:
        self._torch_seed.set_for(self._batches_done)
        if self._is_logged(self.step + self.spec.steps_per_execution):
            # Before the update: afterwards it is the next step's.
            self._rate = learning_rate(
                self.model.optimizer, self.spec.batches_per_execution
            )

    def _end_batch(self, batch: int, logs: _Logs = None) -> None:
        losses = {key: float(value) for key, value in (logs or {}).items()}
        if keras.backend.backend() == "jax":
            # There a running `fit` keeps its state apart from the variables.
            self.model.jax_state_sync()
        # So that the next losses are of their own batch alone.
        self._reset_metrics()
        self._require_finite(losses, f"at step {self.step + 1}")
        # `batch` counts from 0, and is the last of an execution's.
        count, self._seen = batch + 1 - self._seen, batch + 1
        self._sums.update({key: count * x for key, x in losses.items()})
        self._summed += count
        first = self._batches_done
        self._meter.count(
            sum(map(self.data.num_tokens, range(first, first + count)))
        )
        steps, self._part = divmod(
            self._part + count, self.spec.gradient_accumulation
        )
        if steps:
            self._end_steps(steps, losses["loss"])

    def _end_steps(self, count: int, loss: float) -> None:
        """Log, save and stop after the steps where that is due."""
        self.step += count
        self._bar.update(self.step, loss)
        if self._is_logged(self.step):
            self._log_losses()
        is_last = self.step == self.spec.steps
        is_due = self.step % self.spec.checkpoint_every == 0
        # All stop after the same step, whoever was told to.
        stop = self.folder.context.any(self.signals.stop)
        if is_due or is_last or stop:
            self._save()
        if stop:
            self._interrupt()

    def _save(self) -> None:
        """Write a checkpoint of the steps done, unless the model is broken."""
        if not self.folder.context.is_chief:
            return
        name = self.data.held_out_name
        when = f"on {name} after step {self.step}"
        self._require_finite(
            self._means([self.data.probe]),
            when if name else f"after step {self.step}",
        )
        facts = {
            "seconds": self._meter.seconds(),
            "sums": dict(self._sums),
            "summed": self._summed,
        }
        self.checkpoints.save(self.step, self.variables, facts)

    def _evaluate(self) -> None:
        """Measure the model if that is due, and mark it if it is the best."""
        step = self.step
        if not self.folder.context.is_chief or not self._is_evaluated(step):
            return
        # A run may have been killed between a checkpoint and its evaluation.
        if self.folder.has_logged(step, self.split):
            return
        row = self._measure()
        loss = self._badness(row)
        if step and loss is not None and self.checkpoints.is_best(loss):
            if not self.checkpoints.has(step):
                self._save()
            self.checkpoints.mark_best(step, loss)
        self._log({"step": step, "split": self.split, **row})
        self.folder.log_event("evaluated", step, split=self.split, **row)
        self.progress.say(
            f"{self.split.replace('_', ' ')} at step {step:,}: "
            + ", ".join(f"{key} {value:.4f}" for key, value in row.items())
        )

    def _badness(self, row: Mapping[str, float]) -> float | None:
        """Return by what models are compared; less is better.

        Raises:
            UserError: there is no such metric.
        """
        name = self.spec.best_by
        if not name:
            return row.get("loss")
        if name not in row:
            raise UserError(
                f"best_by is {name!r}, expected one of {', '.join(row)}"
            )
        return row[name] if name == "loss" else -row[name]

    def _is_over(self) -> bool:
        """Tell whether the last evaluations were all worse than the best."""
        spec = self.spec
        since = self.step - self.checkpoints.best_step()
        late = since >= spec.patience * spec.evaluate_every
        is_over = bool(spec.patience) and late and self.folder.context.is_chief
        if not self.folder.context.any(is_over):
            return False
        self.progress.say(
            f"stopped at step {self.step:,}: no better in {spec.patience} "
            "evaluations"
        )
        return True

    def _measure(self) -> dict[str, float]:
        """Return the losses on what is held out, and the task's metrics."""
        data, row = self.data, {}
        if data.held_out:
            row = self._means(data.held_out, data.held_out_weights)
            self._require_finite(
                row, f"on {data.held_out_name} after step {self.step}"
            )
        if data.score is not None:
            row |= data.score(self.student)
        return row

    def _means(
        self,
        batches: Iterable[Batch],
        weights: Sequence[int] | None = None,
    ) -> dict[str, float]:
        """Return the means of the model's metrics over batches.

        Args:
            batches: as `fit` takes them.
            weights: how much each counts; all the same if `None`.
        """
        rows = [self._test(*batch) for batch in batches]
        self._reset_metrics()
        return {
            key: statistics.fmean([float(row[key]) for row in rows], weights)
            for key in sorted(rows[0])
        }

    def _log_losses(self) -> None:
        """Write a row of the means since the last one."""
        means = {key: x / self._summed for key, x in self._sums.items()}
        speed = self._meter.tokens_per_second()
        self._log(
            {
                "step": self.step,
                "split": "train",
                **means,
                "learning_rate": self._rate,
                "tokens_per_second": speed,
                "seconds": self._meter.seconds(),
                **peak_memory(),
            }
        )
        self._bar.report(self.step, means, speed, self._utilisation)
        self._meter.resume()
        self._sums.clear()
        self._summed = 0

    def _log(self, row: Mapping[str, Any]) -> None:
        """Write a row of metrics, for TensorBoard as well."""
        if self._scalars is not None:
            self.folder.log(row)
            self._scalars.add(row)

    def _interrupt(self) -> None:
        """Stop the run, which is saved at this step.

        Raises:
            Interrupted: always.
        """
        self.checkpoints.wait()
        # To the other workers, one that left would look like a crash.
        self.folder.context.barrier()
        raise Interrupted(
            f"interrupted at step {self.step}, which is saved: start the "
            "same command again to go on"
        )

    @contextlib.contextmanager
    def _logging_failures(self) -> Iterator[None]:
        """Note in events.jsonl why a run ends before its last step."""
        try:
            yield
        except UserError as error:
            stopped = isinstance(error, Interrupted)
            # A full disk has no room for this, and it is `error` that counts.
            with contextlib.suppress(UserError):
                self.folder.log_event(
                    "interrupted" if stopped else "failed",
                    self.step,
                    reason=str(error),
                )
            raise

    @property
    def _batches_done(self) -> int:
        return self.step * self.spec.gradient_accumulation + self._part

    def _is_logged(self, step: int) -> bool:
        return step % self.spec.log_every == 0 or step == self.spec.steps

    def _is_evaluated(self, step: int) -> bool:
        """Tell whether to evaluate after this step."""
        is_due = step % self.spec.evaluate_every == 0
        if self.data.held_out:
            return is_due or step == self.spec.steps
        # Without losses, the first model says nothing, and the last one is
        # scored when it is saved.
        return (
            self.data.score is not None
            and is_due
            and step > 0
            and (step < self.spec.steps or bool(self.spec.best_by))
        )

    def _require_finite(self, losses: Mapping[str, float], when: str) -> None:
        require_finite(losses, when, self.model, self.checkpoints.newest)
