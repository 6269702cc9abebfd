"""Tests of when attempts begin and end, computed from the settings alone."""

from __future__ import annotations

from typing import Any

import pytest
import tenacity

from resilience import Policy
from resilience._core.call.timeline import timeline
from resilience._core.stages.retry import attempts_of, waits_of

BACKOFF = {"kind": "constant", "initial": 4, "jitter": "equal"}


def new_policy(**given: Any) -> Policy:
    """Return a policy of three attempts, two to four seconds apart, each of three seconds at most."""
    retry = {"max_attempts": 3, "backoff": BACKOFF}
    return Policy(**{"deadline": 9, "attempt_timeout": 3, "retry": retry, **given})


@pytest.mark.parametrize(
    ("whole", "rows"),
    [
        (False, [(1, 0, 0, 3, True, False), (2, 2, 7, 9, True, True), (3, 4, 9, 9, False, True)]),
        (True, [(1, 0, 0, 3, True, False), (2, 2, 6, 9, False, True), (3, 4, 6, 9, False, True)]),
    ],
)
def test_attempts_at_the_earliest_and_at_the_latest(whole: bool, rows: list[tuple[Any, ...]]) -> None:
    """The deadline cuts attempts; one that needs its whole timeout begins that long before the deadline."""
    found = timeline(new_policy(), whole=whole)
    assert [
        (
            one["attempt"],
            one["begins"]["earliest"],
            one["begins"]["latest"],
            one["ends_by"],
            one["always_fits"],
            one["cut_by_deadline"],
        )
        for one in found
    ] == rows


def test_an_attempt_that_cannot_begin_is_not_listed() -> None:
    """Its earliest instant is the deadline, or its timeout does not fit before it."""
    four = {"max_attempts": 4, "backoff": BACKOFF}
    counts = [
        len(timeline(new_policy(deadline=end, retry=four), whole=one)) for end in (6, 6.1) for one in (False, True)
    ]
    assert counts == [3, 2, 4, 2]
    assert timeline(new_policy(deadline=None, attempt_timeout=None, retry=None)) == [
        {
            "attempt": 1, "waits": {"least": 0.0, "longest": 0.0}, "begins": {"earliest": 0.0, "latest": 0.0},
            "ends_by": None, "always_fits": True, "cut_by_deadline": False,
        }
    ]  # fmt: skip


def test_a_user_object_makes_the_timeline_unknown() -> None:
    """A stop object leaves the number of attempts unknown, a wait object the delays."""
    assert (attempts_of(new_policy()), attempts_of(new_policy(retry=None)), waits_of(new_policy(retry=None))) == (
        3,
        1,
        [],
    )
    stops = new_policy(retry={"stop": tenacity.stop_never})
    assert (attempts_of(stops), waits_of(stops)) == (None, [])
    assert waits_of(new_policy(retry={"wait": tenacity.wait_none()})) == []
    assert (waits_of(new_policy()), len(waits_of(new_policy(retry={"max_attempts": 99})))) == ([(2.0, 4.0)] * 2, 20)


def test_a_write_that_is_looked_up_needs_all_of_an_attempt() -> None:
    """The last attempt of a write that is looked up begins early enough for its whole timeout."""
    retry = {"max_attempts": 3, "backoff": {"initial": 3, "jitter": "none"}}
    settings = new_policy(deadline=10, attempt_timeout=4, retry=retry)
    assert [row["always_fits"] for row in timeline(settings)] == [True, True, False]
    assert [row["cut_by_deadline"] for row in timeline(settings)] == [False, True, True]
    assert [row["always_fits"] for row in timeline(settings, whole=True)] == [True, False]


def test_a_policy_without_limits() -> None:
    """Without a deadline and an attempt timeout the ends are unknown."""
    (row,) = timeline(Policy())
    assert (row["ends_by"], row["always_fits"], row["cut_by_deadline"]) == (None, True, False)
