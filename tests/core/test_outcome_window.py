"""Windows at their edges: what is inside, what is forgotten, what another kind of window saved."""

from __future__ import annotations

import json
from typing import Any

import pytest

from resilience._core.stages.outcome_window import CallCountWindow, OutcomeWindow


def test_a_slice_begins_at_the_instant_at_which_the_last_one_ends() -> None:
    """What is counted at that very instant is in the new slice, and is forgotten with it."""
    outcome_window = OutcomeWindow(10.0, 0.0)
    outcome_window.add_common(1.0)
    outcome_window.add_common(1.5)
    assert (outcome_window.counts(11.0), outcome_window.counts(12.0)) == ((2, 0, 0), (0, 0, 0))
    other = OutcomeWindow(10.0, 0.0)
    other.add_common(0.5)
    assert other.counts(20.0) == (0, 0, 0)


def test_another_span_keeps_the_slices_of_before() -> None:
    """A longer span counts them all, a shorter one those inside it to within one; later ones are counted in full."""
    for span, counted in ((20.0, 9), (5.0, 6)):
        outcome_window = OutcomeWindow(10.0, 0.0)
        for number in range(9):
            outcome_window.add_common(number + 0.5)
        outcome_window.retune(span, 9.0)
        assert outcome_window.counts(9.0) == (counted, 0, 0)
    outcome_window = OutcomeWindow(10.0, 0.0)
    outcome_window.retune(20.0, 0.0)
    for number in range(10):
        outcome_window.add_common(2.0 * number)
    assert outcome_window.counts(19.9) == (10, 0, 0)


def test_counts_of_another_kind_of_window_stay_out() -> None:
    """A policy may have changed its window since they were saved."""
    times, calls = OutcomeWindow(10.0, 0.0), CallCountWindow(10, 0.0)
    for one in (times, calls):
        one.add_rare(0.0)
    saved = times.export(0.0), calls.export(0.0)
    times.load(saved[1], 0.0)
    calls.load(saved[0], 0.0)
    assert (times.counts(0.0), calls.counts(0.0)) == ((0, 0, 0), (0, 0, 0))
    calls.load(saved[1], 0.0)
    assert calls.counts(0.0) == (0, 1, 0)


@pytest.mark.parametrize("window", [OutcomeWindow(10.0, 0.0), CallCountWindow(10, 0.0)])
def test_windows_count_forget_and_travel(window: Any) -> None:
    """Common, rare and slow things, and the same counts after a journey."""
    for add in ("add_common", "add_rare", "add_slow", "add_common"):
        getattr(window, add)(0.5)
    window.close_slice(0.5)
    assert window.counts(1.0) == (3, 1, 1)
    saved = json.loads(json.dumps(window.export(2.0)))
    window.clear(2.0)
    assert window.counts(2.0) == (0, 0, 0)
    window.load(saved, 100.0)
    assert window.counts(100.0) == (3, 1, 1)
    window.add_common(101.0)
    assert window.counts(101.0) == (4, 1, 1)


def test_a_time_window_keeps_the_ages_of_what_it_took() -> None:
    """What was nine seconds ago is forgotten a second later; what was longer ago than its span stays out."""
    window = OutcomeWindow(10.0, 0.0)
    window.load({"slices": [[10.0, 7, 7, 7], [9.0, 1, 2, 0], [1.0, 3, 4, 1]]}, 50.0)
    assert window.counts(50.0) == (4, 6, 1)
    assert window.counts(51.5) == (3, 4, 1)
    assert window.counts(70.0) == (0, 0, 0)


def test_a_window_of_calls_keeps_the_places_of_what_it_took() -> None:
    """A failure that was two calls ago is forgotten with the eighth call from then on, no earlier and no later."""
    for kind, place in (("failed", 1), ("slow", 2)):
        window = CallCountWindow(10, 0.0)
        window.load({"calls": 5, "failed": [], "slow": [], kind: [2]}, 0.0)
        seen = []
        for _ in range(8):
            window.add_common(0.0)
            seen.append(window.counts(0.0)[place])
        assert seen == [1] * 7 + [0]


def test_a_window_of_time_takes_another_span() -> None:
    """A shorter one forgets sooner, a longer one remembers longer from now on."""
    for span, counts in ((5.0, (0, 0, 0)), (20.0, (2, 1, 0))):
        outcome_window = OutcomeWindow(10.0, 0.0)
        outcome_window.add_common(1.0)
        outcome_window.add_common(1.0)
        outcome_window.add_rare(1.0)
        outcome_window.retune(span, 2.0)
        assert outcome_window.counts(2.0) == (2, 1, 0)
        assert outcome_window.counts(8.0) == counts
        assert (outcome_window.span, outcome_window.end) == (span, pytest.approx(8.0 + span / 10, abs=span / 10))


def test_a_window_of_calls_takes_another_number() -> None:
    """What a smaller one had forgotten does not come back."""
    call_count_window = CallCountWindow(2, 0.0)
    for _ in range(4):
        call_count_window.add_common(0.0)
    assert call_count_window.counts(0.0) == (2, 0, 0)
    call_count_window.retune(10, 0.0)
    assert (call_count_window.size, call_count_window.counts(0.0)) == (10, (2, 0, 0))
    call_count_window.add_rare(0.0)
    assert call_count_window.counts(0.0) == (2, 1, 0)
    call_count_window.retune(2, 0.0)
    assert call_count_window.counts(0.0) == (1, 1, 0)
