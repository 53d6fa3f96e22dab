"""Flags for the devices and machines of a run."""

from typing import Any

from absl import flags

from tfminilm.errors import UsageError
from tfminilm.train.cluster import KINDS, MOST_SECONDS, STRATEGIES, WAIT_SECONDS


def define(flags: flags.FlagValues) -> None:
    """Define the flags."""
    flags.DEFINE_enum(
        "strategy",
        None,
        list(STRATEGIES),
        "The devices that share a batch: one, all GPUs, several workers, or a "
        "TPU; by default those of the machine.",
    )
    flags.DEFINE_integer(
        "num_virtual_devices",
        0,
        "Split the CPU into this many devices, to try replicas on it.",
        lower_bound=0,
    )
    flags.DEFINE_bool(
        "xla",
        False,
        "Have XLA compile the whole step of one device, as a TPU would.",
    )
    flags.DEFINE_string(
        "cluster", None, f"How to find the other workers: {KINDS}."
    )
    flags.DEFINE_float(
        "worker_timeout",
        WAIT_SECONDS,
        "Seconds to wait for other workers.",
        lower_bound=0.0,
        upper_bound=MOST_SECONDS,
    )


def parse(flags: flags.FlagValues) -> Any:
    """Build the context that the flags name, and wait for all workers.

    Raises:
        UsageError: flags contradict each other.
        UserError: there are no such devices, or a worker is missing.
    """
    strategy = flags.strategy or ("one" if flags.xla else "")
    if flags.xla and strategy != "one":
        raise UsageError(
            f"--xla needs --strategy=one, not {strategy}: TPUs need no flag, "
            "and TensorFlow compiles no step of several replicas"
        )
    if flags.num_virtual_devices and strategy not in ("", "mirrored"):
        raise UsageError(
            "--num_virtual_devices splits a CPU for --strategy=mirrored, "
            f"not {strategy}"
        )
    if flags.cluster and strategy not in ("", "multi_worker"):
        raise UsageError(
            f"--cluster needs --strategy=multi_worker, not {strategy}"
        )
    # Imported here, as it imports Keras.
    from tfminilm.train.strategy import build_context

    return build_context(
        strategy,
        flags.num_virtual_devices,
        flags.cluster or "",
        flags.worker_timeout,
        flags.xla,
    )
