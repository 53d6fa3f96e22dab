"""Texts without blank lines: they have a held-out part all the same."""

import logging

import pytest

from tfminilm.data import corpus, documents, endings, text_data

SENTENCES = [f"Number {n} goes to town today." for n in range(3000)]
FEW_FILES = {
    "a.txt": "\n".join(SENTENCES[:2000]),
    "b.txt": "\n".join(SENTENCES),
}


def write(folder, files):
    for name, content in files.items():
        (folder / name).write_text(content)
    return folder


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"a.txt": "\n" + "\n".join(SENTENCES) + "\n\n"}, "at line ends"),
        (FEW_FILES, "at line ends"),
        ({"a.txt": " ".join(SENTENCES)}, "between its sentences"),
        ({"a.txt": " ".join(SENTENCES).replace(".", "")}, "between its sent"),
        # Of a language that parts no words.
        ({"a.txt": "".join(map(chr, range(0x4E00, 0x9FA0))) * 3}, "between"),
    ],
)
def test_it_is_cut_and_this_is_said(files, told, tmp_path, caplog, letters):
    write(tmp_path, files)
    with caplog.at_level(logging.WARNING):
        found = list(documents(tmp_path))
    assert f"{tmp_path}: it has no blank line" in caplog.text
    assert told in caplog.text
    whole = "".join(files.values()).split()
    if len(files) == 1:  # Else what stands twice is dropped.
        text = " ".join(s for document in found for s in document)
        assert text.replace(" ", "") == "".join(whole)
    sizes = [sum(map(len, document)) for document in found]
    assert max(sizes) < 3 * endings.PIECE
    assert sum(sizes) / len(sizes) > endings.PIECE / 2
    data = text_data(tmp_path, letters, 16)
    share = data.held_out.num_tokens / data.train.num_tokens
    assert 0.005 < share < 0.05  # Of 0.02.


@pytest.mark.parametrize(
    "files",
    [
        {"a.txt": "\n".join(SENTENCES) + "\n\nThe end."},
        {f"{n}.txt": SENTENCES[n] + "\nIt is so." for n in range(100)},
    ],
)
def test_documents_are_left_whole_where_there_are_any(files, tmp_path, caplog):
    found = list(documents(write(tmp_path, files)))
    assert len(found) == (2 if len(files) == 1 else 100)
    assert not caplog.records


def test_utf_16_is_named(tmp_path):
    (tmp_path / "a.txt").write_bytes("Text.".encode("utf-16"))
    with pytest.raises(corpus.UserError, match=r"a.txt is UTF-16; convert it"):
        list(documents(tmp_path))
