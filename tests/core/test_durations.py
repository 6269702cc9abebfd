"""Tests of durations: their buckets, what is kept one by one, and what happens beside each other."""

from __future__ import annotations

import threading

from resilience._core.stages.durations import BOUNDS, Durations, merged


def test_each_duration_is_in_one_bucket() -> None:
    """A bucket ends with its bound; the last one has none."""
    durations = Durations()
    for seconds in (0.0, 0.005, 0.006, 60.0, 61.0):
        durations.add(seconds, now=0.0)
    counts, total = durations.read()
    assert (len(counts), counts[0], counts[1], counts[-2], counts[-1]) == (len(BOUNDS) + 1, 2, 1, 1, 1)
    assert total == 0.0 + 0.005 + 0.006 + 60.0 + 61.0


def test_no_more_than_a_second_is_kept_one_by_one() -> None:
    """The first duration after that fills the buckets, whether anybody reads or not."""
    durations = Durations()
    durations.add(1.0, now=10.0)  # the first one begins a slice
    for now in (10.1, 10.9):
        durations.add(1.0, now=now)
    assert len(durations.samples) == 2
    durations.add(1.0, now=11.0)
    assert durations.samples == []
    assert sum(durations.read().counts) == 4


def test_the_last_ones_can_be_read_one_by_one() -> None:
    """As many as are kept, and those that are new; others only count."""
    durations = Durations(2)
    durations.add(1.0, now=0.0)
    assert durations.since(0) == ([1.0], 1)
    for seconds in (2.0, 3.0, 4.0):
        durations.add(seconds, now=0.5)
    assert durations.since(1) == ([3.0, 4.0], 4)
    assert durations.since(4) == ([], 4)
    durations.keep(1)  # no fewer
    durations.keep(3)
    durations.add(5.0, now=0.6)
    assert durations.since(2) == ([3.0, 4.0, 5.0], 5)


def test_a_thread_that_fills_the_buckets_is_not_waited_for() -> None:
    """A call leaves it to that thread, and its duration is there later."""
    durations = Durations()
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with durations._lock:
            entered.set()
            leave.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert entered.wait(30)
    durations.add(1.0, now=0.0)
    assert durations.samples == [1.0]
    leave.set()
    thread.join()
    assert sum(durations.read().counts) == 1


def test_no_duration_is_lost_between_threads() -> None:
    """Four threads that add and one that reads count each duration once."""
    durations = Durations(1)

    def add() -> None:
        for number in range(5_000):
            durations.add(0.001, now=float(number))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        durations.read()
    for thread in threads:
        thread.join()
    assert sum(durations.read().counts) == 20_000


def test_several_are_read_together() -> None:
    """Their buckets are added up."""
    several = (Durations(), Durations())
    for seconds, durations in zip((1.0, 2.0), several, strict=True):
        durations.add(seconds, now=0.0)
    assert (sum(merged(several).counts), merged(several).total) == (2, 3.0)
