"""JSON from outside is checked before it is used."""

import pytest

from tfminilm import json_files
from tfminilm.errors import UserError
from tfminilm.export.bundle import reader
from tfminilm.inference import tables


@pytest.mark.parametrize(
    "text", ['{"a": 1, "b": 2, "a": 1}', '[{"c": {"a": 1, "a": 2}}]']
)
def test_a_key_that_stands_twice_is_refused(text):
    with pytest.raises(UserError, match=r"f: .*key 'a' 2 times.*; mend it"):
        json_files.parse(text, "f:", object, "mend it")


def test_files_of_all_kinds_refuse_a_key_twice(tmp_path):
    row = '{"text": "a", "label": "x", "text": "b"}\n'
    (tmp_path / "rows.jsonl").write_text(row)
    (tmp_path / "manifest.json").write_text('{"task": "a", "task": "b"}')
    words = r".*\.json.* has the key '(text|task)' 2 times, expected"
    with pytest.raises(UserError, match=words):
        reader.open_bundle(tmp_path)
    with pytest.raises(UserError, match=words):
        tables.read(str(tmp_path / "rows.jsonl"))
