"""The flags that say which devices and machines share a run."""

from typing import Any

from absl import flags

from tfminilm.errors import UsageError
from tfminilm.train.cluster import KINDS, MOST_SECONDS, STRATEGIES, WAIT_SECONDS


def define(flags: flags.FlagValues) -> None:
    """Defines them."""
    flags.DEFINE_enum(
        "strategy",
        None,
        list(STRATEGIES),
        "Who shares a batch: one device, all GPUs, several workers, or a TPU; "
        "by default what the machine has.",
    )
    flags.DEFINE_integer(
        "num_virtual_devices",
        0,
        "Split the CPU into so many, to try replicas on it.",
        lower_bound=0,
    )
    flags.DEFINE_bool(
        "xla",
        False,
        "Have XLA compile the whole step of one device, as a TPU would.",
    )
    flags.DEFINE_string(
        "cluster", None, f"Where the other workers are: {KINDS}."
    )
    flags.DEFINE_float(
        "worker_timeout",
        WAIT_SECONDS,
        "Seconds to wait for other workers.",
        lower_bound=0.0,
        upper_bound=MOST_SECONDS,
    )


def parse(flags: flags.FlagValues) -> Any:
    """The `DistributedContext` that the flags name; waits for all workers.

    Raises:
        UsageError: flags do not go together.
        UserError: there are no such devices, or a worker is missing.
    """
    given = flags.strategy or ("one" if flags.xla else "")
    if flags.xla and given != "one":
        raise UsageError(
            f"--xla is of --strategy=one, not {given}: TPUs need no flag, and "
            "TensorFlow compiles no step of several replicas"
        )
    if flags.num_virtual_devices and given not in ("", "mirrored"):
        raise UsageError(
            "--num_virtual_devices splits a CPU for --strategy=mirrored, "
            f"not {given}"
        )
    if flags.cluster and given not in ("", "multi_worker"):
        raise UsageError(
            f"--cluster is of --strategy=multi_worker, not {given}"
        )
    # Late: it imports Keras.
    from tfminilm.train.strategy import build_context

    return build_context(
        given,
        flags.num_virtual_devices,
        flags.cluster or "",
        flags.worker_timeout,
        flags.xla,
    )
