"""Share a run among the devices of one machine, with KERAS_BACKEND=jax."""

import dataclasses

import keras

from tfminilm.errors import UserError
from tfminilm.train.distributed import SINGLE_DEVICE, DistributedContext


@dataclasses.dataclass(frozen=True)
class DataParallel(DistributedContext):
    """Hold devices among which `keras.distribution` splits every batch.

    To a model they are one: no loss, metric or random number knows of them.

    Attributes:
        num_devices: how many.
    """

    num_devices: int = 1

    def check_batch(
        self, batch_size: int, parts: int = 1, steps: int = 1
    ) -> None:
        each = self.num_devices * parts
        if batch_size % each:
            raise UserError(
                f"batch_size is {batch_size}, which {self.num_devices} devices "
                f"cannot share in {parts} parts: expected a multiple of {each}"
            )


def build_context(
    name: str = "", num_virtual_devices: int = 0
) -> DistributedContext:
    """Return the context of a run: the devices that share it.

    Args:
        name: "one", "mirrored", or empty for all that the machine has.
        num_virtual_devices: into how many the CPU is split; 0 for none.

    Raises:
        UserError: JAX does not do this here, or the machine has one device.
    """
    if name not in ("", "one", "mirrored"):
        raise UserError(
            f"--strategy={name} is TensorFlow's, and KERAS_BACKEND is jax: "
            "expected one or mirrored, or KERAS_BACKEND=tensorflow"
        )
    if num_virtual_devices:
        _split_cpu(num_virtual_devices)
    count = len(keras.distribution.list_devices())
    if name == "mirrored" and count == 1:
        raise UserError(
            "--strategy=mirrored: JAX sees one device; "
            "--num_virtual_devices=2 splits a CPU to try it"
        )
    if name == "one" or count == 1:
        return SINGLE_DEVICE
    # The batches come whole, and are split by Keras.
    parallel = keras.distribution.DataParallel(auto_shard_dataset=False)
    keras.distribution.set_distribution(parallel)
    return DataParallel(num_devices=count)


def _split_cpu(count: int) -> None:
    import jax

    try:
        jax.config.update("jax_num_cpu_devices", count)
    except RuntimeError as error:  # JAX has looked at the machine already.
        raise UserError(f"--num_virtual_devices={count}: {error}") from error
