"""What numbers were measured on, and the memory it took."""

import importlib.metadata
import os
import pathlib
import platform
import resource
import sys
from typing import Any

_PACKAGES = {
    "tensorflow": "tensorflow",
    "keras": "keras",
    "keras_hub": "keras-hub",
    "litert": "ai-edge-litert",
}


def machine() -> dict[str, Any]:
    """The CPU's name, its usable cores, memory in GiB, and versions."""
    versions: dict[str, str | None] = {}
    for name, package in _PACKAGES.items():
        try:
            versions[name] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    return {
        "cpu": _cpu(),
        "cores": _cores(),
        "memory_gib": _memory(),
        "python": platform.python_version(),
        **versions,
    }


def peak_memory() -> dict[str, float]:
    """The most memory this process has had, in GiB, and on its device.

    That of a GPU is there where TensorFlow computes on one.
    """
    import keras  # Late: who asks for `machine` alone may do without.

    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1 if sys.platform == "darwin" else 2**10
    found = {"peak_memory_gib": round(size * unit / 2**30, 3)}
    # Other backends use TensorFlow for data alone, and no GPU through it.
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        if tf.config.list_logical_devices("GPU"):
            device = tf.config.experimental.get_memory_info("GPU:0")["peak"]
            found["device_peak_memory_gib"] = round(device / 2**30, 3)
    return found


def _cpu() -> str:
    path = pathlib.Path("/proc/cpuinfo")
    if path.is_file():
        for line in path.read_text("utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() in ("model name", "Model", "Hardware"):
                return value.strip()
    return platform.processor() or platform.machine()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> float | None:
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
    return round(size / 2**30, 1)
