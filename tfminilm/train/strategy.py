"""Build `tf.distribute` strategies: what the machine has, or is told."""

import os
import pathlib
from typing import Any

import keras

import tfminilm
from tfminilm import files
from tfminilm.errors import UserError, in_one_line
from tfminilm.train import cluster, guard, jax_devices
from tfminilm.train.distributed import SINGLE_DEVICE, DistributedContext

# TensorFlow takes some to begin.
_LEAST_SECONDS = 60.0


def split_cpu(count: int) -> None:
    """Make TensorFlow see so many CPUs, before it looks at the machine.

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


def build_context(
    name: str = "",
    num_virtual_devices: int = 0,
    cluster_name: str = "",
    timeout: float = cluster.WAIT_SECONDS,
    xla: bool = False,
) -> DistributedContext:
    """Return the context of a run: the replicas that share it.

    Args:
        name: one of `cluster.STRATEGIES`, or empty for what the machine has.
        num_virtual_devices: into how many the CPU is split, to try replicas
            without GPUs; 0 for none.
        cluster_name: as `cluster.resolver` takes it, or empty.
        timeout: seconds to wait for other workers.
        xla: whether XLA is to compile the whole step of one device.

    Raises:
        UserError: the machine has no such devices, or a worker is missing.
    """
    backend = keras.backend.backend()
    if backend == "torch":
        _check_torch(name, num_virtual_devices, cluster_name, xla)
        return SINGLE_DEVICE
    if backend == "jax":
        if cluster_name:
            raise UserError(
                f"--cluster={cluster_name}: several machines share a run "
                "through TensorFlow, and KERAS_BACKEND is jax"
            )
        return jax_devices.build_context(name, num_virtual_devices)
    import tensorflow as tf

    if num_virtual_devices:
        split_cpu(num_virtual_devices)
    name = name or _default(num_virtual_devices, cluster_name)
    if name == "multi_worker":
        return _workers(cluster_name or "tf_config", timeout)
    if name == "tpu":
        return DistributedContext(_tpu(), is_compiled=True)
    if name == "one":
        return DistributedContext(is_compiled=True) if xla else SINGLE_DEVICE
    devices = None
    if num_virtual_devices:
        devices = [f"CPU:{index}" for index in range(num_virtual_devices)]
    elif len(tf.config.list_logical_devices("GPU")) < 2:
        raise UserError(
            "--strategy=mirrored: this machine does not have several GPUs; "
            "--num_virtual_devices=2 splits its CPU to try it"
        )
    return DistributedContext(tf.distribute.MirroredStrategy(devices))


def _check_torch(
    name: str, num_virtual_devices: int, cluster_name: str, xla: bool
) -> None:
    """Raise `UserError` for what is not done on PyTorch."""
    refused = {
        f"--strategy={name}": name not in ("", "one"),
        f"--num_virtual_devices={num_virtual_devices}": num_virtual_devices,
        f"--cluster={cluster_name}": cluster_name,
        "--xla": xla,
    }
    for flag, is_given in refused.items():
        if is_given:
            raise UserError(
                f"{flag}: KERAS_BACKEND is torch, on which one device makes "
                "the steps, without XLA: leave it out, or set "
                "KERAS_BACKEND=tensorflow"
            )


def _default(num_virtual_devices: int, cluster_name: str) -> str:
    """Name the strategy for what the machine has."""
    import tensorflow as tf

    if cluster_name or cluster.has_tf_config():
        return "multi_worker"
    if os.environ.get("TPU_NAME") or tf.config.list_physical_devices("TPU"):
        return "tpu"
    several = len(tf.config.list_physical_devices("GPU")) > 1
    return "mirrored" if several or num_virtual_devices > 1 else "one"


def _workers(cluster_name: str, timeout: float) -> DistributedContext:
    import tensorflow as tf

    resolver = cluster.resolver(cluster_name)
    addresses, rank = cluster.workers(resolver)
    cluster.meet(addresses, rank, timeout)
    # One may have been stopped since it answered.
    with guard.guarded(max(timeout, _LEAST_SECONDS), addresses, rank):
        strategy = tf.distribute.MultiWorkerMirroredStrategy(resolver)
    context = DistributedContext(strategy, tuple(addresses), rank)
    digest = files.code_digest(pathlib.Path(tfminilm.__file__).parent)
    code = {
        "tfminilm": f"{tfminilm.__version__} ({digest[:12]})",
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }
    with context.explain_errors():
        context.check_equal({"version of the code": code})
    return context


def _tpu() -> Any:
    import tensorflow as tf

    name = os.environ.get("TPU_NAME", "local")
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect(
            name
        )
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        raise UserError(
            f"--strategy=tpu: no TPU {name!r} was found "
            f"({in_one_line(error)}): run on a TPU VM, or set TPU_NAME"
        ) from error
    return tf.distribute.TPUStrategy(resolver)
