"""Tests of when attempts begin and end, computed from the settings alone."""

from __future__ import annotations

from typing import Any

import pytest
import tenacity

from resilience import Policy, Stage
from resilience._core.call.operation_info import OperationInfo
from resilience._core.call.timeline import attempts_of, describe_rules, timeline, waits_of

BACKOFF = {"kind": "constant", "initial": 4, "jitter": "equal"}


def policy(**given: Any) -> Policy:
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
    """The deadline cuts them; one that needs all of its time begins that much before it."""
    found = timeline(policy(), whole=whole)
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
    """Its earliest instant is the deadline, or its time does not fit."""
    four = {"max_attempts": 4, "backoff": BACKOFF}
    counts = [len(timeline(policy(deadline=end, retry=four), whole=one)) for end in (6, 6.1) for one in (False, True)]
    assert counts == [3, 2, 4, 2]
    assert timeline(policy(deadline=None, attempt_timeout=None, retry=None)) == [
        {
            "attempt": 1, "waits": {"least": 0.0, "longest": 0.0}, "begins": {"earliest": 0.0, "latest": 0.0},
            "ends_by": None, "always_fits": True, "cut_by_deadline": False,
        }
    ]  # fmt: skip


def test_where_an_object_decides_nothing_is_known() -> None:
    """Of how many, or of how long."""
    assert (attempts_of(policy()), attempts_of(policy(retry=None)), waits_of(policy(retry=None))) == (3, 1, [])
    stops = policy(retry={"stop": tenacity.stop_never})
    assert (attempts_of(stops), waits_of(stops)) == (None, [])
    assert waits_of(policy(retry={"wait": tenacity.wait_none()})) == []
    assert (waits_of(policy()), len(waits_of(policy(retry={"max_attempts": 99})))) == ([(2.0, 4.0)] * 2, 20)


def test_the_sections_around_the_attempts() -> None:
    """Stages by their names, whoever made them."""
    described = describe_rules(policy(stages=(Stage(), ("pause", {}))), OperationInfo(operation="op"))
    assert (described["stages"], described["hedge"], described["fallback"], described["reconcile"]["fence"]) == (
        ["Stage", "pause"],
        None,
        None,
        65.0,
    )


def test_a_write_that_is_looked_up_needs_all_of_an_attempt() -> None:
    """The last attempt of a write that is looked up begins early enough for its whole timeout."""
    retry = {"max_attempts": 3, "backoff": {"initial": 3, "jitter": "none"}}
    settings = policy(deadline=10, attempt_timeout=4, retry=retry)
    assert [row["always_fits"] for row in timeline(settings)] == [True, True, False]
    assert [row["cut_by_deadline"] for row in timeline(settings)] == [False, True, True]
    assert [row["always_fits"] for row in timeline(settings, whole=True)] == [True, False]


def test_a_policy_without_limits() -> None:
    """Without a deadline and an attempt timeout the ends are unknown."""
    (row,) = timeline(Policy())
    assert (row["ends_by"], row["always_fits"], row["cut_by_deadline"]) == (None, True, False)
