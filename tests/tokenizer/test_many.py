"""Ids of 2,500 lines in eight scripts are those of `transformers`."""

import importlib.util
import json
import pathlib

from tfminilm.teachers import load_tokenizer

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
_spec = importlib.util.spec_from_file_location(
    "make_many_ids", GOLDEN / "make_many_ids.py"
)
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)


def test_ids_of_many_lines(family, folder_of, ids_of):
    lines = made.lines()
    assert len(lines) == 2_500
    found = made.digests(ids_of(load_tokenizer(folder_of(family)), lines))
    wanted = json.loads(made.GOLDEN.read_text())[family]
    differ = [
        i
        for i, pair in enumerate(zip(found, wanted, strict=True))
        if len({*pair}) > 1
    ]
    first = differ[0] * made.BLOCK if differ else 0
    assert not differ, lines[first : first + made.BLOCK]
