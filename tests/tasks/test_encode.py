"""Token ids of examples, their cache, and batches of like length."""

import dataclasses
import itertools
import json
import pathlib

import numpy as np
import pytest

from tfminilm.errors import UserError
from tfminilm.tasks import encode as encode_module
from tfminilm.tasks.batches import Batches, best_buckets
from tfminilm.tasks.encode import encode, fit
from tfminilm.tasks.encoded import Encoded, TokenLabels, join
from tfminilm.tasks.example import Example
from tfminilm.tasks.task import get_task

PAD, UNK, CLS, SEP = range(4)
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
# `a` is 5, `b` is 6, ...
A, B, C, D, E = range(5, 10)


def tokenizer(words="abcdefgh", cls="BertTokenizer", **options):
    import keras_hub

    make = getattr(keras_hub.models, cls)
    return make(vocabulary=[*SPECIAL, *words], lowercase=True, **options)


def singles(*texts, labels=None):
    given = labels or [0] * len(texts)
    return [
        Example(str(i), (text,), label)
        for i, (text, label) in enumerate(zip(texts, given, strict=True))
    ]


def pairs(*texts):
    return [Example(str(i), pair, 1.5) for i, pair in enumerate(texts)]


def rows(encoded, values=None):
    values = encoded.token_ids if values is None else values
    return [own.tolist() for own in np.split(values, encoded.offsets[1:-1])]


def encoded_of(*lengths, labels=None):
    """Sequence i is filled with i."""
    lengths = np.array(lengths)
    flat = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    return Encoded(
        flat,
        np.zeros(len(flat), np.int8),
        np.concatenate([[0], np.cumsum(lengths)]),
        {"labels": np.arange(len(lengths)) if labels is None else labels},
        pad_id=99,
    )


def test_one_text():
    found = encode(
        get_task("sst2"),
        singles("a b", "", "c", labels=[1, 0, 1]),
        tokenizer(),
        16,
    )
    assert rows(found) == [[CLS, A, B, SEP], [CLS, SEP], [CLS, C, SEP]]
    assert not found.segment_ids.any()
    assert found.labels["labels"].tolist() == [1, 0, 1]
    assert found.labels["labels"].dtype == np.int32
    assert found.lengths.tolist() == [4, 2, 3]


def test_two_texts():
    found = encode(
        get_task("stsb"), pairs(("a b", "c"), ("d", "")), tokenizer(), 16
    )
    assert rows(found) == [[CLS, A, B, SEP, C, SEP], [CLS, D, SEP, SEP]]
    assert rows(found, found.segment_ids) == [[0, 0, 0, 0, 1, 1], [0, 0, 0, 1]]
    assert found.labels["labels"].dtype == np.float32
    assert found.labels["labels"].tolist() == [1.5, 1.5]


def test_as_keras_hub_packs_them():
    import keras_hub

    words = tokenizer()
    texts = [("a b c d e", "f"), ("a", "b c d e f g"), ("a b c d", "e f g h")]
    packer = keras_hub.layers.MultiSegmentPacker(
        8, start_value=CLS, end_value=SEP, truncate="round_robin"
    )
    token_ids, segment_ids = packer(
        tuple(words(list(side)) for side in zip(*texts, strict=True))
    )
    found = encode(get_task("stsb"), pairs(*texts), words, 8)
    got = found.padded(np.arange(3), 8)
    np.testing.assert_array_equal(got["token_ids"], np.asarray(token_ids))
    np.testing.assert_array_equal(got["segment_ids"], np.asarray(segment_ids))


@pytest.mark.parametrize(
    ("lengths", "kept"),
    [
        ([3, 4], [3, 4]),
        ([9, 2], [5, 2]),
        ([2, 9], [2, 5]),
        ([9, 9], [4, 3]),
        ([0, 9], [0, 7]),
    ],
)
def test_the_longer_text_is_cut(lengths, kept):
    assert fit(np.array([lengths]), 7).tolist() == [kept]


def test_one_text_is_cut_to_the_length():
    found = encode(get_task("sst2"), singles("a b c d e"), tokenizer(), 4)
    assert rows(found) == [[CLS, A, B, SEP]]


def test_unlabelled_examples_have_no_labels():
    examples = singles("a", "b", labels=[1, None])
    assert encode(get_task("sst2"), examples, tokenizer(), 8).labels == {}


def test_two_ends_between_the_texts_of_roberta():
    class RobertaTokenizer:
        start_token_id, end_token_id = 0, 2

    assert encode_module.special_ids(RobertaTokenizer()) == (0, 2, 2)
    assert encode_module.special_ids(RobertaTokenizer(), 1) == (0, 2, 0)


def test_bad_input():
    task = get_task("sst2")
    with pytest.raises(UserError, match="no example"):
        encode(task, [], tokenizer(), 8)
    with pytest.raises(UserError, match="max length is 2, expected 3"):
        encode(task, singles("a"), tokenizer(), 2)


def cached(folder, examples=None, words=None, length=8):
    examples = examples or singles("a b", "c")
    return encode(
        get_task("sst2"), examples, words or tokenizer(), length, folder
    )


def entries(folder):
    return sorted(folder.glob("text-*"))


@pytest.fixture
def no_tokenising(monkeypatch):
    def fail(*_):
        raise AssertionError("tokenised again")

    return lambda: monkeypatch.setattr(encode_module, "_tokenise", fail)


def test_the_cache_is_used(tmp_path, no_tokenising):
    first = cached(tmp_path)
    no_tokenising()
    again = cached(tmp_path)
    assert rows(again) == rows(first)
    # Labels are not part of the entry.
    other = cached(tmp_path, singles("a b", "c", labels=[1, 1]))
    assert other.labels["labels"].tolist() == [1, 1]


def test_the_cache_of_something_else_is_not(tmp_path):
    cached(tmp_path)
    other = tokenizer("hgfedcba")
    assert rows(cached(tmp_path, words=other)) == [
        [CLS, 12, 11, SEP],
        [CLS, 10, SEP],
    ]
    assert rows(cached(tmp_path, length=3)) == [[CLS, A, SEP], [CLS, C, SEP]]
    # The same characters, parted otherwise.
    moved = singles("a", "b c")
    assert rows(cached(tmp_path, moved)) == [[CLS, A, SEP], [CLS, B, C, SEP]]
    assert len(entries(tmp_path)) == 4


def test_a_damaged_entry_is_made_again(tmp_path):
    first = rows(cached(tmp_path))
    (entry,) = entries(tmp_path)
    file = entry / "token_ids.npy"
    file.write_bytes(file.read_bytes()[:-4])
    assert rows(cached(tmp_path)) == first
    about = entry / "entry.json"
    facts = json.loads(about.read_text())
    about.write_text(json.dumps(facts | {"identity": {}}))
    assert rows(cached(tmp_path)) == first
    # What a killed process leaves has another name.
    entry.rename(tmp_path / f".tmp-{entry.name}-x")
    assert rows(cached(tmp_path)) == first
    assert len(entries(tmp_path)) == 1


def test_padded():
    found = encoded_of(3, 1, 2)
    got = found.padded(np.array([2, 0]), 4)
    assert got["token_ids"].tolist() == [[2, 2, 99, 99], [0, 0, 0, 99]]
    assert got["padding_mask"].tolist() == [[1, 1, 0, 0], [1, 1, 1, 0]]
    assert {value.dtype for value in got.values()} == {np.dtype("int32")}


def test_parts_are_joined():
    whole = join([encoded_of(2, 3), encoded_of(1), encoded_of(4, 1)])
    expected = [[0] * 2, [1] * 3, [0], [0] * 4, [1]]
    assert rows(whole) == expected
    assert whole.lengths.tolist() == [2, 3, 1, 4, 1]
    assert whole.labels["labels"].tolist() == [0, 1, 0, 0, 1]
    assert whole.pad_id == 99
    unlabelled = dataclasses.replace(encoded_of(1), labels={})
    assert join([encoded_of(2), unlabelled]).labels == {}
    assert rows(join([unlabelled])) == [[0]]


def drawn(batches, epoch):
    steps = range(epoch * len(batches), (epoch + 1) * len(batches))
    return np.concatenate([batches.rows(step) for step in steps])


@pytest.mark.parametrize("count", [1, 8, 9, 50])
def test_an_epoch_holds_every_sequence_once(count):
    random = np.random.default_rng(0)
    batches = Batches(encoded_of(*random.integers(1, 20, count)), 8, seed=3)
    orders = [drawn(batches, epoch) for epoch in range(3)]
    for order in orders:
        assert sorted(order[order >= 0]) == list(range(count))
        assert len(order) == 8 * -(-count // 8)
    if count > 8:
        assert len({tuple(order) for order in orders}) == 3


def test_a_batch_depends_on_seed_and_step_alone():
    random = np.random.default_rng(0)
    encoded = encoded_of(*random.integers(1, 20, 200))
    first = Batches(encoded, 8, seed=1)
    first.rows(90)
    again = Batches(encoded, 8, seed=1)
    assert (first.rows(7) == again.rows(7)).all()
    assert (first.rows(7) != Batches(encoded, 8, seed=2).rows(7)).any()


def test_few_sequences_share_a_bucket():
    lengths = np.random.default_rng(0).integers(1, 20, 100)
    assert len(Batches(encoded_of(*lengths), 8, seed=3).buckets) == 1
    assert len(Batches(encoded_of(*lengths), 4, seed=3).buckets) == 3
    assert len(Batches(encoded_of(*lengths), 4).buckets) == 3
    many = np.random.default_rng(0).integers(1, 40, 200)
    assert len(Batches(encoded_of(*many), 1).buckets) == 16


def test_filler_has_no_weight():
    batches = Batches(encoded_of(4, 4, 4), 2, seed=0)
    weights = [batches.batch(step)[2].tolist() for step in range(2)]
    assert sorted(weights) == [[1.0, 1.0], [2.0, 0.0]]
    inputs, labels, _ = batches.batch(weights.index([2.0, 0.0]))
    assert inputs["token_ids"].shape == (2, 4)
    assert (inputs["token_ids"][:, 0] == labels["labels"]).all()
    assert inputs["padding_mask"].sum(1).tolist() == [4, 0]


def test_a_batch_is_as_long_as_its_bucket():
    lengths = [3] * 10 + [7] * 10 + [8] * 10
    batches = Batches(encoded_of(*lengths), 10, seed=0, buckets=[3, 8])
    shapes = {batches.batch(step)[0]["token_ids"].shape for step in range(3)}
    assert shapes == {(10, 3), (10, 8)}
    assert batches.waste() == pytest.approx(10 / 190)


def test_without_a_seed_the_order_stays():
    batches = Batches(encoded_of(3, 1, 2, 1), 2)
    assert [batches.rows(step).tolist() for step in range(4)] == [
        [1, 3],
        [2, 0],
    ] * 2
    found = [(rows.tolist(), inputs) for rows, inputs in batches.epoch()]
    assert [rows for rows, _ in found] == [[1, 3], [2, 0]]


def test_dataset_gives_those_batches():
    batches = Batches(encoded_of(3, 9, 2, 9, 5, 1), 2, seed=0)
    found = list(batches.dataset(2, 5).as_numpy_iterator())
    assert len(found) == 5
    for step, (inputs, labels, weights) in enumerate(found, 2):
        expected = batches.batch(step)
        for name, value in expected[0].items():
            np.testing.assert_array_equal(inputs[name], value)
        np.testing.assert_array_equal(labels["labels"], expected[1]["labels"])
        np.testing.assert_array_equal(weights, expected[2])


def test_labels_may_be_rows_of_numbers():
    found = encode(
        get_task("sst2"),
        singles("a", "b c", "d", labels=[(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)]),
        tokenizer(),
        16,
    )
    assert found.labels["labels"].tolist() == [[1, 0], [0, 1], [1, 1]]
    assert found.labels["labels"].dtype == np.float32
    batches = Batches(join([found, found]), 4, seed=0)
    steps = batches.dataset(0, 4)
    assert steps.element_spec[1]["labels"].shape == (4, 2)
    for step, (_, labels, weights) in enumerate(steps.as_numpy_iterator()):
        places = np.maximum(batches.rows(step), 0) % 3
        real = weights > 0
        expected = found.labels["labels"][places]
        assert (labels["labels"][real] == expected[real]).all()
        assert weights.shape == (4,)


def test_labels_may_be_of_tokens():
    """Only the tokens that count get a label and a weight."""
    plain = encoded_of(3, 1, 2, labels=np.arange(1, 7, dtype=np.int32))
    counts = np.array([0, 1, 1, 0, 0, 1], bool)
    fields = {f.name: getattr(plain, f.name) for f in dataclasses.fields(plain)}
    encoded = TokenLabels(**fields, counts=counts)
    batches = Batches(join([encoded]), 2)  # By length: rows 1 and 2, 0.
    (_, labels, weights), (inputs, others, filler) = map(batches.batch, (0, 1))
    assert labels["labels"].tolist() == [[0, 0, 0], [0, 6, 0]]
    assert weights.tolist() == [[0, 0, 0], [0, 1, 0]]
    assert others["labels"][0].tolist() == [0, 2, 3]
    assert filler.tolist() == [[0, 1, 1], [0, 0, 0]]
    assert inputs["padding_mask"].tolist() == [[1, 1, 1], [0, 0, 0]]
    several = Batches(encoded, 2, buckets=[2, 3]).dataset(0, 2)
    assert several.element_spec[2].shape.as_list() == [2, None]
    sizes = [each[2].shape for each in several.as_numpy_iterator()]
    assert sizes == [(2, 2), (2, 3)]


def padding(lengths, buckets):
    places = np.searchsorted(buckets, lengths)
    return int((np.array(buckets)[places] - lengths).sum())


def test_best_buckets_are_the_best():
    random = np.random.default_rng(0)
    for _ in range(20):
        lengths = random.integers(1, 12, 30)
        found = best_buckets(lengths, 3)
        known = np.unique(lengths)
        every = itertools.combinations(known[:-1], min(2, len(known) - 1))
        least = min(padding(lengths, [*c, known[-1]]) for c in every)
        assert padding(lengths, found) == least
        assert found == sorted(set(found))
        assert found[-1] == lengths.max()
    assert best_buckets(np.array([4, 4, 9]), 10) == [4, 9]


def test_waste_on_real_sentences():
    file = pathlib.Path(__file__).parents[3] / "shared/data/glue/SST-2"
    if not file.is_dir():
        pytest.skip(f"{file} is not there")
    lines = (file / "train.tsv").read_text("utf-8").splitlines()[1:]
    words = np.array([2 + len(line.split()) for line in lines])
    batches = Batches(encoded_of(*words), 32, seed=1)
    assert batches.waste(600) < 0.15


def test_tokens_that_count_do_so_when_joined():
    plain = encoded_of(3, 2, labels=np.arange(1, 6, dtype=np.int32))
    fields = {f.name: getattr(plain, f.name) for f in dataclasses.fields(plain)}
    first = TokenLabels(**fields, counts=np.array([0, 1, 1, 1, 0], bool))
    other = dataclasses.replace(first, counts=~first.counts)
    whole = join([first, other])
    rows = np.arange(4)
    assert whole.targets(rows, 3)["labels"].tolist() == [
        [0, 2, 3],
        [4, 0, 0],
        [1, 0, 0],
        [0, 5, 0],
    ]
    unlabelled = join([first, dataclasses.replace(other, labels={})])
    assert unlabelled.labels == {}
    weights = [[0, 1, 1], [1, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert unlabelled.weights(rows, 3).tolist() == weights
