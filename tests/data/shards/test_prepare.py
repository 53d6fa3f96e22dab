import sys

import pytest

from tfminilm import files
from tfminilm.commands import main
from tfminilm.data import shards, text_data
from tfminilm.data.shards import job, write
from tfminilm.errors import UserError

CLS, SEP = 2, 3
WORDS = [first + second for first in "bcdefghijk" for second in "abc"]
HALF = {"sequence_length": 8, "held_out_fraction": 0.5, "seed": 1}


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_documents_as_in_memory(text, tokenizer, prepared):
    found = shards.open_shards(prepared, tokenizer, 16)
    wanted = text_data(text, tokenizer, 16, 0, 0.2)
    for ours, theirs in (
        (found.train, wanted.train),
        (found.held_out, wanted.held_out),
    ):
        assert ours.num_tokens == theirs.num_tokens
        ids = ours.token_ids[:]
        assert set(ids.flat) == set(theirs.token_ids.flat)
        assert (ids[:, 0] == CLS).all()
        assert (ids[:, -1] == SEP).all()
        assert (ids > 1).all()
        # Packed in parts there is at most one sequence more.
        assert len(theirs) <= len(ours) <= len(theirs) + 6
    assert found.held_out_sentences == wanted.held_out_sentences


def test_a_document_is_on_one_side(tokenizer, prepared, documents_in):
    found = shards.open_shards(prepared, tokenizer, 16)
    train = documents_in(found.train.token_ids[:])
    held_out = documents_in(found.held_out.token_ids[:])
    assert train.isdisjoint(held_out)
    assert train | held_out == set(range(300))


def test_the_manifest_counts(prepared):
    found = shards.Manifest.load(prepared)
    assert found.train.documents + found.held_out.documents == 300
    assert found.dropped == 30
    assert len(found.train.shards) >= 5
    for split in (found.train, found.held_out):
        assert split.tokens == 12 * split.documents
        for shard in split.shards:
            assert (prepared / shard.file).stat().st_size == shard.bytes
    named = {s.file for x in (found.train, found.held_out) for s in x.shards}
    assert named | {"manifest.json"} == set(content(prepared))


def test_the_same_bytes_whatever_the_workers(
    text, tmp_path, make_shards, prepared
):
    flags = ["--direct_running_mode=multi_threading", "--direct_num_workers=3"]
    make_shards(text, tmp_path / "shards", flags)
    ours, theirs = content(tmp_path / "shards"), content(prepared)
    assert ours.keys() == theirs.keys()
    # The manifest names the folder of the text.
    assert [n for n in ours if ours[n] != theirs[n]] == ["manifest.json"]


@pytest.mark.parametrize("of", ["documents", "paragraphs", "keep"])
def test_what_repeats_is_dropped(of, tmp_path, make_shards):
    text = tmp_path / "text"
    text.mkdir()
    one, other = "Aab aac.\nAad aae.\n", "Aaf aag.\n" * 20
    more = "".join(f"Aah a{word}.\n" for word in WORDS)
    (text / "a.txt").write_text(f"{one}\n{other}\n{more}")
    (text / "b.txt").write_text(f"{one}\n{more}Aab aac.\n")
    found = make_shards(text, tmp_path / "shards", duplicates=of, **HALF)
    # Of 3 tokens each there are sentences:
    count = (found.train.tokens + found.held_out.tokens) / 3
    assert (found.dropped, count) == {
        "documents": (1, 2 + 20 + 30 + 31),
        "paragraphs": (2 + 19 + 31, 2 + 1 + 30),
        "keep": (0, 2 + 20 + 30 + 2 + 31),
    }[of]


def test_goes_on_after_a_failure(
    text, tmp_path, make_shards, prepared, monkeypatch
):
    folder = tmp_path / "shards"
    write_part, done = write.write_part, []

    def fail_once(folder, number, *rest):
        if number == 3 and 3 not in done:
            done.append(number)
            (folder / ".tmp-half").mkdir()
            half = folder / ".tmp-half" / files._MARKER
            half.write_text(files._MARK)
            raise UserError("the disk is full")
        done.append(number)
        return write_part(folder, number, *rest)

    monkeypatch.setattr(write, "write_part", fail_once)
    with pytest.raises(UserError, match=r"^the disk is full$"):
        make_shards(text, folder)
    assert not (folder / "manifest.json").exists()
    with pytest.raises(UserError, match="no shards"):
        shards.open_shards(folder, None, 16)
    make_shards(text, folder)
    assert sorted(done) == sorted([*range(max(done) + 1), 3])
    ours, theirs = content(folder), content(prepared)
    assert [n for n in ours if ours[n] != theirs[n]] == ["manifest.json"]
    # And a third time there is nothing to do.
    make_shards(text, folder)
    assert content(folder) == ours


def test_another_call_leaves_what_is_there(text, tmp_path, make_shards):
    folder = tmp_path / "shards"
    make_shards(text, folder)
    with pytest.raises(UserError, match="--seed=0, and 1 is asked"):
        make_shards(text, folder, seed=1)
    (folder / "manifest.json").unlink()
    with pytest.raises(UserError, match="holds other files"):
        make_shards(text, folder)


def test_what_lies_in_a_folder_of_that_name_stays(text, tmp_path, make_shards):
    folder = tmp_path / "shards" / "unfinished"
    folder.mkdir(parents=True)
    (folder / "novel.txt").write_text("mine")
    with pytest.raises(UserError, match="holds other files"):
        make_shards(text, folder.parent)
    job.remove(folder)
    assert content(folder) == {"novel.txt": b"mine"}
    plan = dict.fromkeys(("tfminilm", "text", "code"), "")
    plan |= {"settings": {}, "parts": []}
    files.write_json(folder / "plan.json", plan)
    (folder / "part-00001.json").touch()
    (folder / "worker-notes").touch()
    job.remove(folder)
    assert sorted(content(folder)) == ["novel.txt", "worker-notes"]


def test_an_unfinished_one_is_of_one_text(
    text, tmp_path, make_shards, monkeypatch
):
    def fail(*_):
        raise UserError("no")

    monkeypatch.setattr(write, "write_part", fail)
    with pytest.raises(UserError, match=r"^no$"):
        make_shards(text, tmp_path / "shards")
    with pytest.raises(UserError, match="--duplicates=documents, and keep"):
        make_shards(text, tmp_path / "shards", duplicates="keep")
    (text / "d.txt").write_text("Aaa.")
    with pytest.raises(UserError, match="another state of the text"):
        make_shards(text, tmp_path / "shards")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "0 tokens"),
        (b"Aab aac.\n", "tokens, but one sequence of length 16"),
        (b"Aab \xff aac.\n", "a.txt is not UTF-8"),
    ],
)
def test_bad_text(raw, message, tmp_path, make_shards):
    text = tmp_path / "text"
    text.mkdir()
    (text / "a.txt").write_bytes(raw)
    with pytest.raises(UserError, match=message):
        make_shards(text, tmp_path / "shards")


def test_the_output_is_a_file(text, tmp_path, make_shards):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is a file, expected a folder"):
        make_shards(text, tmp_path / "file")


def test_beam_is_missing(text, tmp_path, make_shards, monkeypatch):
    name = "tfminilm.data.shards.pipeline"
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.delattr(shards, "pipeline", raising=False)
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(UserError, match=r'pip install "tfminilm\[beam\]"'):
        make_shards(text, tmp_path / "shards")
    assert not (tmp_path / "shards").exists()


def test_the_command(text, tmp_path, model, capsys):
    arguments = [
        "prepare",
        f"--input={text}",
        f"--output={tmp_path / 'shards'}",
        f"--tokenizer={model}",
        "--sequence_length=16",
        "--held_out_fraction=0.2",
    ]
    assert main([*arguments, "--", "--direct_num_workers=1"]) == 0
    told = capsys.readouterr().out
    assert "300" not in told
    assert "dropped  30 repeated documents" in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input=docs"], "--output is missing"),
        (["--sequence_length=4"], "expected 8 to 32767"),
        (["--duplicates=all"], "documents"),
        (["--", "--direct_num_workers=x"], "invalid int value"),
        (["--runner=NoRunner"], "NoRunner"),
    ],
)
def test_bad_flags(arguments, message, text, tmp_path, model, capsys):
    fine = [
        f"--input={text}",
        f"--output={tmp_path / 'shards'}",
        f"--tokenizer={model}",
    ]
    if arguments != ["--input=docs"]:
        arguments = fine + arguments
    assert main(["prepare", *arguments]) == 2
    assert message in capsys.readouterr().err
