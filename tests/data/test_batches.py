import itertools
import subprocess
import sys
import time

import numpy as np
import pytest

from tfminilm.data import PackedText, batch, dataset, held_out_batches
from tfminilm.errors import UserError


def packed(count, length=4):
    """Sequence i is filled with i."""
    token_ids = np.repeat(np.arange(count, dtype=np.int32)[:, None], length, 1)
    return PackedText(token_ids, count * length)


def drawn(text, step, batch_size, seed):
    return batch(text, step, batch_size, seed)["token_ids"][:, 0].tolist()


@pytest.mark.parametrize(("count", "batch_size"), [(7, 3), (6, 3), (2, 5)])
def test_each_epoch_is_a_permutation_of_its_own(count, batch_size):
    steps = 6 * count
    order = list(
        itertools.chain.from_iterable(
            drawn(packed(count), step, batch_size, 0) for step in range(steps)
        )
    )
    epochs = [
        tuple(order[start : start + count])
        for start in range(0, len(order), count)
    ]
    assert all(sorted(epoch) == list(range(count)) for epoch in epochs)
    assert len(set(epochs)) > 1


def test_a_batch_depends_on_seed_and_step_alone():
    text = packed(1000)
    first = drawn(text, 5, 32, 0)
    drawn(text, 900, 32, 3)
    assert drawn(text, 5, 32, 0) == first
    assert drawn(text, 6, 32, 0) != first
    assert drawn(text, 5, 32, 1) != first
    # An epoch's order is not another seed's next one.
    assert drawn(text, 0, 1000, 0) != drawn(text, 1, 1000, 0)
    assert drawn(text, 1, 1000, 0) != drawn(text, 0, 1000, 1)


def test_a_batch_has_every_input_and_no_padding():
    found = batch(packed(3), 0, 2, 0)
    assert sorted(found) == ["padding_mask", "segment_ids", "token_ids"]
    assert all(value.shape == (2, 4) for value in found.values())
    assert all(value.dtype == np.int32 for value in found.values())
    assert (found["padding_mask"] == 1).all()
    assert (found["segment_ids"] == 0).all()


def test_dataset_gives_those_batches_with_static_shapes():
    text = packed(10)
    batches = dataset(text, 3, 7, 0, 9)
    assert batches.cardinality() == 9
    for spec in batches.element_spec.values():
        assert spec.shape == (3, 4)
        assert spec.dtype.name == "int32"
    found = list(batches.as_numpy_iterator())
    assert len(found) == 9
    for step, one in enumerate(found):
        for name, value in batch(text, step, 3, 7).items():
            np.testing.assert_array_equal(one[name], value)


def test_dataset_from_a_later_step_is_the_tail():
    text = packed(10)
    whole = list(dataset(text, 3, 7, 0, 20).as_numpy_iterator())
    tail = list(dataset(text, 3, 7, 13, 7).as_numpy_iterator())
    assert len(tail) == 7
    for one, other in zip(whole[13:], tail, strict=True):
        np.testing.assert_array_equal(one["token_ids"], other["token_ids"])


def test_dataset_without_steps_is_an_epoch_and_then_the_next_one():
    text = packed(7)
    batches = dataset(text, 3)
    assert batches.cardinality() == 3
    for epoch in range(3):
        found = [
            one["token_ids"][:, 0].tolist()
            for one in batches.as_numpy_iterator()
        ]
        steps = range(3 * epoch, 3 * epoch + 3)
        assert found == [drawn(text, step, 3, 0) for step in steps]
        if epoch == 0:
            assert set(itertools.chain.from_iterable(found)) == set(range(7))


def test_dataset_is_fast_and_starts_anywhere_at_once():
    text = packed(5000, length=128)
    start = time.perf_counter()
    next(iter(dataset(text, 32, 0, 10**9, 1)))
    assert time.perf_counter() - start < 1
    start = time.perf_counter()
    steps = sum(1 for _ in dataset(text, 32, 0, 0, 500))
    rate = steps * 32 * 128 / (time.perf_counter() - start)
    assert rate > 1_000_000  # tokens a second


def held_out(*arguments):
    return [
        one["token_ids"][:, 0].tolist() for one in held_out_batches(*arguments)
    ]


def test_held_out_batches_lie_evenly_over_the_part():
    assert held_out(packed(12), 3, 2) == [[0, 2, 4], [6, 8, 10]]
    assert held_out(packed(12), 3, 2) == held_out(packed(12), 3, 2)
    assert held_out(packed(6), 3) == [[0, 1, 2], [3, 4, 5]]
    # All batches are full: no second shape to compile for.
    assert held_out(packed(8), 3, 9) == [[0, 1, 2], [4, 5, 6]]


def test_held_out_batches_of_few_sequences():
    assert held_out(packed(2), 3, 4) == [[0, 1]]
    assert held_out(packed(3), 3, 4) == [[0, 1, 2]]
    (only,) = held_out_batches(packed(2), 3)
    assert {value.shape for value in only.values()} == {(2, 4)}
    assert held_out(packed(2), 3, 0) == []


def test_nothing_to_draw_from():
    for use in (
        lambda: batch(packed(0), 0, 2, 0),
        lambda: dataset(packed(0), 2, 0, 0, 1),
        lambda: held_out_batches(packed(0), 2),
    ):
        with pytest.raises(UserError, match="has no sequence"):
            use()


def test_importing_the_room_is_light():
    code = (
        "import sys, tfminilm.data; "
        "print([m for m in ('tensorflow', 'keras', 'keras_hub', "
        "'tensorflow_datasets') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
