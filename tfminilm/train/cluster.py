"""Find the machines that share a run, and wait for all of them."""

import concurrent.futures
import contextlib
import json
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

from tfminilm import json_files
from tfminilm.errors import UsageError, UserError

STRATEGIES = ("one", "mirrored", "multi_worker", "tpu")
WAIT_SECONDS = 600.0
MOST_SECONDS = 7 * 86400.0
KINDS = "tf_config, slurm, kubernetes:LABEL or gce:PROJECT/ZONE/GROUP"
# TensorFlow's own for pods and instances.
_PORT = 8470
_RETRY_SECONDS = 0.2
_ANSWER_SECONDS = 5
_GREETING = b"tfminilm\n"


def has_tf_config() -> bool:
    """Tell whether `TF_CONFIG` names several workers."""
    cluster = _tf_config().get("cluster", {})
    return sum(map(len, cluster.values())) > 1


def resolver(cluster: str) -> Any:
    """Return TensorFlow's cluster resolver.

    Args:
        cluster: "tf_config", "slurm", "kubernetes:LABEL", where LABEL selects
            the pods, on the network of their hosts; or
            "gce:PROJECT/ZONE/GROUP", a group of instances.

    Raises:
        UsageError: there is no such kind.
        UserError: the environment does not describe the cluster.
    """
    import tensorflow as tf

    kind, _, where = cluster.partition(":")
    try:
        resolver = _resolver_of(tf.distribute.cluster_resolver, kind, where)
        if resolver is None:
            raise UsageError(f"--cluster={cluster}: expected {KINDS}")
        spec = resolver.cluster_spec()
        if kind in ("kubernetes", "gce"):
            task = "worker", _rank(spec.as_dict()["worker"])
        else:
            task = resolver.task_type, resolver.task_id
    except (ImportError, RuntimeError, OSError, KeyError) as error:
        raise UserError(f"--cluster={cluster}: {error}") from error
    # Not all of them look for GPUs, and Slurm's takes it that there are some.
    gpus = len(tf.config.list_physical_devices("GPU"))
    return tf.distribute.cluster_resolver.SimpleClusterResolver(
        spec,
        task_type=task[0],
        task_id=task[1],
        num_accelerators={"GPU": gpus},
        rpc_layer="grpc",
    )


def _resolver_of(resolvers: Any, kind: str, where: str) -> Any:
    """Return TensorFlow's resolver; `None` if there is none of that kind."""
    if kind == "tf_config" and not where:
        _tf_config()
        return resolvers.TFConfigClusterResolver()
    if kind == "slurm" and not where:
        return resolvers.SlurmClusterResolver(**_slurm_devices())
    if kind == "kubernetes" and where:
        return resolvers.KubernetesClusterResolver({"worker": [where]}, _PORT)
    if kind == "gce" and where.count("/") == 2:
        return resolvers.GCEClusterResolver(*where.split("/"), port=_PORT)
    return None


def workers(resolver: Any) -> tuple[list[str], int]:
    """Return the addresses of all workers, chief first, and this one's rank.

    Raises:
        UserError: there are not several, or it is none of them.
    """
    cluster = resolver.cluster_spec().as_dict()
    tasks = [
        (job, index, address)
        for job in ("chief", "worker")
        for index, address in enumerate(cluster.get(job, []))
    ]
    this = resolver.task_type, resolver.task_id
    ranks = [rank for rank, task in enumerate(tasks) if task[:2] == this]
    if len(tasks) < 2 or not ranks:
        raise UserError(
            f"the cluster {json.dumps(cluster)} has no several workers with "
            f"this one, {this[0]} {this[1]}, among them: expected TF_CONFIG, "
            "or what --cluster names, to list worker (and perhaps chief) "
            "addresses, and this one's task"
        )
    return [address for *_, address in tasks], ranks[0]


def meet(addresses: Sequence[str], rank: int, timeout: float) -> None:
    """Return when every worker answers at its address.

    TensorFlow itself would wait for long without a word, and share a port
    with another program.

    Args:
        addresses: host:port of each.
        rank: the place of this one's.
        timeout: seconds to wait.

    Raises:
        UserError: a worker did not come, or this one's port is in use.
    """
    if not 0 <= timeout <= MOST_SECONDS:
        raise UserError(
            f"--worker_timeout is {timeout:g}, expected 0 to {MOST_SECONDS:g} "
            "seconds"
        )
    if again := [x for x in addresses if list(addresses).count(x) > 1]:
        raise UserError(
            f"the address {again[0]} is given to several workers: expected one "
            "of its own for each"
        )
    deadline = time.monotonic() + timeout
    with _listening(addresses[rank]):
        for other, address in enumerate(addresses):
            while other != rank and not _answers(address):
                if time.monotonic() > deadline:
                    raise UserError(
                        f"worker {other} did not answer at {address} within "
                        f"{timeout:g} s: start it too, and see that this "
                        "address reaches it; --worker_timeout waits longer"
                    )
                time.sleep(_RETRY_SECONDS)


def silent(addresses: Sequence[str], rank: int) -> list[int]:
    """Return the ranks of the workers that do not answer, dead or stopped."""
    others = [other for other in range(len(addresses)) if other != rank]
    with concurrent.futures.ThreadPoolExecutor(len(others) or 1) as pool:
        answers = pool.map(lambda other: _answers(addresses[other]), others)
        answered = dict(zip(others, answers, strict=True))
    return [other for other in others if not answered[other]]


@contextlib.contextmanager
def _listening(address: str) -> Iterator[None]:
    """Answer those who connect until TensorFlow does."""
    _, port = _split(address)
    listener = socket.socket()
    # A worker that was just killed is no other program.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("", port))
    except OSError as error:
        listener.close()
        raise UserError(
            f"this worker's address is {address}, but its port cannot be had: "
            f"{error.strerror}; stop what uses it, or give another port"
        ) from error
    listener.listen(128)
    # Closing it would not wake the thread that waits in it.
    listener.settimeout(_RETRY_SECONDS)
    is_over = threading.Event()

    def greet() -> None:
        while not is_over.is_set():
            with contextlib.suppress(OSError):
                caller, _ = listener.accept()
                with caller:
                    caller.sendall(_GREETING)

    thread = threading.Thread(target=greet, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
        listener.close()


def _answers(address: str) -> bool:
    """Tell whether a worker, or TensorFlow's server in it, answers.

    The system takes connections for a process that is stopped.
    """
    try:
        with socket.create_connection(
            _split(address), timeout=_ANSWER_SECONDS
        ) as connection:
            return bool(connection.recv(1))
    except OSError:
        return False


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise UserError(
            f"the worker {address!r} is no address: expected host:port, with "
            "a port up to 65535"
        )
    return host.strip("[]"), int(port)


def _tf_config() -> dict[str, Any]:
    return json_files.parse(
        os.environ.get("TF_CONFIG", "{}"),
        "TF_CONFIG",
        {
            "cluster?": {str: [str]},
            "task?": {"type": str, "index": int},
        },
        'expected JSON such as {"cluster": {"worker": ["host:port", ...]}, '
        '"task": {"type": "worker", "index": 0}}',
    )


def _slurm_devices() -> dict[str, Any]:
    """Return what tells TensorFlow's resolver that a node has no GPU."""
    if shutil.which("nvidia-smi"):
        return {}
    count = int(os.environ.get("SLURM_STEP_NUM_TASKS", 1))
    return {"gpus_per_node": count, "gpus_per_task": 1, "auto_set_gpu": False}


def _rank(addresses: Sequence[str]) -> int:
    """Return which of the workers is on this machine."""
    here = [i for i, each in enumerate(addresses) if _is_here(_split(each)[0])]
    if len(here) != 1:
        raise UserError(
            f"{len(here)} of the workers {', '.join(addresses)} are on this "
            "machine, expected one"
        )
    return here[0]


def _is_here(host: str) -> bool:
    """Tell whether an address is this machine's: only there can it listen."""
    try:
        with socket.socket() as probe:
            probe.bind((host, 0))
            return True
    except OSError:
        return False
