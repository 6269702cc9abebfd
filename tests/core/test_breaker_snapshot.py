"""Tests of a breaker's exported state: what is accepted, and what the errors say of everything else."""

from __future__ import annotations

from typing import Any

import pytest

from resilience._core.stages.breaker_snapshot import Snapshot, read_snapshot

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
    """What is read is what was saved."""
    assert read_snapshot(GOOD) == Snapshot(**GOOD)
    assert read_snapshot(GOOD | {"isolated": True}).isolated


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in RIGHT.items() for value in values],
    ids=lambda one: repr(one)[:40],
)
def test_each_part_may_be_any_of_these(name: str, value: Any) -> None:
    """At the ends of its range as well."""
    saved = GOOD | {name: value}
    assert getattr(read_snapshot(saved), name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, (_, values) in WRONG.items() for value in values],
    ids=lambda one: repr(one)[:40],
)
def test_a_part_that_is_wrong_is_named(name: str, value: Any) -> None:
    """With what would be right, and a part of what it is."""
    with pytest.raises(ValueError, match="not a breaker's state: ") as caught:
        read_snapshot(GOOD | {name: value})
    told = str(caught.value).removeprefix("not a breaker's state: ")
    assert told == f"{name}: expected {WRONG[name][0]}, got {value!r}"[:200]


def test_every_mistake_is_named_at_once() -> None:
    """What is missing, what is unknown, and what cannot be together."""
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
