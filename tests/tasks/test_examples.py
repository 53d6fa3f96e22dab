"""Every task's original files, written by the test."""

import logging
import shutil

import pytest

from tfminilm.errors import UserError
from tfminilm.tasks import get_task, read


def found(originals, name, split, **options):
    examples = read(get_task(name), split, originals, **options)
    return [(e.id, *e.texts, e.label) for e in examples]


GLUE = [
    (
        "cola",
        "train",
        [("0", "She said “yes”.", 1), ("1", 'The "car honked.', 0)],
    ),
    (
        "cola",
        "validation",
        [("0", "It's in\u2028two.", 0), ("1", "Good 😀.", 1)],
    ),
    ("cola", "test", [("0", "Bill whistled.", None), ("1", "Étienne?", None)]),
    ("sst2", "train", [("0", "no wit ", 0), ("1", "a joy ", 1)]),
    ("sst2", "validation", [("0", 'truly " great ', 1)]),
    ("sst2", "test", [("0", "uneasy", None), ("1", "fine", None)]),
    (
        "mrpc",
        "train",
        [
            ("0", '" He left .', "He left , he said .", 1),
            ("1", "It rose .", '" It fell .', 0),
        ],
    ),
    ("mrpc", "validation", [("0", 'A "', "B", 1)]),
    ("mrpc", "test", [("0", "C", "D", None)]),
    (
        "stsb",
        "train",
        [
            ("0", "A plane.", "An air plane.", 5.0),
            ("1", "A man.", "A dog.", 0.25),
        ],
    ),
    ("stsb", "validation", [("0", "One.", "Two.", 0.0)]),
    ("stsb", "test", [("0", "Three.", "Four.", None)]),
    ("qqp", "train", [("0", "How?", "How so?", 1), ("3", "Who?", "When?", 0)]),
    ("qqp", "validation", [("0", "Where?", "Where to?", 0)]),
    ("qqp", "test", [("0", "Is it?", "It is?", None)]),
    (
        "mnli",
        "train",
        [(str(i), f"train {i}.", f"So {i}.", i) for i in range(3)],
    ),
    (
        "mnli",
        "validation_matched",
        [(str(i), f"dev {i}.", f"So {i}.", i) for i in range(3)],
    ),
    (
        "mnli",
        "validation_mismatched",
        [(str(i), f"dev other {i}.", f"So {i}.", i) for i in range(3)],
    ),
    (
        "mnli",
        "test_matched",
        [(str(i), f"test {i}.", f"So {i}.", None) for i in range(3)],
    ),
    (
        "mnli",
        "test_mismatched",
        [(str(i), f"test other {i}.", f"So {i}.", None) for i in range(3)],
    ),
    ("qnli", "train", [("0", "Who?", "Bob.", 0), ("1", "When?", "Bob.", 1)]),
    ("qnli", "validation", [("0", "What?", "Rain.", 1)]),
    ("qnli", "test", [("0", "Why?", "Well.", None)]),
    ("rte", "train", [("0", "It rains.", "Wet.", 0)]),
    ("rte", "validation", [("0", "Sun.", "Wet.", 1)]),
    ("rte", "test", [("0", "Fog.", "Wet.", None)]),
    ("wnli", "train", [("0", "He fell.", "Jo fell.", 1)]),
    ("wnli", "validation", [("0", "He ate.", "It ate.", 0)]),
    ("wnli", "test", [("0", "He won.", "Jo won.", None)]),
    ("ax", "test", [("0", "The cat sat.", "The cat did not.", None)]),
]


@pytest.mark.parametrize(("name", "split", "expected"), GLUE)
def test_glue(originals, name, split, expected):
    assert found(originals, name, split) == expected


def test_every_glue_split_is_tried():
    tried = {(name, split) for name, split, _ in GLUE}
    for name in {name for name, _ in tried}:
        assert {s for n, s in tried if n == name} == set(get_task(name).splits)


def test_a_tasks_own_folder_will_do(originals):
    direct = found(originals / "SST-2", "sst2", "train")
    assert direct == found(originals, "sst2", "train")


def test_broken_rows_of_qqp_are_counted(originals, caplog):
    with caplog.at_level(logging.WARNING):
        found(originals, "qqp", "train")
    assert "left out 2 rows of a wrong number" in caplog.text
    assert "the first in line 3" in caplog.text


@pytest.mark.parametrize("name", ["cola", "sst2", "mrpc", "stsb", "qnli"])
def test_windows_line_ends_and_a_mark_change_nothing(originals, tmp_path, name):
    folder = {"cola": "CoLA", "sst2": "SST-2", "stsb": "STS-B"}.get(name)
    folder = folder or name.upper()
    (tmp_path / folder).mkdir()
    for split in ("train", "dev"):
        content = (originals / folder / f"{split}.tsv").read_bytes()
        content = content.removeprefix(b"\xef\xbb\xbf")
        content = b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n\r\n")
        (tmp_path / folder / f"{split}.tsv").write_bytes(content)
    for split in ("train", "validation"):
        assert found(tmp_path, name, split) == found(originals, name, split)


@pytest.mark.parametrize("language", [None, "en", "de", "zh"])
def test_xnli_in_its_own_layout(originals, language):
    code = language or "en"
    for split, file in (("validation", "dev"), ("test", "test")):
        rows = read(get_task("xnli"), split, originals, language=language)
        assert [(*e.texts, e.label) for e in rows] == [
            (f"{code} {file} {i}.", f"{code} “so” {i}.", i) for i in range(3)
        ]


def test_xnli_in_the_layout_of_xtreme(tmp_path):
    dev = "Il dit.\tIl parle.\tneutral\r\nOui.\tNon.\tcontradiction\r\n"
    (tmp_path / "dev-fr.tsv").write_bytes(dev.encode())
    (tmp_path / "test-fr.tsv").write_bytes(b"Eh bien.\tBien.\r\n")
    assert found(tmp_path, "xnli", "validation", language="fr") == [
        ("0", "Il dit.", "Il parle.", 1),
        ("1", "Oui.", "Non.", 2),
    ]
    assert found(tmp_path, "xnli", "test", language="fr") == [
        ("0", "Eh bien.", "Bien.", None)
    ]


@pytest.mark.parametrize("split", ["train", "test"])
def test_imdb(originals, split):
    expected = [
        (f"{label}/{name}", f"{split} {label} {name}<br /><br />é", i)
        for i, label in enumerate(("neg", "pos"))
        for name in ("2_4", "10_3")
    ]
    assert found(originals, "imdb", split) == expected
    assert found(originals / "aclImdb", "imdb", split) == expected


BAD = [
    ("SST-2/dev.tsv", b"", "is empty"),
    ("SST-2/dev.tsv", b"\n\n", "is empty"),
    ("SST-2/dev.tsv", b"\xef\xbb\xbf\r\n", "is empty"),
    ("SST-2/dev.tsv", "sentence".encode("utf-16"), "is UTF-16; convert it"),
    ("SST-2/dev.tsv", b"sentence\tlabel\n", "a header and no examples"),
    ("SST-2/dev.tsv", b"text\tlabel\na\t1\n", "line 1: no column 'sentence'"),
    ("SST-2/dev.tsv", b"sentence\ty\na\t1\n", "line 1: no column 'label'"),
    (
        "SST-2/dev.tsv",
        b"sentence\tlabel\na\t1\nb",
        "line 3: 1 columns, expected 2; is the file cut",
    ),
    (
        "SST-2/dev.tsv",
        b"sentence\tlabel\na\t1\tx\n",
        "line 2: 3 columns, expected 2",
    ),
    (
        "SST-2/dev.tsv",
        b"sentence\tlabel\na\t1\n\nb\t2\n",
        "line 4: label '2' is not of sst2; expected one of 0, 1",
    ),
    ("SST-2/dev.tsv", b"sentence\tlabel\na\t\n", "label '' is not of sst2"),
    ("SST-2/dev.tsv", b"sentence\tl\0abel\n", "binary file .*offset 10"),
    ("SST-2/dev.tsv", b"sentence\t\xe9\n", "not UTF-8 .*0xe9 at offset 9"),
    (
        "SST-2/dev.tsv",
        b"\xef\xbb\xbfsentence\t\xe9\n",
        "not UTF-8 .*0xe9 at offset 12",
    ),
    ("CoLA/dev.tsv", b"gj04\t1\t\n", "line 1: 3 columns, expected 4"),
    ("CoLA/dev.tsv", b"gj04\t-1\t\tA.\n", "line 1: label '-1'.*one of 0, 1"),
    (
        "RTE/dev.tsv",
        b"index\tsentence1\tsentence2\tlabel\n0\tA\tB\t1\n",
        "line 2: label '1'.*one of entailment, not_entailment",
    ),
]


@pytest.mark.parametrize(("file", "content", "message"), BAD)
def test_bad_files_are_named_with_the_line(tmp_path, file, content, message):
    folder, _, _ = file.partition("/")
    (tmp_path / folder).mkdir()
    (tmp_path / file).write_bytes(content)
    name = {"SST-2": "sst2", "CoLA": "cola", "RTE": "rte"}[folder]
    with pytest.raises(UserError, match=message) as raised:
        read(get_task(name), "validation", tmp_path)
    assert str(tmp_path / file) in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("score", "message"),
    [
        ("nan", "score nan is not a finite number"),
        ("inf", "score inf is not a finite number"),
        ("5.001", "score 5.001 is out of stsb's range, 0 to 5"),
        ("-0.1", "score -0.1 is out of stsb's range"),
        ("", "score '' is not a number"),
        ("high", "score 'high' is not a number"),
    ],
)
def test_bad_scores(originals, tmp_path, score, message):
    whole = (originals / "STS-B/dev.tsv").read_text()
    (tmp_path / "dev.tsv").write_text(whole.replace("0.000", score))
    with pytest.raises(UserError, match=f"dev.tsv, line 2: {message}"):
        read(get_task("stsb"), "validation", tmp_path)


def test_missing_files(originals, tmp_path):
    sst2 = get_task("sst2")
    with pytest.raises(UserError, match="gone does not exist"):
        read(sst2, "train", tmp_path / "gone")
    with pytest.raises(UserError, match=r"train.tsv is a file"):
        read(sst2, "train", originals / "SST-2/train.tsv")
    expected = "no file for sst2's train; expected SST-2/train.tsv or train.tsv"
    with pytest.raises(UserError, match=expected):
        read(sst2, "train", tmp_path)
    (tmp_path / "train.tsv").mkdir()
    with pytest.raises(UserError, match=r"train.tsv is no regular file"):
        read(sst2, "train", tmp_path)


def test_unknown_splits_and_languages(originals):
    with pytest.raises(UserError, match="cola has no split 'dev', only train"):
        read(get_task("cola"), "dev", originals)
    with pytest.raises(UserError, match="it is trained on mnli's"):
        read(get_task("ax"), "train", originals)
    for name, language in (
        ("xnli", "ja"),
        ("xnli", "de-en"),
        ("mlqa", "fr"),
        ("mlqa", "de-en-de"),
        ("mlqa", ""),
    ):
        with pytest.raises(UserError, match="has no language"):
            read(get_task(name), "test", originals, language=language)
    with pytest.raises(UserError, match="rte has one language only"):
        read(get_task("rte"), "test", originals, language="en")


def test_xnli_lacks_a_language_or_its_column(originals, tmp_path):
    xnli = get_task("xnli")
    whole = (originals / "XNLI-1.0/xnli.dev.tsv").read_text()
    path = tmp_path / "xnli.dev.tsv"
    path.write_text("\n".join(whole.split("\n")[:4]))
    with pytest.raises(UserError, match=r"no example of language 'de'.*has ar"):
        read(xnli, "validation", tmp_path, language="de")
    path.write_text(whole.replace("language", "tongue"))
    with pytest.raises(UserError, match="no column 'language'"):
        read(xnli, "validation", tmp_path, language="de")


def test_imdb_folders_that_are_not_whole(originals, tmp_path):
    imdb = get_task("imdb")
    shutil.copytree(originals / "aclImdb/test", tmp_path / "test")
    (tmp_path / "test/neg/2_4.txt").write_text(" ")
    with pytest.raises(UserError, match=r"neg/2_4.txt is empty"):
        read(imdb, "test", tmp_path)
    shutil.rmtree(tmp_path / "test/neg")
    with pytest.raises(UserError, match="test/neg holds no review"):
        read(imdb, "test", tmp_path)
