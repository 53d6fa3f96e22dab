import pathlib

import pytest

from tfminilm.data import corpus, documents
from tfminilm.errors import UserError

SHARED = pathlib.Path(__file__).parents[2].parent / "shared"


def test_folder_documents_paragraphs_and_order(tmp_path):
    (tmp_path / "b.txt").write_text("Last one. And more.", encoding="utf-8")
    (tmp_path / "a.txt").write_bytes(
        "\ufeffOne é. Two.\r\nThree.\r\n\r\n \r\nFour.\r\n".encode()
    )
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "c.txt").write_text("Below.\n\nOne é. Two.\nThree.\n")
    (tmp_path / "SOURCE.txt").write_text("About the folder.")
    (tmp_path / "sub" / "SOURCE.txt").write_text("About the subfolder.")
    (tmp_path / "d.md").write_text("Not text.")
    assert list(documents(tmp_path)) == [
        ["One é.", "Two.", "Three."],
        ["Four."],
        ["Last one.", "And more."],
        ["Below."],  # What follows it is the first document again.
    ]


def test_several_sources_are_read_in_turns(tmp_path):
    texts = {"en": ["A.", "B.", "C."], "de, at": ["X."], "zh": ["天。", "地。"]}
    for name, parts in texts.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text("\n\n".join(parts))
    joined = f"{tmp_path}/en,{tmp_path}/zh"
    assert list(documents(joined)) == [
        ["A."],
        ["天。"],
        ["B."],
        ["地。"],
        ["C."],
    ]
    assert list(documents(f"{tmp_path}/de, at")) == [["X."]]
    assert len(corpus.identity(joined)["parts"]) == 2
    with pytest.raises(UserError, match=r"gone' does not exist"):
        documents(f"{tmp_path}/en,{tmp_path}/gone")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"Fine.\nAnd\x00not.", r"a\.txt is a binary file .* offset 9"),
        (b"Fine.\nCaf\xe9 au lait.", r"a\.txt is not UTF-8 .*0xe9 at offset 9"),
        (b"\xef\xbb\xbfFine.\n\n\xff", r"not UTF-8 .*0xff at offset 10"),
        (b"\xef\xbb\xbf\xc3(", r"not UTF-8 .*0xc3 at offset 3"),
    ],
)
def test_files_that_are_no_text(tmp_path, content, message):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(UserError, match=message) as raised:
        list(documents(tmp_path))
    assert "\n" not in str(raised.value)


def test_folders_that_hold_no_text(tmp_path):
    with pytest.raises(UserError, match=r"gone' does not exist.*expected"):
        documents(str(tmp_path / "gone"))
    with pytest.raises(UserError, match="'' does not exist"):
        documents("")
    with pytest.raises(UserError, match=r"holds no \.txt file"):
        documents(tmp_path)
    (tmp_path / "SOURCE.txt").write_text("About nothing.")
    with pytest.raises(UserError, match=r"holds no \.txt file"):
        documents(tmp_path)
    with pytest.raises(UserError, match="is a file"):
        documents(tmp_path / "SOURCE.txt")


def test_wikipedia_keeps_its_articles():
    folder = SHARED / "data" / "corpus" / "wikipedia_zh"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    found = list(documents(folder))
    raw = sum(
        len([part for part in path.read_text().split("\n\n") if part.strip()])
        for path in folder.glob("part-*.txt")
    )
    assert 0.98 * raw < len(found) <= raw
    lengths = [len(sentence) for one in found for sentence in one]
    assert sorted(lengths)[len(lengths) // 2] < 60
