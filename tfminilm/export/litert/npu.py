"""Compile a LiteRT file for a phone's neural processor, ahead of time.

LiteRT's compiler of Qualcomm's processors comes with LiteRT, and the libraries
that it calls with the package onnxruntime-qnn. What the processor cannot do
stays in the file as it was, and runs on the phone's other cores.
"""

import collections
import contextlib
import dataclasses
import importlib.util
import os
import pathlib
import re
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tfminilm import files
from tfminilm.errors import UserError
from tfminilm.export.litert import flatbuffer
from tfminilm.quiet import quiet

if TYPE_CHECKING:
    from ai_edge_litert.aot.core import aot_types

MAKER = "Qualcomm"
_PLUGIN = "vendors/qualcomm/compiler/libLiteRtCompilerPlugin_Qualcomm.so"
# LiteRT's compiler asks for this one when it starts, and the package leaves it
# out: it serves another processor, and nothing of it is called.
_ABSENT, _IN_ITS_PLACE = "libQnnLpai.so", "libQnnSaver.so"


@dataclasses.dataclass(frozen=True)
class Share:
    """Says how much of a signature the neural processor takes.

    Attributes:
        taken: operators that it takes.
        operators: all operators of the signature.
        partitions: pieces that the taken ones form; each costs a hand-over.
        left: the kinds of those that stay on the other cores, and how many.
    """

    taken: int
    operators: int
    partitions: int
    left: dict[str, int]


def chips() -> tuple[str, ...]:
    """Return the names of the chips that LiteRT compiles for."""
    from ai_edge_litert.aot.vendors.qualcomm import target

    return tuple(chip.value for chip in target.SocModel if chip.value != "ALL")


def require_chip(chip: str) -> None:
    """Refuse a chip that LiteRT does not compile for.

    Raises:
        UserError: it is none of `chips()`.
    """
    if chip not in chips():
        raise UserError(
            f"unknown chip {chip!r}, expected one of {', '.join(chips())}"
        )


def compile_file(
    model: str | os.PathLike, chip: str, output: str | os.PathLike
) -> list[Share]:
    """Write a LiteRT file that a chip's neural processor runs.

    Args:
        model: the `.tflite` file.
        chip: one of `chips()`.
        output: the file to write.

    Returns:
        What it takes of each signature, in the order of the file's subgraphs.

    Raises:
        UserError: the chip is unknown, a package is missing, or the compiler
            refuses the file.
    """
    from ai_edge_litert.aot.core import aot_types, apply_plugin

    require_chip(chip)
    source = aot_types.Model.create_from_path(pathlib.Path(model))
    with files.new_file(output) as new, _libraries() as libraries:
        # LiteRT knows a file of its own by this ending.
        compiled = aot_types.Model(path=new.with_suffix(".tflite"))
        try:
            with quiet():
                apply_plugin.ApplyPlugin(experimental_capture_stderr=True)(
                    source,
                    compiled,
                    MAKER,
                    chip,
                    libs=str(_plugin().parent),
                    sdk_libs_path=str(libraries),
                )
        except ValueError as error:
            raise UserError(
                f"{MAKER}'s compiler refuses {model}: {_reason(error)}; give "
                "a file of another precision, such as dynamic_wi8_afp32"
            ) from error
        compiled.path.rename(new)
        return _shares(compiled, flatbuffer.read(new))


def _plugin() -> pathlib.Path:
    """Return LiteRT's compiler of these chips."""
    found = importlib.util.find_spec("ai_edge_litert")
    for folder in (found and found.submodule_search_locations) or ():
        if (plugin := pathlib.Path(folder, _PLUGIN)).is_file():
            return plugin
    raise UserError(
        f"this LiteRT has no compiler for {MAKER}'s chips, expected that of "
        "ai-edge-litert 2.1 or newer on x86-64 Linux"
    )


@contextlib.contextmanager
def _libraries() -> Iterator[pathlib.Path]:
    """Give a folder with the libraries that the compiler calls."""
    package = importlib.util.find_spec("onnxruntime_qnn")
    if package is None or not package.submodule_search_locations:
        raise UserError(
            f"compiling for {MAKER}'s chips takes the package onnxruntime-qnn: "
            'pip install "tfminilm[npu]"'
        )
    (folder, *_) = map(pathlib.Path, package.submodule_search_locations)
    # They look for their own libraries beside this folder.
    with tempfile.TemporaryDirectory() as parent:
        links = pathlib.Path(parent, folder.name)
        links.mkdir()
        beside = pathlib.Path(f"{folder}.libs")
        pathlib.Path(parent, beside.name).symlink_to(beside)
        for library in folder.glob("*.so"):
            (links / library.name).symlink_to(library)
        if not (links / _ABSENT).exists():
            (links / _ABSENT).symlink_to(folder / _IN_ITS_PLACE)
        yield links


def _shares(
    compiled: "aot_types.Model", content: flatbuffer.Model
) -> list[Share]:
    statistics = compiled.partition_stats
    rows = statistics.subgraph_stats if statistics else []
    shares = []
    for row, graph in zip(rows, content.subgraphs, strict=False):
        kinds = collections.Counter(
            flatbuffer.operator_name(content, operator)
            for operator in graph.operators
        )
        # What the processor takes has become one of these a partition.
        del kinds["CUSTOM"]
        shares.append(
            Share(
                row.num_ops_offloaded,
                row.num_total_ops,
                row.num_partitions_offloaded,
                dict(kinds),
            )
        )
    return shares


def _reason(error: ValueError) -> str:
    """Return what the compiler logged as an error, and drop its log."""
    log = re.search(r"See (\S+\.error) for", str(error))
    if not log:
        return str(error)
    path = pathlib.Path(log.group(1))
    lines = path.read_text(errors="replace").splitlines()
    path.unlink()
    errors = [
        line.partition("] ")[2].strip() for line in lines if "ERR" in line
    ]
    return next((line for line in reversed(errors) if line), "no reason given")
