"""Describe the machine of a measurement."""

import importlib.metadata
import os
import pathlib
import platform
from typing import Any

_PACKAGES = {
    "tensorflow": "tensorflow",
    "keras": "keras",
    "keras_hub": "keras-hub",
    "litert": "ai-edge-litert",
}


def machine() -> dict[str, Any]:
    """Return the CPU's name, its usable cores, memory in GiB, and versions."""
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
