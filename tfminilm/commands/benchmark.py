"""`tfminilm benchmark`: time and memory of LiteRT files on this machine."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

from absl import flags

from tfminilm import quiet
from tfminilm.errors import UsageError, UserError

DESCRIPTION = "Times .tflite files: latency, memory, operators, partitions."
# Upper limits of the flags; larger numbers are typing errors.
_MOST = {"lengths": 1_000_000, "threads": 1_000, "repeats": 1_000_000}


def define_flags(flags: flags.FlagValues) -> None:
    """Define the command's flags."""
    flags.DEFINE_list("model", None, ".tflite files or bundles to compare.")
    flags.DEFINE_list("lengths", None, "Lengths in tokens (default: all).")
    flags.DEFINE_list("threads", ["1"], "Numbers of threads.")
    flags.DEFINE_integer("repeats", 100, "Timed runs.", 1, _MOST["repeats"])
    flags.DEFINE_integer("warmup", 3, "Untimed runs.", 0, _MOST["repeats"])
    flags.DEFINE_bool("operators", True, "Time each kind of operator, too.")
    flags.DEFINE_string("output", None, "JSON file to write as well.")


def run(flags: flags.FlagValues) -> None:
    """Measure, print tables, and write JSON if `--output` is given.

    Raises:
        UsageError: no model is given, or a flag is no number.
        UserError: a file is missing, is no LiteRT encoder, or lacks a length,
            or a bundle is damaged.
    """
    from tfminilm import files
    from tfminilm.report.machine import machine

    if not flags.model:
        raise UsageError("benchmark: expected --model=F.tflite[,G.tflite]")
    paths = [_file(name) for name in flags.model]
    lengths = _numbers("lengths", flags.lengths) if flags.lengths else None
    threads = _numbers("threads", flags.threads)
    result = {
        "machine": machine(),
        "latency_ms": _latencies(paths, lengths, threads, flags),
        "files": {str(path): _profile(path, flags.operators) for path in paths},
    }
    _print(result)
    if flags.output:
        files.write_json(flags.output, result)


def _file(name: str) -> pathlib.Path:
    """Return the path of a file, or of the file in an intact bundle."""
    from tfminilm.export.litert import trial

    path = pathlib.Path(name)
    if (path / "manifest.json").is_file():
        # Imported only for bundles, as this takes seconds.
        quiet.import_tensorflow()
        from tfminilm.export.bundle.reader import open_bundle

        bundle = open_bundle(path)
        trial.require_runs(path / "model.tflite")
        _ = bundle.encoder
        return path / "model.tflite"
    if path.is_dir():
        path = path / "model.tflite"
    if not path.is_file():
        raise UserError(
            f"no such file: {path}; expected a .tflite file or a bundle"
        )
    trial.require_runs(path)
    return path


def _numbers(name: str, texts: Sequence[str]) -> list[int]:
    try:
        numbers = [int(part) for part in texts]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1 or max(numbers) > _MOST[name]:
        raise UsageError(
            f"benchmark: --{name}={','.join(texts)}, expected numbers of 1 "
            f"to {_MOST[name]:,}, such as 1,2"
        )
    return numbers


def _latencies(
    paths: Sequence[pathlib.Path],
    lengths: Sequence[int] | None,
    threads: Sequence[int],
    flags: flags.FlagValues,
) -> list[dict[str, Any]]:
    """Return one row for each file, length and number of threads.

    "speed_up" is relative to the first file.
    """
    from tfminilm.export.litert import latency

    rows = []
    for count in threads:
        measured = latency.measure_latencies(
            paths, lengths, count, flags.repeats, warmup=flags.warmup
        )
        first = measured[str(paths[0])]
        for path, by_length in measured.items():
            for length, times in by_length.items():
                row = {"file": path, "length": length, "threads": count}
                row |= dataclasses.asdict(times)
                if length in first:
                    row["speed_up"] = first[length].median / times.median
                rows.append(row)
    return rows


def _profile(path: pathlib.Path, operators: bool) -> dict[str, Any]:
    """Return size, memory, partitions and operators of one file."""
    from tfminilm.export.litert import profile

    result: dict[str, Any] = {
        "bytes": path.stat().st_size,
        "peak_memory_bytes": profile.peak_memory(path),
        "partitions": profile.partitions(path),
        "custom_operators": profile.custom_operators(path),
    }
    if operators:
        times = {
            signature: profile.operator_times(path, signature)
            for signature in result["partitions"]
        }
        result["operators"] = {
            signature: [dataclasses.asdict(row) for row in rows]
            for signature, rows in times.items()
        }
        result["outside_products"] = {
            signature: profile.outside_products(rows)
            for signature, rows in times.items()
        }
    return result


def _print(result: dict[str, Any]) -> None:
    from rich.console import Console

    console = Console()
    console.print(_latency_table(result))
    console.print(_file_table(result["files"]))
    for path, profile in result["files"].items():
        for signature, rows in profile.get("operators", {}).items():
            outside = profile["outside_products"][signature]
            console.print(_operator_table(f"{path} {signature}", rows, outside))


def _table(*titles: str) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, caption_justify="left")
    table.add_column(titles[0], overflow="fold")
    for title in titles[1:]:
        table.add_column(title, justify="right")
    return table


def _latency_table(result: dict[str, Any]) -> Any:
    titles = ("median ms", "p95", "fastest", "speed-up")
    table = _table("file", "length", "threads", *titles)
    for row in result["latency_ms"]:
        table.add_row(
            row["file"],
            str(row["length"]),
            str(row["threads"]),
            *(f"{row[key]:.2f}" for key in ("median", "p95", "fastest")),
            f"{row['speed_up']:.2f}x" if "speed_up" in row else "",
        )
    machine = result["machine"]
    table.caption = (
        f"{machine['cpu']}, {machine['cores']} cores, LiteRT "
        f"{machine['litert']}; {result['latency_ms'][0]['repeats']} runs each, "
        "in turns"
    )
    return table


def _file_table(files: dict[str, Any]) -> Any:
    table = _table("file", "MB", "memory MB", "partitions", "custom operators")
    for path, profile in files.items():
        memory = profile["peak_memory_bytes"]
        partitions = profile["partitions"].values()
        table.add_row(
            path,
            f"{profile['bytes'] / 1e6:.1f}",
            f"{memory / 1e6:.1f}" if memory else "-",
            ", ".join(map(str, partitions)),
            ", ".join(profile["custom_operators"]) or "none",
        )
    table.caption = (
        "Memory: what a fresh process needs more, all lengths run once. "
        "Partitions: of XNNPACK, per length"
    )
    return table


def _operator_table(
    title: str, rows: Sequence[dict[str, Any]], outside: float
) -> Any:
    table = _table(title, "uses", "ms", "share")
    total = sum(row["milliseconds"] for row in rows)
    for row in rows:
        share = row["milliseconds"] / total
        if share >= 0.005:
            table.add_row(
                row["operator"],
                str(row["count"]),
                f"{row['milliseconds']:.2f}",
                f"{share:.0%}",
            )
    table.add_section()
    table.add_row("all", "", f"{total:.2f}", "")
    table.caption = (
        "Each operator alone, on one thread; outside of matrix products "
        f"{outside:.0%}"
    )
    return table
