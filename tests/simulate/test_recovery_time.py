"""When requests have recovered: shares of requests decide, not of half seconds."""

from __future__ import annotations

import pytest

from resilience.simulate.recovery_time import find_recovery


def recovery(good: list[bool], *, every: float, over: float | None = None, first: float = 0.1) -> float | None:
    """Return the recovery of requests at a constant rate."""
    begun = [first + index * every for index in range(len(good))]
    end = len(good) * every + first if over is None else over
    return find_recovery(begun, good, end, 0.95).seconds()


@pytest.mark.parametrize("every", [0.001, 0.05, 0.5, 1.0, 4.0, 20.0])
def test_all_good(every: float) -> None:
    """At any rate, requests that are all good have recovered at once."""
    assert recovery([True] * max(30, int(30 / every)), every=every) == 0.0


@pytest.mark.parametrize(("every", "seconds"), [(0.01, 3.0), (0.1, 3.0), (0.5, 3.0), (1.0, 2.5), (2.0, 2.5)])
def test_bad_for_three_seconds(every: float, seconds: float) -> None:
    """A quiet client is not well again later than a busy one; the resolution is its own rate."""
    bad = [False for index in range(int(3 / every + 1)) if index * every < 2.9]
    assert recovery(bad + [True] * int(40 / every), every=every) == seconds


def test_one_late_failure_of_a_quiet_client() -> None:
    """One of twenty is within the share, wherever it is; two that are apart from each other are not."""
    assert recovery([True] * 30 + [False] + [True] * 19, every=1.0) == 0.0
    assert recovery([True] * 30 + [False] + [True] * 4 + [False] + [True] * 14, every=1.0) == 30.5


def test_the_next_request_comes_late() -> None:
    """Before the next request nothing can be seen, and the recovery says how long that is."""
    seen = find_recovery([18.2, 30.0, 42.0], [True, True, True], 78.0, 0.95)
    assert (seen.idle, seen.after, seen.well, seen.seconds()) == (18.0, 18.0, 60.0, 18.0)


def test_what_is_too_short() -> None:
    """Requests must be good for five seconds, and some must have begun."""
    assert recovery([True] * 4, every=1.0) is None
    assert recovery([True] * 5, every=1.0) == 0.0
    assert recovery([False] * 10, every=1.0) is None
    assert recovery([True] * 9 + [False, False], every=1.0) is None
    assert recovery([], every=1.0, over=20.0) is None
    assert recovery([True], every=1.0, over=-1.0) is None
