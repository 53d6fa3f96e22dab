"""Print tables on a terminal, or as plain text into a pipe."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from tfminilm.report import measures
from tfminilm.report.describe import Description

_WIDTH = 100


def print_table(evaluation: dict[str, Any]) -> None:
    """Print an evaluation's table: a column for each model, 100 wide at most.

    Args:
        evaluation: the content of `evaluation.json`.
    """
    names = measures.model_names(evaluation)
    table = _table()
    table.add_column("")
    for name in names:
        table.add_column(name, justify="right")
    rows = measures.measures(evaluation)
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        ends = following is not None and following.group != row.group
        cells = [_with_gain(cell) for cell in row.cells]
        table.add_row(row.name, *cells, end_section=ends)
    machine = evaluation.get("machine", {})
    table.caption = _machine(machine)
    _console().print(table)


def print_description(name: str, description: Description) -> None:
    """Print the counts of `describe`."""
    d = description
    console = _console()
    console.print(
        f"{name}: {d.architecture}, {d.num_layers} layers x {d.hidden_dim}, "
        f"{d.num_heads} heads",
        soft_wrap=True,
    )
    if d.reading:
        console.print(f"counted as in the {d.reading}", soft_wrap=True)
    table = _table()
    table.show_header = False
    for justify in ("left", "right", "right"):
        table.add_column("", justify=justify)
    vocabulary = f"  token table ({d.vocabulary_size:,} tokens)"
    other = "  other (positions, segments, norm, pooler)"
    pooler = "    of these the pooler"
    counts = {
        "Parameters": d.parameters,
        vocabulary: d.embedding_parameters,
        "  transformer layers": d.transformer_parameters,
        other: d.other_parameters,
        pooler: d.pooler_parameters,
    }
    flops = {f"FLOPs, length {n}": value for n, value in d.flops.items()}
    sizes = {f"Weights, {kind}": size for kind, size in d.size_bytes.items()}
    for section, show in (
        (counts, measures.count),
        (flops, measures.count),
        (sizes, measures.megabytes),
    ):
        for label, value in section.items():
            table.add_row(label, show(value), f"{value:,}")
        table.add_section()
    table.caption = "FLOPs: two per multiply-add of the matrix products"
    console.print(table)


@contextlib.contextmanager
def progress(steps: int) -> Iterator[Callable[[str], None]]:
    """Show a bar on stderr with the time left; plain lines without a terminal.

    Args:
        steps: how often the yielded function will be called, each time with
            the name of the step that begins.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True, highlight=False, markup=False)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("starting", total=steps - 1)
        begun = 0

        def begin(what: str) -> None:
            nonlocal begun
            bar.update(task, description=what, completed=begun)
            begun += 1
            if not console.is_terminal:
                console.print(f"[{begun}/{steps}] {what}")

        yield begin


def _with_gain(cell: measures.Cell) -> str:
    return f"{cell.text} ({cell.gain})" if cell.gain else cell.text


def _machine(machine: dict[str, Any]) -> str:
    parts = [
        str(machine[key]) + unit
        for key, unit in (
            ("cpu", ""),
            ("cores", " cores"),
            ("memory_gib", " GiB"),
        )
        if machine.get(key)
    ]
    return ", ".join([*parts, "latency on one thread"])


def _table() -> Any:
    from rich import box
    from rich.table import Table

    return Table(box=box.SIMPLE_HEAD, caption_justify="left")


def _console() -> Any:
    """Return standard output; a pipe gets plain text of the same layout."""
    from rich.console import Console

    console = Console()
    width = min(console.width, _WIDTH) if console.is_terminal else _WIDTH
    # Names come from recipes: "[red]" in one is text, not markup.
    return Console(highlight=False, markup=False, emoji=False, width=width)
