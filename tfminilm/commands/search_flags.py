"""Flags of `tfminilm export` for the search of each layer's precision.

Also `--texts`: the texts for calibration and for measuring the damage.
"""

import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from absl import flags

from tfminilm.errors import UsageError
from tfminilm.typing import Tokenizer

if TYPE_CHECKING:
    import keras

    from tfminilm.export.check.calibration import Texts
    from tfminilm.export.check.search import SearchResult
    from tfminilm.export.target import Target


def define(flags: flags.FlagValues) -> None:
    """Define the flags."""
    flags.DEFINE_string(
        "texts",
        None,
        "Text file, one sentence on each line, for calibration and for the "
        "comparison with Keras; by default --task's examples, or a workdir's "
        "held-out sentences.",
    )
    flags.DEFINE_float(
        "budget_mb",
        None,
        "Searches a precision for each layer so that the file has at most so "
        "many MB.",
        lower_bound=0.0,
    )
    flags.DEFINE_float(
        "max_drop",
        None,
        "Lowers layers to 4 bits, those first that do least damage for each "
        "byte saved, as long as no more than this many points of a hundred "
        "are lost: of the probability of the same answers, of the scores' "
        "correlation, or of an encoder's cosine.",
        lower_bound=0.0,
    )


def is_search(flags: flags.FlagValues, target: "Target") -> bool:
    """Return whether precisions are to be searched.

    Raises:
        UsageError: both limits are given, or one for another format.
    """
    limits = [
        limit
        for limit in (flags.budget_mb, flags.max_drop)
        if limit is not None
    ]
    if len(limits) > 1:
        raise UsageError(
            "export: expected --budget_mb= or --max_drop=, not both"
        )
    if limits and target.format != "litert":
        raise UsageError(
            "export: --budget_mb= and --max_drop= are for format litert, "
            f"target {target.name or '-'} has {target.format}"
        )
    return bool(limits)


def texts(
    flags: flags.FlagValues,
    target: "Target",
    default: "Sequence[str] | Sequence[Texts]",
    is_search: bool,
) -> "Sequence[str] | Sequence[Texts]":
    """Return the texts for the bundle's comparison and calibration.

    Args:
        flags: the command's flags.
        target: the target of the export.
        default: the task's or the workdir's texts; empty if there are none.
        is_search: whether damage will be measured on them.

    Raises:
        UsageError: the target needs texts of the task, and there are none.
        UserError: the file cannot be read or is empty.
    """
    from tfminilm.export.check import calibration

    if flags.texts:
        return _lines(pathlib.Path(flags.texts))
    if not default and (target.activations == "int8" or is_search):
        raise UsageError(
            f"export: target {target.name or '-'} is calibrated on texts like "
            "those that the model will read: expected --task= and "
            "--data_dir=, or --texts="
        )
    return default or calibration.SENTENCES


def search(
    flags: flags.FlagValues,
    model: "keras.Model",
    tokenizer: Tokenizer,
    target: "Target",
    rows: "Sequence[Texts]",
) -> "Target":
    """Search for each layer's precision, print them, return the target."""
    from tfminilm.export.check.search import fit
    from tfminilm.train.progress import Progress

    limits: dict[str, Any] = {"max_drop": flags.max_drop}
    if flags.budget_mb is not None:
        limits = {"budget_bytes": 1e6 * flags.budget_mb}
    with Progress() as progress, progress.pieces("layers") as show:
        target, result = fit(
            model, tokenizer, target, rows, show=show, **limits
        )
    _print(result)
    return target


def _lines(path: pathlib.Path) -> list[str]:
    """Return the lines of a text file that are not empty."""
    from tfminilm.tasks.readers import paths

    lines = (line.strip() for _, line in paths.lines(path))
    return [line for line in lines if line]


def _print(result: "SearchResult") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, caption_justify="left")
    table.add_column("layer")
    table.add_column("precision")
    table.add_column("damage of 4 bits", justify="right")
    for name, precision in result.layers.items():
        table.add_row(name, precision, f"{result.damage[name]:.1e}")
    table.caption = (
        f"{result.bytes / 1e6:.1f} MB, {result.drop:.2f} points from float32. "
        "Damage: mean squared error in units of the outputs' mean square"
    )
    Console().print(table)
