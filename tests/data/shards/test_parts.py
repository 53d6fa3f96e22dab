import dataclasses
import json

import pytest

from tfminilm.data import corpus, packing
from tfminilm.data.shards import parts


@pytest.mark.parametrize("size", [1, 40, 1000, 10**6])
def test_each_document_is_in_one_part(size, tmp_path):
    (tmp_path / "empty.txt").touch()
    blocks = [
        f"Document {n}.\r\nIts end.\n" + "\n" * (n % 3 + 1) for n in range(50)
    ]
    (tmp_path / "a.txt").write_text("\n \n" + "".join(blocks[:30]))
    (tmp_path / "b.txt").write_text("".join(blocks[30:]).rstrip())
    planned = parts.plan(str(tmp_path), size)
    # As they are kept between two starts.
    kept = json.loads(json.dumps(list(map(dataclasses.asdict, planned))))
    assert [parts.Part(**part) for part in kept] == planned
    found = [d for part in planned for d in parts.read(part)]
    wanted = list(corpus.documents(tmp_path))
    assert list(map(corpus.joined, found)) == wanted
    assert len(wanted) == 50
    assert (len(planned) == 1) == (size == 10**6)
    assert (len(planned) >= 50) == (size == 1)


@pytest.mark.parametrize("size", [1, 800, 3000, 10**6])
@pytest.mark.parametrize("num_lines", [40, 400])
def test_a_text_without_blank_lines_is_parted(size, num_lines, tmp_path):
    lines = [
        " ".join(f"Of {n} é is said {m}." for m in range(1 + n % 17 * 5))
        for n in range(num_lines)
    ]
    (tmp_path / "a.txt").write_text("\n".join(lines))
    planned = parts.plan(str(tmp_path), size)
    found = [d for part in planned for d in parts.read(part)]
    assert list(map(corpus.joined, found)) == list(corpus.documents(tmp_path))
    assert len(found) > 50
    assert (len(planned) == 1) == (size == 10**6)


@pytest.mark.parametrize("length", [4, 6, 9])
def test_what_parts_leave_is_packed_together(length, letters):
    documents = [["abc.", "de."], ["f."], ["ghijklm.", "no."], ["pqrstuv."]]
    documents = [[" ".join(text) for text in texts] for texts in documents]
    encoded = list(packing.encode(documents, letters))
    rows, rest, tokens = [], [], 0
    for part in (encoded[:2], encoded[2:3], encoded[3:]):
        packed, left = packing.pack_part(part, letters, length)
        rows += packed.token_ids.tolist()
        rest += left
        tokens += packed.num_tokens
    # Alone it may fill no sequence: it goes on with the first of all.
    rest.append(encoded[0])
    rows += packing.pack(rest, letters, length).token_ids.tolist()
    assert tokens == sum(d.token_ids.size for d in encoded)
    assert set(range(5, 27)) <= {token for row in rows for token in row}
    assert {len(row) for row in rows} == {length}
    assert {(row[0], row[-1]) for row in rows} == {(2, 3)}
