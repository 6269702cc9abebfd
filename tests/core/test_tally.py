"""A count without a lock: nobody's number is lost, whoever reads meanwhile."""

from __future__ import annotations

from threading import Thread

from resilience._core.stages.counter import Counter


def test_reading_does_not_count() -> None:
    """What is read any number of times stays what it was."""
    tally = Counter()
    assert [tally.seen(), tally.seen()] == [0, 0]
    next(tally.numbers)
    next(tally.numbers)
    assert [tally.seen(), tally.seen()] == [2, 2]
    assert tally.take() == 3
    assert tally.seen() == 3


def test_skipped_things_count() -> None:
    """A tally goes on from the count of another one."""
    tally = Counter()
    tally.skip(10)
    assert tally.take() == 11
    assert tally.seen() == 11


def test_many_threads_count_while_others_read() -> None:
    """The sum is exact, and what a reader sees never goes back."""
    tally, each, threads, seen = Counter(), 5000, 8, [0]

    def count() -> None:
        for _ in range(each):
            next(tally.numbers)

    def read() -> None:
        while seen[-1] < each * threads:
            seen.append(tally.seen())

    running = [Thread(target=one) for one in (*[count] * threads, read)]
    for one in running:
        one.start()
    for one in running:
        one.join()
    assert tally.seen() == each * threads
    assert seen == sorted(seen)
