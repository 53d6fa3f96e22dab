"""Timing in turns."""

import itertools

import pytest

from tfminilm.errors import UserError
from tfminilm.export.litert import latency


def test_files_in_turns(float_file, int8_file):
    measured = latency.measure_latencies(
        [float_file, int8_file], lengths=[32], repeats=12
    )
    assert set(measured) == {str(float_file), str(int8_file)}
    for by_length in measured.values():
        assert set(by_length) == {32}
        taken = by_length[32]
        assert 0 < taken.fastest <= taken.median <= taken.p95
        assert taken.repeats == 12


def test_all_lengths_by_default(float_file):
    measured = latency.measure_latency(float_file, repeats=1)
    assert set(measured) == {8, 32}


def test_interleave_takes_turns_and_times_each():
    clock = [0.0]
    order = []

    def call(name, seconds):
        def run():
            order.append(name)
            clock[0] += seconds

        return run

    measured = latency.interleave(
        {"slow": call("slow", 0.5), "quick": call("quick", 0.1)},
        repeats=25,
        clock=lambda: clock[0],
        warmup=5,
    )
    assert measured["slow"].median == pytest.approx(500)
    assert measured["quick"].p95 == pytest.approx(100)
    # Five runs to warm up, and one more in front of each block.
    assert order.count("slow") == order.count("quick") == 5 + 25 + 3
    changes = sum(a != b for a, b in itertools.pairwise(order))
    assert changes == 2 + 2 * 3 - 1


def test_bad_requests(float_file, tmp_path):
    with pytest.raises(UserError, match="no signature of length 9"):
        latency.measure_latency(float_file, [9])
    with pytest.raises(UserError, match="repeats is 0"):
        latency.measure_latency(float_file, repeats=0)
    with pytest.raises(UserError, match="no such file"):
        latency.measure_latency(tmp_path / "none.tflite")
