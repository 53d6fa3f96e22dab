"""Hold a run's distributed context: the replicas and processes sharing it."""

import contextlib
import dataclasses
import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from tfminilm import json_files
from tfminilm.config import changes
from tfminilm.errors import UserError
from tfminilm.private import graphs, replicas
from tfminilm.train import cluster
from tfminilm.typing import Json, Tensors

if TYPE_CHECKING:
    import tensorflow as tf

# Keras' name of the state of a `SeedGenerator`: a seed and a count.
_SEED = "seed_generator_state"
_SEED_STRIDE = 7919
# XLA's errors say its name, or that there is no kernel for it.
_LONGEST = 300
_XLA = re.compile(r"XLA|tf2xla|unsupported operations", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class DistributedContext:
    """Hold who shares a run's batches: replicas, on one worker or several.

    Attributes:
        strategy: of `tf.distribute`; `None` for one replica.
        workers: the addresses of all processes, the chief's first; empty if
            there is only this one.
        rank: this one's place among them.
        is_compiled: whether XLA compiles the whole step, for which all
            batches are padded to one length.
    """

    strategy: Any = None
    workers: tuple[str, ...] = ()
    rank: int = 0
    is_compiled: bool = False

    @property
    def num_replicas(self) -> int:
        """Count the parts that a batch is split in."""
        return self.strategy.num_replicas_in_sync if self.strategy else 1

    @property
    def is_chief(self) -> bool:
        """Tell whether this process writes the run's files."""
        return self.rank == 0

    def scope(self) -> contextlib.AbstractContextManager:
        """Return the context to make models and optimizers in."""
        if self.strategy is None:
            return contextlib.nullcontext()
        return self.strategy.scope()

    def check_batch(
        self, batch_size: int, parts: int = 1, steps: int = 1
    ) -> None:
        """Raise `UserError` unless all replicas get as many sequences.

        Args:
            batch_size: of a step, over all replicas.
            parts: of gradient accumulation.
            steps: of an execution.
        """
        if steps > 1 and keras.backend.backend() == "torch":
            raise UserError(
                f"steps_per_execution is {steps}, which Keras cannot do on "
                "PyTorch: set it to 1"
            )
        if batch_size % self.num_replicas:
            raise UserError(
                f"batch_size is {batch_size}, which {self.num_replicas} "
                "replicas cannot share: expected a multiple of "
                f"{self.num_replicas}"
            )
        if parts > 1 and self.num_replicas > 1:
            raise UserError(
                f"gradient_accumulation is {parts}, and Keras cannot "
                f"accumulate on {self.num_replicas} replicas: set it to 1, as "
                "each takes a part of the batch only"
            )
        if steps > 1 and self.num_replicas > 1:
            raise UserError(
                f"steps_per_execution is {steps}, which Keras cannot do on "
                f"{self.num_replicas} replicas: set it to 1"
            )

    def buckets(self, length: int) -> list[int] | None:
        """Return lengths to pad to, up to `length`; `None` for any."""
        return [length] if self.is_compiled else None

    def jit_compile(self, model: keras.Model) -> bool | str:
        """Return `jit_compile` for `keras.Model.compile`.

        Raises:
            UserError: XLA is to compile it and cannot.
        """
        if not self.is_compiled:
            return "auto"
        layers = graphs.inner_layers(model)
        if odd := [layer.name for layer in layers if not layer.supports_jit]:
            raise UserError(
                f"XLA cannot compile {', '.join(odd)}, as --xla and "
                "--strategy=tpu would: choose another student or strategy"
            )
        # A TPU's strategy compiles by itself.
        return self.strategy is None

    def all_gather(self, value: Json) -> list[Json]:
        """Return every worker's value, the chief's first; all call this.

        Args:
            value: what JSON can hold.
        """
        if len(self.workers) < 2:
            return [value]
        text = np.frombuffer(json.dumps(value).encode(), np.uint8)
        lengths = self._sum(self._row(np.array([len(text)])))[:, 0]
        padded = np.pad(text, (0, int(lengths.max()) - len(text)))
        texts = self._sum(self._row(padded)).astype(np.uint8)
        return [
            json_files.parse(
                row[: int(length)].tobytes(), f"what {worker} sent", object, ""
            )
            for row, length, worker in zip(
                texts, lengths, self.workers, strict=True
            )
        ]

    def broadcast(self, value: Json) -> Json:
        """Return the chief's value; all workers have to call this."""
        return self.all_gather(value)[0]

    def any(self, flag: bool) -> bool:
        """Tell whether the flag is set on any worker; all call this."""
        if len(self.workers) < 2:
            return flag
        return bool(self._sum(np.array([flag], np.float32))[0])

    def check_equal(self, values: Mapping[str, Json]) -> None:
        """Raise `UserError`, naming one, unless all workers' values are equal.

        Args:
            values: by what a message calls them; nested mappings.
        """
        first, *others = self.all_gather(values)
        for rank, other in enumerate(others, 1):
            for key, there, here in changes(other, first):
                raise UserError(
                    f"worker {rank} at {self.workers[rank]} does not do the "
                    f"same as worker 0 at {self.workers[0]}: {key} is "
                    f"{there!r} there and {here!r} here; start all with the "
                    "same command, code, data and --workdir"
                )

    def barrier(self) -> None:
        """Return when all workers have called this."""
        self.any(False)

    @contextlib.contextmanager
    def chief_first(self) -> Iterator[None]:
        """Have the chief do this before the others, who find what it kept."""
        if not self.is_chief:
            self.barrier()
        yield
        if self.is_chief:
            self.barrier()

    def shard(self, batches: "tf.data.Dataset") -> "tf.data.Dataset":
        """Return a dataset of whole batches that each worker splits by rows."""
        if self.strategy is None:
            return batches
        import tensorflow as tf

        options = tf.data.Options()
        options.experimental_distribute.auto_shard_policy = (
            tf.data.experimental.AutoShardPolicy.DATA
        )
        return batches.with_options(options)

    def split_seeds(self, variables: Iterable[keras.Variable]) -> None:
        """Give each replica random numbers of its own.

        Keras starts all at the same seed: what dropout drops in the rows of
        one replica it would drop in those of the others. The first one's,
        which checkpoints hold, stays.

        Args:
            variables: among which those of random states are changed.
        """
        if self.num_replicas == 1:
            return
        import tensorflow as tf

        seeds = [x.value for x in variables if x.name == _SEED]

        def split() -> None:
            replica = tf.distribute.get_replica_context()
            for seed in seeds:
                offset = replica.replica_id_in_sync_group * _SEED_STRIDE
                seed.assign_add(tf.cast(tf.stack([offset, 0]), seed.dtype))

        tf.function(lambda: self.strategy.run(split))()

    @contextlib.contextmanager
    def explain_errors(self) -> Iterator[None]:
        """Say what TensorFlow's errors mean in this context.

        Raises:
            UserError: another worker is lost, or XLA cannot compile the step.
        """
        if self == SINGLE_DEVICE:
            yield
            return
        import tensorflow as tf

        try:
            yield
        except tf.errors.OpError as error:
            meaning = self._meaning(error)
            if not meaning:
                raise
            raise UserError(meaning) from error

    def _meaning(self, error: "tf.errors.OpError") -> str:
        """Return what to do about an error; empty if nothing is known."""
        import tensorflow as tf

        reason = " ".join(error.message.split())[:_LONGEST]
        if self.is_compiled and _XLA.search(error.message):
            return (
                "XLA cannot compile this recipe's step, which --xla and "
                f"--strategy=tpu need: {reason}"
            )
        # Any of these comes when another worker is gone.
        lost = (
            tf.errors.UnavailableError,
            tf.errors.AbortedError,
            tf.errors.CancelledError,
            tf.errors.DeadlineExceededError,
            tf.errors.InternalError,
            tf.errors.FailedPreconditionError,
        )
        if len(self.workers) < 2 or not isinstance(error, lost):
            return ""
        names = [
            f"worker {rank} at {self.workers[rank]}"
            for rank in cluster.silent(self.workers, self.rank)
        ]
        problem = f"a worker was lost, one of {', '.join(self.workers)}"
        if names:
            problem = f"{' and '.join(names)} does not answer: dead or stopped"
        return (
            f"{problem}; start the same command on all again to go on from the "
            f"last checkpoint ({reason})"
        )

    def _row(self, values: np.ndarray) -> np.ndarray:
        """Return a matrix of zeros but for this worker's row."""
        rows = np.zeros((len(self.workers), len(values)), np.float32)
        rows[self.rank] = values
        return rows

    def _sum(self, values: np.ndarray) -> np.ndarray:
        """Return the sum over workers, of small whole numbers."""
        # As floats, which the network of any devices adds up.
        times = self.num_replicas // len(self.workers)
        return np.rint(self._summed(values).numpy() / times)

    @functools.cached_property
    def _summed(self) -> Any:
        import tensorflow as tf

        @tf.function(autograph=False, reduce_retracing=True)
        def summed(values: tf.Tensor) -> tf.Tensor:
            each = self.strategy.run(tf.identity, (values,))
            return self.strategy.reduce("SUM", each, axis=None)

        return lambda values: summed(tf.constant(values))


SINGLE_DEVICE = DistributedContext()


def local_test_on_batch(model: keras.Model) -> Callable[..., Mapping[str, Any]]:
    """Return a model's `test_on_batch` that this worker calls alone.

    Keras' own has to be called by all workers at the same time.

    Args:
        model: compiled.

    Returns:
        A function of a batch as `fit` takes it: its metrics by name.
    """
    if not getattr(model, "_distribute_strategy", None):
        return functools.partial(model.test_on_batch, return_dict=True)

    def test(*batch: Tensors) -> Mapping[str, Any]:
        model.reset_metrics()
        return model.test_step(batch)

    return _run_locally(model, test)


def local_reset_metrics(model: keras.Model) -> Callable[[], None]:
    """Return a model's `reset_metrics` that this worker calls alone."""
    if not getattr(model, "_distribute_strategy", None):
        return model.reset_metrics
    return _run_locally(model, model.reset_metrics)


def _run_locally(
    model: keras.Model, function: Callable[..., Any]
) -> Callable[..., Any]:
    """Have this worker's replicas run a function; return the first's result."""
    import tensorflow as tf

    strategy = model.distribute_strategy

    @tf.function(autograph=False)
    def run(*arguments: Tensors) -> Any:
        with replicas.apart():
            results = strategy.run(function, arguments)
        return tf.nest.map_structure(
            lambda each: strategy.experimental_local_results(each)[0], results
        )

    return run
