import json
import resource
import shutil

import numpy as np
import pytest

from tfminilm import data
from tfminilm.commands import main
from tfminilm.data import shards
from tfminilm.errors import UserError


@pytest.fixture
def copied(prepared, tmp_path):
    """A copy of the shards, to be damaged."""
    return shutil.copytree(prepared, tmp_path / "copied")


@pytest.fixture
def open_copy(copied, tokenizer):
    return lambda **more: shards.open_shards(
        copied, **{"tokenizer": tokenizer, "sequence_length": 16} | more
    )


@pytest.fixture(scope="module")
def of_tiny(prepared, make_shards, tmp_path_factory):
    """Shards for the teachers of smoke runs."""
    folder = tmp_path_factory.mktemp("tiny") / "shards"
    text = prepared.parent / "text"
    make_shards(text, folder, tokenizer="tiny:bert", sequence_length=32)
    return folder


def change(folder, **values):
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def first_shard(folder):
    return json.loads((folder / "manifest.json").read_text())["train"][
        "shards"
    ][0]


def test_rows_are_those_of_the_whole_in_any_order(open_copy):
    rows = open_copy().train.token_ids
    whole = rows[:]
    assert whole.shape == rows.shape
    assert whole.dtype == np.int32
    order = np.random.default_rng(0).permutation(len(whole))
    np.testing.assert_array_equal(rows[order], whole[order])
    np.testing.assert_array_equal(rows[5:50:7], whole[5:50:7])
    assert rows[:0].shape == (0, 16)


def test_batches_are_those_of_a_matrix(open_copy):
    text = open_copy().train
    matrix = data.PackedText(text.token_ids[:], text.num_tokens)
    last = 3 * len(text) // 8
    for step in (0, 5, last):
        ours = data.batch(text, step, 8, seed=4)
        theirs = data.batch(matrix, step, 8, seed=4)
        for name, value in theirs.items():
            np.testing.assert_array_equal(ours[name], value)


def test_more_workers_than_shards(open_copy):
    """A worker's share is of the batch, so every one has work."""
    text = open_copy().held_out
    order = np.array_split(data.batch(text, 0, 64, 0)["token_ids"], 64)
    assert all(len(share) == 1 for share in order)


def test_a_part_of_them_is_spread_over_all(open_copy):
    text = open_copy(max_tokens=100)
    every = open_copy().train.token_ids
    rows = np.arange(7) * len(every) // 7
    np.testing.assert_array_equal(text.train.token_ids[:], every[rows])
    assert text.train.token_ids.shape == (7, 16)
    assert text.train.num_tokens == 7 * 14
    assert len(text.held_out) == len(open_copy().held_out)


def test_progress_tells_of_all_bytes(open_copy, copied):
    told = []
    open_copy(progress=told.append)
    sizes = [path.stat().st_size for path in copied.glob("*.array_record")]
    assert told[-1] == sum(sizes)
    assert told == sorted(told)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "bytes, exp"),
        (
            lambda path: path.write_bytes(
                path.read_bytes()[:900] + b"?" + path.read_bytes()[901:]
            ),
            "checksum differs",
        ),
    ],
)
def test_a_damaged_shard_is_named(damage, message, copied, open_copy):
    name = first_shard(copied)["file"]
    damage(copied / name)
    with pytest.raises(UserError, match=f"{name}.*{message}"):
        open_copy()


@pytest.mark.parametrize(
    "name", ["../outside.array_record", "/etc/passwd", "", "a/b", ".."]
)
def test_files_outside_of_the_folder_are_refused(name, copied, open_copy):
    shard = first_shard(copied) | {"file": name}
    split = {"documents": 1, "tokens": 1, "sequences": shard["sequences"]}
    change(copied, train=split | {"shards": [shard]})
    with pytest.raises(UserError, match="is no file name in its folder"):
        open_copy()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format": 2}, "has format 2.*upgrade"),
        ({"format": "new"}, 'format is "new", expected a whole number'),
        ({"dtype": "O"}, "dtype is 'O'"),
        ({"train": []}, "damaged"),
        ({"train": {"documents": 1, "tokens": 1}}, "damaged"),
    ],
)
def test_a_bad_manifest(values, message, copied, open_copy):
    change(copied, **values)
    with pytest.raises(UserError, match=message):
        open_copy()


def test_a_manifest_that_does_not_add_up(copied, open_copy):
    shard = first_shard(copied)
    split = {"documents": 1, "tokens": 1, "sequences": 10**6}
    change(copied, train=split | {"shards": [shard]})
    with pytest.raises(UserError, match="do not add up"):
        open_copy()


def test_no_manifest(tmp_path, tokenizer):
    with pytest.raises(UserError, match="holds no shards"):
        shards.open_shards(tmp_path, tokenizer, 16)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        shards.open_shards(tmp_path, tokenizer, 16)


def test_another_tokenizer(open_copy, make_tokenizer):
    with pytest.raises(UserError, match=r"prepare shards with --tokenizer"):
        open_copy(tokenizer=make_tokenizer(["another"]))


def test_another_length(open_copy):
    with pytest.raises(UserError, match=r"set data.sequence_length to 16"):
        open_copy(sequence_length=32)


def test_too_many_shards_to_open(open_copy, monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (203, 4096))
    with pytest.raises(UserError, match=r"ulimit -n .*--shard_megabytes"):
        open_copy()


def test_shards_are_no_text_to_read(prepared):
    with pytest.raises(UserError, match="packed text, which stages on text"):
        data.documents(f"shards:{prepared}")


@pytest.fixture
def arguments(of_tiny):
    return [
        "distill",
        "--config=mlm_kd_l6_h384:smoke",
        f"--config.data.source=shards:{of_tiny}",
    ]


def test_masks_text_of_shards(open_copy, tokenizer):
    text = open_copy()
    masking = data.Masking.of(tokenizer)
    batches = data.masked_dataset(text.train, 4, 0, 2, 1, masking)
    [(inputs, labels, weights)] = batches.as_numpy_iterator()
    plain = data.batch(text.train, 2, 4, 0)["token_ids"]
    positions = inputs["mask_positions"]
    original = np.take_along_axis(plain, positions, axis=1)
    assert weights.any()
    np.testing.assert_array_equal(labels, original * (weights > 0))


def test_the_recipe_is_of_another_length(arguments, tmp_path, capsys):
    more = ["--config.data.sequence_length=64", f"--workdir={tmp_path}"]
    assert main([*arguments, *more]) == 1
    assert "set data.sequence_length to 32" in capsys.readouterr().err


@pytest.mark.slow  # Compiles and trains.
def test_distils_from_shards(arguments, of_tiny, tmp_path):
    assert main([*arguments, f"--workdir={tmp_path}"]) == 0
    kept = json.loads((tmp_path / "held_out.json").read_text())
    assert kept["sentences"] == list(shards.Manifest.load(of_tiny).sentences)
