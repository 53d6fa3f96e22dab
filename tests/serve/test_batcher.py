"""Texts of many requests run in batches of one length."""

import asyncio
import time

import pytest

from tfminilm.errors import UserError
from tfminilm.serve.batcher import Batcher
from tfminilm.serve.metrics import Metrics


def run(steered, asks, max_batch=4, wait=0.0, models=1):
    """Send one text a request, all at once; return the answers."""

    async def main():
        batcher = Batcher([steered] * models, max_batch, wait, Metrics())
        steered.may_run.clear()
        # The model is busy with this one while the others arrive.
        first = asyncio.create_task(batcher.predict([("x",)]))
        await asyncio.to_thread(steered.has_begun.wait, 10)
        others = [
            asyncio.create_task(batcher.predict([(text,)])) for text in asks
        ]
        await asyncio.sleep(0)
        steered.may_run.set()
        answers = await asyncio.gather(*others, return_exceptions=True)
        await first
        await batcher.close()
        return answers

    return asyncio.run(main())


def test_texts_of_one_length_run_together(steered):
    answers = run(steered, ["aa", "bbbbbb", "c", "dddddddd"])
    assert steered.batches == [["x"], ["aa", "c"], ["bbbbbb", "dddddddd"]]
    assert [found[0].score for (found, _) in answers] == [2.0, 6.0, 1.0, 8.0]
    assert [tokens for (_, tokens) in answers] == [2, 6, 1, 8]


def test_a_batch_is_a_power_of_two_and_no_larger_than_allowed(steered):
    run(steered, list("abcdefg"))
    assert [*map(len, steered.batches)] == [1, 4, 2, 1]
    assert steered.batches[1:] == [[*"abcd"], [*"ef"], ["g"]]


def test_the_text_that_waited_longest_comes_first(steered):
    run(steered, ["long text", "a", "b", "c", "d"])
    assert steered.batches[1] == ["long text"]


def test_a_text_at_fault_costs_the_others_nothing(steered):
    fine, bad, broken, last = run(steered, ["a", "bad", "broken", "d"])
    assert fine[0][0].score == last[0][0].score == 1.0
    assert isinstance(bad, UserError)
    assert isinstance(broken, RuntimeError)


@pytest.mark.filterwarnings("error")
def test_all_texts_of_a_request_at_fault_are_heard(steered):
    async def main():
        batcher = Batcher([steered], 4, 0.0, Metrics())
        with pytest.raises(UserError):
            await batcher.predict([("bad",), ("a",), ("bad",)])
        await batcher.close()

    asyncio.run(main())


def test_an_idle_model_waits_for_a_batch_but_not_for_long(steered):
    async def main():
        batcher = Batcher([steered], 4, 0.3, Metrics())
        start = time.monotonic()
        await asyncio.gather(*(batcher.predict([(x,)]) for x in "ab"))
        waited = time.monotonic() - start
        start = time.monotonic()
        await asyncio.gather(*(batcher.predict([(x,)]) for x in "abcd"))
        full = time.monotonic() - start
        await batcher.close()
        return waited, full

    waited, full = asyncio.run(main())
    assert steered.batches == [["a", "b"], ["a", "b", "c", "d"]]
    assert full < 0.3 <= waited


def test_a_cancelled_request_costs_the_others_nothing(steered):
    async def main():
        batcher = Batcher([steered], 4, 0.0, Metrics())
        steered.may_run.clear()
        running = asyncio.create_task(batcher.predict([("x",)]))
        await asyncio.to_thread(steered.has_begun.wait, 10)
        waiting, other, long = (
            asyncio.create_task(batcher.predict([(text,)]))
            for text in ("a", "b", "a long text")
        )
        await asyncio.sleep(0)
        running.cancel()
        waiting.cancel()
        steered.may_run.set()
        answers = [await asyncio.wait_for(x, 10) for x in (other, long)]
        await batcher.close()
        return [found.score for ((found,), _) in answers]

    assert asyncio.run(main()) == [1.0, 11.0]


def test_what_nobody_waits_for_is_not_computed(steered):
    async def main():
        batcher = Batcher([steered], 4, 0.0, Metrics())
        steered.may_run.clear()
        running, left, other = (
            asyncio.create_task(batcher.predict([(x,) for x in texts]))
            for texts in (["x"], ["a", "b", "a long text"], ["c"])
        )
        await asyncio.to_thread(steered.has_begun.wait, 10)
        left.cancel()
        with pytest.raises(asyncio.CancelledError):
            await left
        waiting = batcher.num_waiting
        steered.may_run.set()
        await asyncio.gather(running, other)
        await batcher.close()
        return waiting

    assert asyncio.run(main()) == 1
    assert steered.batches == [["x"], ["c"]]


@pytest.mark.parametrize("pace", [1.0, 0.0])
def test_a_large_request_lets_a_later_small_one_pass(steered, pace):
    """What comes after its first texts were read comes before the others."""

    async def main():
        batcher = Batcher([steered], 2, 0.0, Metrics())
        batcher._pace = pace
        steered.may_run.clear()
        large = asyncio.create_task(batcher.predict([(x,) for x in "abcdef"]))
        await asyncio.to_thread(steered.has_begun.wait, 10)
        small = asyncio.create_task(batcher.predict([("s",)]))
        await asyncio.sleep(0)
        steered.may_run.set()
        await asyncio.gather(large, small)
        await batcher.close()

    asyncio.run(main())
    wanted = [*"absc"] if pace else [*"abcdef"]
    begun = [text for batch in steered.batches for text in batch]
    assert begun[: len(wanted)] == wanted


def test_a_large_request_has_its_turn_among_many_small_ones(steered):
    async def main():
        batcher = Batcher([steered], 1, 0.0, Metrics())
        batcher._pace = 0.001
        large = asyncio.create_task(batcher.predict([(x,) for x in "ab"]))
        small = []
        while not large.done():
            small.append(asyncio.create_task(batcher.predict([("s",)])))
            small.append(asyncio.create_task(batcher.predict([("s",)])))
            await asyncio.sleep(0.001)
        count = batcher.num_waiting
        await asyncio.gather(*small)
        await batcher.close()
        return count

    steered.seconds = 0.002
    assert asyncio.run(main()) > 0


def test_what_waits_when_it_stops_is_not_computed(steered):
    async def main():
        batcher = Batcher([steered], 4, 0.0, Metrics())
        steered.may_run.clear()
        running, waiting = (
            asyncio.create_task(batcher.predict([(text,)]))
            for text in ("a", "a long text")
        )
        await asyncio.to_thread(steered.has_begun.wait, 10)
        running.cancel()
        closing = asyncio.create_task(batcher.close())
        await asyncio.sleep(0)
        steered.may_run.set()
        await asyncio.wait_for(closing, 10)
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())
    assert steered.batches == [["a"]]


def test_each_copy_computes_a_batch_at_once(steered):
    async def main():
        batcher = Batcher([steered, steered], 1, 0.0, Metrics())
        steered.may_run.clear()
        tasks = [asyncio.create_task(batcher.predict([(x,)])) for x in "abc"]
        await asyncio.sleep(0.05)
        waiting = batcher.num_waiting
        steered.may_run.set()
        await asyncio.gather(*tasks)
        await batcher.close()
        return waiting

    assert asyncio.run(main()) == 1
