"""The replicas that share a run, on one machine or on several."""

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

import tfminilm
from tfminilm.config import changes
from tfminilm.errors import UserError
from tfminilm.layers import replicas
from tfminilm.train import cluster

STRATEGIES = ("one", "mirrored", "multi_worker", "tpu")
WAIT_SECONDS = 600.0


@dataclasses.dataclass(frozen=True)
class Team:
    """Those that share a run's batches: replicas, on one worker or several.

    Attributes:
        strategy: what `tf.distribute` calls so; `None` for one replica.
        workers: the addresses of all processes, the chief's first; empty if
            there is only this one.
        own: this one's place among them.
    """

    strategy: Any = None
    workers: tuple[str, ...] = ()
    own: int = 0

    @property
    def num_replicas(self) -> int:
        """In how many parts a batch is split."""
        return self.strategy.num_replicas_in_sync if self.strategy else 1

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the run's files."""
        return self.own == 0

    def scope(self) -> contextlib.AbstractContextManager:
        """Where models and optimizers are made that all replicas share."""
        if self.strategy is None:
            return contextlib.nullcontext()
        return self.strategy.scope()

    def check_batch(self, batch_size: int, parts: int = 1) -> None:
        """Raises `UserError` unless all replicas get as many sequences.

        Args:
            batch_size: of a step, over all replicas.
            parts: of gradient accumulation.
        """
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

    def everyones(self, value: Any) -> list[Any]:
        """What each worker gave, chief first; all have to call this.

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
            json.loads(row[: int(length)].tobytes())
            for row, length in zip(texts, lengths, strict=True)
        ]

    def chiefs(self, value: Any) -> Any:
        """What the chief gave; all have to call this."""
        return self.everyones(value)[0]

    def any(self, is_so: bool) -> bool:
        """Whether it is so on any worker; all have to call this."""
        if len(self.workers) < 2:
            return is_so
        return bool(self._sum(np.array([is_so], np.float32))[0])

    def agree(self, facts: Mapping[str, Any]) -> None:
        """Raises `UserError`, naming one, unless all workers say the same.

        Args:
            facts: what each has to have alike, nested mappings.
        """
        first, *others = self.everyones(facts)
        for place, other in enumerate(others, 1):
            for key, theirs, ours in changes(other, first):
                raise UserError(
                    f"worker {place} at {self.workers[place]} does not do the "
                    f"same as worker 0 at {self.workers[0]}: {key} is "
                    f"{theirs!r} there and {ours!r} here; start all with the "
                    "same command, code, data and --workdir"
                )

    def wait(self) -> None:
        """Returns when all workers have called this."""
        self.any(False)

    def shares(self, batches: Any) -> Any:
        """A dataset of whole batches, of which each worker takes its rows."""
        if self.strategy is None:
            return batches
        import tensorflow as tf

        options = tf.data.Options()
        options.experimental_distribute.auto_shard_policy = (
            tf.data.experimental.AutoShardPolicy.DATA
        )
        return batches.with_options(options)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Where a run is made: says so if another worker is lost.

        Raises:
            UserError: TensorFlow failed to reach one.
        """
        import tensorflow as tf

        try:
            yield
        except (
            tf.errors.UnavailableError,
            tf.errors.AbortedError,
            tf.errors.CancelledError,
            tf.errors.DeadlineExceededError,
            tf.errors.InternalError,
            tf.errors.FailedPreconditionError,
        ) as error:
            if len(self.workers) < 2:
                raise
            raise UserError(
                f"a worker was lost: the others of {', '.join(self.workers)} "
                "say why; start the same command on all again to go on from "
                "the last checkpoint"
            ) from error

    def _row(self, values: np.ndarray) -> np.ndarray:
        """A matrix of zeros but for this worker's row."""
        rows = np.zeros((len(self.workers), len(values)), np.float32)
        rows[self.own] = values
        return rows

    def _sum(self, values: np.ndarray) -> np.ndarray:
        """The sum over workers, of small whole numbers."""
        # As floats, which the network of any devices adds up.
        replicas = self.num_replicas // len(self.workers)
        return np.rint(self._summed(values).numpy() / replicas)

    @functools.cached_property
    def _summed(self) -> Any:
        import tensorflow as tf

        @tf.function(autograph=False, reduce_retracing=True)
        def summed(values: tf.Tensor) -> tf.Tensor:
            each = self.strategy.run(tf.identity, (values,))
            return self.strategy.reduce("SUM", each, axis=None)

        return lambda values: summed(tf.constant(values))


ALONE = Team()


def split_cpu(count: int) -> None:
    """Makes TensorFlow see so many CPUs, before it looks at the machine.

    Raises:
        UserError: it has looked already.
    """
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    parts = [tf.config.LogicalDeviceConfiguration()] * count
    try:
        tf.config.set_logical_device_configuration(cpu, parts)
    except RuntimeError as error:
        raise UserError(f"--num_virtual_devices={count}: {error}") from error


def build_team(
    name: str = "",
    num_virtual_devices: int = 0,
    cluster_name: str = "",
    timeout: float = WAIT_SECONDS,
) -> Team:
    """The replicas that share a run.

    Args:
        name: one of `STRATEGIES`, or empty for what the machine has.
        num_virtual_devices: into how many the CPU is split, to try replicas
            without GPUs; 0 for none.
        cluster_name: as `cluster.resolver` takes it, or empty.
        timeout: seconds to wait for other workers.

    Raises:
        UserError: the machine has no such devices, or a worker is missing.
    """
    import tensorflow as tf

    if num_virtual_devices:
        split_cpu(num_virtual_devices)
    name = name or _found(num_virtual_devices, cluster_name)
    if name == "multi_worker":
        return _workers(cluster_name or "tf_config", timeout)
    if name == "tpu":
        return Team(_tpu())
    if name == "one":
        return ALONE
    devices = None
    if num_virtual_devices:
        devices = [f"CPU:{index}" for index in range(num_virtual_devices)]
    elif len(tf.config.list_logical_devices("GPU")) < 2:
        raise UserError(
            "--strategy=mirrored: this machine does not have several GPUs; "
            "--num_virtual_devices=2 splits its CPU to try it"
        )
    return Team(tf.distribute.MirroredStrategy(devices))


def tester(model: Any) -> Callable[..., Mapping[str, Any]]:
    """`test_on_batch` of a model, without other workers.

    They would all have to call `test_on_batch` at the same time.

    Args:
        model: compiled.

    Returns:
        Takes a batch as `fit` does; gives its metrics by name.
    """
    if not getattr(model, "_distribute_strategy", None):
        return functools.partial(model.test_on_batch, return_dict=True)

    def test(*batch: Any) -> Mapping[str, Any]:
        model.reset_metrics()
        return model.test_step(batch)

    return _apart(model, test)


def resetter(model: Any) -> Callable[[], None]:
    """`reset_metrics` of a model, without a word to other workers."""
    if not getattr(model, "_distribute_strategy", None):
        return model.reset_metrics
    return _apart(model, model.reset_metrics)


def _apart(model: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """Has each replica of this worker run it; gives the first one's result."""
    import tensorflow as tf

    strategy = model.distribute_strategy

    @tf.function(autograph=False)
    def run(*arguments: Any) -> Any:
        with replicas.apart():
            found = strategy.run(function, arguments)
        return tf.nest.map_structure(
            lambda each: strategy.experimental_local_results(each)[0], found
        )

    return run


def code_digest() -> str:
    """A digest of the package's code, the same for the same code."""
    folder = pathlib.Path(tfminilm.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _found(num_virtual_devices: int, cluster_name: str) -> str:
    import tensorflow as tf

    if cluster_name or cluster.has_tf_config():
        return "multi_worker"
    if os.environ.get("TPU_NAME") or tf.config.list_physical_devices("TPU"):
        return "tpu"
    several = len(tf.config.list_physical_devices("GPU")) > 1
    return "mirrored" if several or num_virtual_devices > 1 else "one"


def _workers(cluster_name: str, timeout: float) -> Team:
    import keras
    import tensorflow as tf

    resolver = cluster.resolver(cluster_name)
    addresses, own = cluster.workers(resolver)
    cluster.meet(addresses, own, timeout)
    strategy = tf.distribute.MultiWorkerMirroredStrategy(resolver)
    team = Team(strategy, tuple(addresses), own)
    code = {
        "tfminilm": f"{tfminilm.__version__} ({code_digest()})",
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }
    with team.running():
        team.agree({"version of the code": code})
    return team


def _tpu() -> Any:
    import tensorflow as tf

    name = os.environ.get("TPU_NAME", "local")
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect(
            name
        )
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        told = " ".join(str(error).split())[:200]
        raise UserError(
            f"--strategy=tpu: no TPU {name!r} was found ({told}): run on a "
            "TPU VM, or set TPU_NAME"
        ) from error
    return tf.distribute.TPUStrategy(resolver)
