"""Rows that take long to make, in files of some each: none is made twice."""

import json
import os
import pathlib
from collections.abc import Callable, Iterator

from tfminilm import files, json_files
from tfminilm.errors import UserError

# The number of an example, and the texts of one of its copies.
Row = tuple[int, tuple[str, ...]]

SIZE = 1_000


def shards(
    folder: str | os.PathLike,
    count: int,
    make: Callable[[int, int], list[Row]],
    size: int = SIZE,
) -> Iterator[list[Row]]:
    """The rows of all examples, those of `size` examples at a time.

    Each shard is a file that is written when it is whole, one JSON array a
    line. A file that is there already is read instead of made.

    Args:
        folder: of the files; made if it is not there. Its name is to say what
            the rows are made of.
        count: examples.
        make: gives the rows of the examples from one number up to another.
        size: examples of a shard.

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
