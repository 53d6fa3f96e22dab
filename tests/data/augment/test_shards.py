"""Shards: written whole, in order, and not made again."""

import pytest

import tfminilm
from tfminilm.data.augment.shards import shards


def rows(first, end):
    return [(number, (f"text {number}", "ß")) for number in range(first, end)]


def test_all_rows_some_at_a_time(tmp_path):
    found = list(shards(tmp_path / "new", 7, rows, size=3))
    assert found == [rows(0, 3), rows(3, 6), rows(6, 7)]
    assert list(shards(tmp_path / "none", 0, rows)) == []


def test_a_stopped_run_goes_on(tmp_path):
    made = []

    def make(first, end):
        if first == 3 and len(made) == 1:
            raise KeyboardInterrupt
        made.append(first)
        return rows(first, end)

    with pytest.raises(KeyboardInterrupt):
        list(shards(tmp_path, 7, make, size=3))
    assert [path.name for path in tmp_path.iterdir()] == ["00000.jsonl"]
    made.append("again")
    found = [row for part in shards(tmp_path, 7, make, 3) for row in part]
    assert found == rows(0, 7)
    assert made == [0, "again", 3, 6]


@pytest.mark.parametrize("content", ["[1, [", "7\n", "[1, 2, 3]\n"])
def test_says_which_file_is_damaged(tmp_path, content):
    path = tmp_path / "00000.jsonl"
    path.write_text(content)
    with pytest.raises(
        tfminilm.UserError, match=r"00000\.jsonl .*: remove it|; remove it"
    ):
        list(shards(tmp_path, 2, rows))
