"""The parts of the loop that need no model: clock, time left, signals."""

import os
import signal

import pytest

from tfminilm.train import progress, throughput
from tfminilm.train.signals import Signals
from tfminilm.train.throughput import ThroughputMeter


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets: `clock(7.0)`."""
    now = [0.0]
    monkeypatch.setattr(throughput.time, "monotonic", lambda: now[0])

    def tick(seconds):
        now[0] = seconds

    return tick


def test_seconds_go_on_where_they_were(clock):
    clock(100.0)
    meter = ThroughputMeter(before=30.0)
    clock(105.0)
    assert meter.seconds() == 35.0


def test_speed_without_tracing_and_evaluation(clock):
    meter = ThroughputMeter()
    meter.resume()
    clock(60.0)  # The first batch is traced.
    meter.count(100)
    for now in (61.0, 62.0):
        clock(now)
        meter.count(100)
    clock(90.0)  # An evaluation.
    meter.resume()
    clock(92.0)
    meter.count(200)
    assert meter.tokens_per_second() == pytest.approx(400 / 4)
    clock(93.0)
    meter.count(50)
    assert meter.tokens_per_second() == pytest.approx(50)


def test_a_line_a_report(clock, capsys):
    with (
        progress.Progress() as shown,
        shown.training(steps=110, first_step=0) as bar,
    ):
        clock(60.0)
        bar.update(1, 3.0)  # A minute of tracing, which is no time left.
        for step in range(2, 12):
            clock(58.0 + 2 * step)
            bar.update(step, 2.0)
            losses = {"relation": 1.5, "loss": 2.0}
            bar.report(step, losses, 1234.4, lambda speed: speed / 2000)
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("step 2 of 110: loss 2.0000, relation 1.5000, ")
    assert last == (
        "step 10 of 110: loss 2.0000, relation 1.5000, 1,234 tokens/s, "
        "62% of the matrix rate, 3 min 20 s left"
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(59, "59 s"), (61, "1 min 1 s"), (3600 * 30 + 120, "30 h 2 min")],
)
def test_duration(seconds, text):
    assert progress._duration(seconds) == text


def test_signals_are_noted_and_the_second_stops():
    before = signal.getsignal(signal.SIGTERM)
    with Signals() as signals:
        assert not signals.stop
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.stop
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before
