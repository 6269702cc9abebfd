"""Tests of the lock-free counter: no count is lost while others read."""

from __future__ import annotations

from threading import Thread

from resilience._core.stages.counter import Counter


def test_reading_does_not_count() -> None:
    """What is read any number of times stays what it was."""
    counter = Counter()
    assert [counter.total(), counter.total()] == [0, 0]
    next(counter.numbers)
    next(counter.numbers)
    assert [counter.total(), counter.total()] == [2, 2]
    assert counter.next_number() == 3
    assert counter.total() == 3


def test_things_that_are_added_count() -> None:
    """A counter can continue from the count of another."""
    counter = Counter()
    counter.add(10)
    assert counter.next_number() == 11
    assert counter.total() == 11


def test_many_threads_count_while_others_read() -> None:
    """The sum is exact, and what a reader sees never goes back."""
    counter, each, threads, seen = Counter(), 5000, 8, [0]

    def count() -> None:
        for _ in range(each):
            next(counter.numbers)

    def read() -> None:
        while seen[-1] < each * threads:
            seen.append(counter.total())

    running = [Thread(target=function) for function in (*[count] * threads, read)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert counter.total() == each * threads
    assert seen == sorted(seen)
