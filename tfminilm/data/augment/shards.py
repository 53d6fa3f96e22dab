"""Keep rows that take long to compute in files, to resume after a kill."""

import json
import os
import pathlib
from collections.abc import Callable, Iterator

from tfminilm import files, json_files
from tfminilm.errors import UserError

# The index of an example, and the texts of one of its copies.
Row = tuple[int, tuple[str, ...]]

SIZE = 1_000


def shards(
    folder: str | os.PathLike,
    count: int,
    make: Callable[[int, int], list[Row]],
    size: int = SIZE,
) -> Iterator[list[Row]]:
    """Yield the rows of all examples, those of `size` examples at a time.

    Each shard is a file with one JSON array on each line, written when it is
    complete. A file that exists already is read and not computed again.

    Args:
        folder: the folder of the files, made if it is missing. Use another
            folder whenever the rows would differ.
        count: number of examples.
        make: `make(first, stop)` returns the rows of these examples.
        size: examples in a shard.

    Raises:
        UserError: a file is damaged, the disk is full, or the folder cannot
            be written.
    """
    for first in range(0, count, size):
        path = pathlib.Path(folder) / f"{first // size:05d}.jsonl"
        if not path.exists():
            rows = make(first, min(first + size, count))
            files.write_text(
                path, "".join(f"{json.dumps(row)}\n" for row in rows)
            )
        yield _read(path)


def _read(path: pathlib.Path) -> list[Row]:
    remedy = "remove it, and it is made again"
    rows = json_files.read_lines(path, list, remedy)
    try:
        return [(int(number), tuple(map(str, texts))) for number, texts in rows]
    except (ValueError, TypeError) as error:
        raise UserError(f"{path} is damaged ({error}): {remedy}") from error
