"""Megabytes a second of `tfminilm prepare`, and memory at two sizes of text.

    python benchmarks/prepare.py --text=FOLDER [--times=1,8]

Each size is the text so many times, a number after every paragraph of a copy,
so that none is a duplicate. The command runs as a user's would, with Beam's
DirectRunner on every core. Rates are per second of processor time of all its
processes, start included, and so those of one core; the memory is that of all
processes together, looked at five times a second, at its peak.
"""

import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import _shared
import psutil

from tfminilm.data.corpus import text_files

COMMAND = "import sys; from tfminilm.commands import main; sys.exit(main())"


def main() -> None:
    """Prepare the text at each size and print the table."""
    options = _options()
    titles = ("MB/s and core", "MB/s", "seconds", "peak memory", "largest")
    shown = _shared.table(["text"], titles)
    for times in _shared.numbers(options.times):
        shown.add_row(f"{times}x", *_run(options, times))
    shown.caption = (
        f"{options.tokenizer}, length {options.sequence_length}; "
        f"{_shared.processor()}; largest: of one process"
    )
    _shared.show(shown, 90)


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
    """Write the text `times` times; return its size in bytes."""
    folder.mkdir()
    for path in text_files(str(source)):
        lines = path.read_text("utf-8").splitlines()
        for copy in range(times):
            mark = f" ({copy})" if copy else ""
            text = "\n".join(line + mark if line else "" for line in lines)
            (folder / f"{copy}-{path.name}").write_text(text, "utf-8")
    return sum(path.stat().st_size for path in folder.iterdir())


def _watch(process):
    """Wait for the end; return the most memory of all processes and of one."""
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
    parser = _shared.Parser(__doc__)
    parser.add_argument("--text", required=True, help="folder of .txt files")
    parser.add_flags(times="1,8", tokenizer=_shared.TEACHER)
    parser.add_flags(sequence_length=128)
    return parser.parse_args()


if __name__ == "__main__":
    main()
