"""Tests of a breaker's exported state: what is accepted, and the errors about everything else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from resilience._core.policy.sections import BreakerSettings
from resilience._core.stages.breaker import Breaker
from resilience._core.stages.breaker_snapshot import Snapshot, read_snapshot
from resilience.testing import FakeClock

GOOD: dict[str, Any] = {
    "version": 2, "state": "open", "isolated": False, "left": 1.5, "open_for": 2, "consecutive_failures": 3,
    "successes": 0,
    "window": {"slices": [[9.5, 3, 1, 2], [9.5, 0, 0, 0], [0, 1, 1, 1]]},
}  # fmt: skip
CALLS: dict[str, Any] = {"calls": 5, "failed": [4, 2], "slow": [3, 0]}
RIGHT = {
    "version": [2],
    "state": ["closed", "open", "half-open"],
    "isolated": [True, False],
    "left": [0, 0.0, 7, 1e9],
    "open_for": [0, 1.5],
    "consecutive_failures": [0, 1, 2**53],
    "successes": [0, 2**53],
    "window": [
        {"slices": []},
        {"slices": ()},
        {"slices": [(1, 2, 0, 2)]},
        {"slices": [[0, 0, 0, 0]] * 100_000},
        CALLS,
        {"calls": 0, "failed": [], "slow": ()},
        {"calls": 100_000, "failed": [99_999], "slow": []},
    ],
}
WRONG: dict[str, tuple[str, list[Any]]] = {
    "version": ("1 or 2", [0, 3, True, "1", None, 1.0, 2.0, [2]]),
    "state": ("one of closed, open, half-open", ["Open", 3, None, ["open"]]),
    "isolated": ("true or false", [0, 1, None, "false"]),
    "left": ("seconds", [-1, -0.1, float("nan"), float("inf"), True, "1", None]),
    "open_for": ("seconds", [-1, False, "1"]),
    "consecutive_failures": ("a count", [-1, 1.0, True, 2**53 + 1, "1"]),
    "successes": ("a count", [-1, False, None]),
    "window": (
        "the counts of a window",
        [
            None,
            [],
            {},
            {"slices": [], "calls": 0},
            {"slices": "text"},
            {"slices": {}},
            {"slices": [3]},
            {"slices": [[1, 2, 0]]},
            {"slices": [[1, 2, 0, 0, 0]]},
            {"slices": [[-1, 2, 0, 0]]},
            {"slices": [[1, -2, 0, 0]]},
            {"slices": [[1, 2.5, 0, 0]]},
            {"slices": [[1, 2, 0.5, 0]]},
            {"slices": [[1, 2, 0, None]]},
            {"slices": [[1, 2, 0, 3]]},
            {"slices": [[1, 0, 0, 0], [2, 0, 0, 0]]},
            {"slices": [[0, 0, 0, 0]] * 100_001},
            {"calls": 5, "failed": []},
            {**CALLS, "calls": -1},
            {**CALLS, "calls": 100_001},
            {**CALLS, "calls": 4},
            {**CALLS, "calls": "5"},
            {**CALLS, "failed": [2, 4]},
            {**CALLS, "failed": [2, 2]},
            {**CALLS, "failed": "42"},
            {**CALLS, "failed": [4, 3]},
            {**CALLS, "slow": [-1]},
            {**CALLS, "slow": {3: 0}},
        ],
    ),
}


def test_the_examples_are_right() -> None:
    """A saved state is read back unchanged."""
    assert read_snapshot(GOOD) == Snapshot(**GOOD)
    assert read_snapshot(GOOD | {"isolated": True}).isolated


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in RIGHT.items() for value in values],
    ids=lambda value: repr(value)[:40],
)
def test_each_part_may_be_any_of_these(name: str, value: Any) -> None:
    """Each field takes these values, including the ends of its range."""
    saved = GOOD | {name: value}
    assert getattr(read_snapshot(saved), name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, (_, values) in WRONG.items() for value in values],
    ids=lambda value: repr(value)[:40],
)
def test_a_part_that_is_wrong_is_named(name: str, value: Any) -> None:
    """The error names the wrong field, what was expected, and the beginning of its value."""
    with pytest.raises(ValueError, match="not a breaker's state: ") as caught:
        read_snapshot(GOOD | {name: value})
    message = str(caught.value).removeprefix("not a breaker's state: ")
    assert message == f"{name}: expected {WRONG[name][0]}, got {value!r}"[:200]


def test_every_mistake_is_named_at_once() -> None:
    """The error lists missing fields, unknown fields, and fields that contradict each other."""
    with pytest.raises(ValueError, match="not a breaker's state") as caught:
        read_snapshot(
            {"odd": 1, **GOOD, "left": -1} | {"state": "closed", "isolated": True} | {"consecutive_failures": -1}
        )
    assert str(caught.value) == (
        "not a breaker's state: unknown 'odd'; left: expected seconds, got -1; "
        "consecutive_failures: expected a count, got -1"
    )
    with pytest.raises(ValueError, match=r"^not a breaker's state: isolated: a closed breaker cannot be isolated$"):
        read_snapshot(GOOD | {"state": "closed", "isolated": True})
    with pytest.raises(ValueError, match=r"^not a breaker's state: window is missing$"):
        read_snapshot({name: value for name, value in GOOD.items() if name != "window"})
    with pytest.raises(ValueError, match=r"^a breaker's state must be a mapping, not a list$"):
        read_snapshot([])


def test_the_spelling_of_0_1_is_read() -> None:
    """Version 1: its `streak` is the number of consecutive failures. It is data, so there is no warning."""
    old = {("streak" if name == "consecutive_failures" else name): value for name, value in GOOD.items()}
    assert read_snapshot(old | {"version": 1}) == read_snapshot(GOOD)
    with pytest.raises(ValueError, match="unknown 'streak'; consecutive_failures is missing"):
        read_snapshot(old)
    with pytest.raises(ValueError, match="unknown 'streak'"):
        read_snapshot(old | {"version": 1, "consecutive_failures": 3})
    assert read_snapshot(GOOD | {"version": 1}) == read_snapshot(GOOD)


def new_breaker(clock: FakeClock | None = None, **rules: Any) -> Breaker:
    """Return a breaker with these rules on this clock."""
    return Breaker(BreakerSettings(**rules), (clock or FakeClock()).monotonic)


def test_an_open_breaker_stays_open_for_the_rest_of_its_time() -> None:
    """In another process with another clock it rejects for the rest of the open time, and then makes a trial."""
    clock, later = FakeClock(), FakeClock(start=9000.0)
    breaker = new_breaker(clock, consecutive=1, open_for=2.0, open_max=8.0)
    breaker.failed(breaker.generation, 0.0)
    clock.advance(2.0)
    trial = breaker.admit(clock.monotonic())
    assert trial is not None
    breaker.failed(trial, clock.monotonic())
    clock.advance(1.5)
    theirs = new_breaker(later, consecutive=1, open_for=2.0, open_max=8.0)
    theirs.restore(json.loads(json.dumps(breaker.export())))
    assert theirs.generation == 0
    assert theirs.state == "open"
    assert theirs.ready_at(9000.0) == 9002.5
    assert theirs.describe()["opens_for"] == 4.0


def test_counts_of_another_kind_of_window_are_left_out() -> None:
    """If the policy's window has changed, the state is restored and the counts begin empty."""
    ours, theirs = new_breaker(window="5 calls"), new_breaker(window=10.0)
    ours.failed(ours.generation, 0.0)
    theirs.restore(ours.export())
    assert theirs.describe()["settled"] == {"succeeded": 0, "failed": 0, "slow": 0}
    ours.restore(theirs.export())
    assert ours.describe()["consecutive_failures"] == 1


def test_a_closed_state_closes_an_open_breaker() -> None:
    """The breaker has the restored state, whatever its state was."""
    clock = FakeClock()
    breaker = new_breaker(clock, consecutive=1)
    saved = breaker.export()
    breaker.isolate()
    isolated = breaker.export()
    breaker.restore(saved)
    assert breaker.state == "closed"
    breaker.restore(isolated)
    assert (breaker.state, breaker.ready_at(0.0)) == ("isolated", float("inf"))
    half_open = {**isolated, "isolated": False, "state": "half-open", "successes": 1}
    breaker.restore(half_open)
    assert (breaker.state, breaker.describe()["trials_succeeded"]) == ("half-open", 1)


WINDOW: dict[str, Any] = {"calls": 3, "failed": [2], "slow": [0]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 3}, "version: expected 1 or 2, got 3"),
        ({"version": True}, "version: expected 1 or 2"),
        ({"state": "ajar"}, "state: expected one of closed, open, half-open, got 'ajar'"),
        ({"state": ["open"]}, "state: expected one of"),
        ({"isolated": 1}, "isolated: expected true or false"),
        ({"isolated": True, "state": "closed"}, "isolated: a closed breaker cannot be isolated"),
        ({"left": -1}, "left: expected seconds"),
        ({"left": float("nan")}, "left: expected seconds"),
        ({"open_for": "1s"}, "open_for: expected seconds"),
        ({"consecutive_failures": 1.5}, "consecutive_failures: expected a count"),
        ({"successes": -1}, "successes: expected a count"),
        ({"more": 1}, "unknown 'more'"),
        ({"window": None}, "window: expected the counts of a window"),
        ({"window": {}}, "window:"),
        ({"window": {"slices": 3}}, "window:"),
        ({"window": {"slices": [[1, 2, 3]]}}, "window:"),
        ({"window": {"slices": [3]}}, "window:"),
        ({"window": {"slices": [["x", 2, 3, 0]]}}, "window:"),
        ({"window": {"slices": [[1, 2, 3, -1]]}}, "window:"),
        ({"window": {"slices": [[1, 2, 3, 3]]}}, "window:"),
        ({"window": {"slices": [[1, 2, 3, 0], [2, 2, 3, 0]]}}, "window:"),
        ({"window": {**WINDOW, "calls": -1}}, "window:"),
        ({"window": {**WINDOW, "calls": 10**9}}, "window:"),
        ({"window": {**WINDOW, "failed": 1}}, "window:"),
        ({"window": {**WINDOW, "failed": [3]}}, "window:"),
        ({"window": {**WINDOW, "failed": [1, 2]}}, "window:"),
        ({"window": {**WINDOW, "slow": [2]}}, "window:"),
    ],
)
def test_a_wrong_state_is_rejected_and_changes_nothing(change: dict[str, Any], message: str) -> None:
    """The error names the wrong field, and the breaker is unchanged."""
    breaker = new_breaker(window="5 calls", consecutive=3)
    breaker.failed(breaker.generation, 0.0)
    before = breaker.export()
    with pytest.raises(ValueError, match="not a breaker's state: ") as caught:
        breaker.restore({**before, **change})
    assert message in str(caught.value)
    assert breaker.export() == before
    assert breaker.generation


def test_what_is_no_mapping_or_lacks_a_field_is_rejected() -> None:
    """A list and an incomplete mapping raise a ValueError."""
    breaker = new_breaker()
    with pytest.raises(ValueError, match="a breaker's state must be a mapping, not a list"):
        breaker.restore([])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"version is missing; state is missing"):
        breaker.restore({})
