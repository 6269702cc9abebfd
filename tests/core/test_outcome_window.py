"""Tests of the windows: what counts, what is forgotten, and what is exported and loaded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from resilience._core.stages.outcome_window import CallCountWindow, OutcomeWindow


def test_a_slice_begins_at_the_instant_at_which_the_last_one_ends() -> None:
    """An outcome at that instant counts in the new slice and is forgotten with it."""
    outcome_window = OutcomeWindow(10.0, 0.0)
    outcome_window.add_success(1.0)
    outcome_window.add_success(1.5)
    assert (outcome_window.counts(11.0), outcome_window.counts(12.0)) == ((2, 0, 0), (0, 0, 0))
    other = OutcomeWindow(10.0, 0.0)
    other.add_success(0.5)
    assert other.counts(20.0) == (0, 0, 0)


def test_another_span_keeps_the_slices_of_before() -> None:
    """A longer span counts all slices, a shorter one those inside it, to within one."""
    for span, counted in ((20.0, 9), (5.0, 6)):
        outcome_window = OutcomeWindow(10.0, 0.0)
        for number in range(9):
            outcome_window.add_success(number + 0.5)
        outcome_window.retune(span, 9.0)
        assert outcome_window.counts(9.0) == (counted, 0, 0)
    outcome_window = OutcomeWindow(10.0, 0.0)
    outcome_window.retune(20.0, 0.0)
    for number in range(10):
        outcome_window.add_success(2.0 * number)
    assert outcome_window.counts(19.9) == (10, 0, 0)


def test_counts_of_another_kind_of_window_stay_out() -> None:
    """Exported counts of another kind of window are ignored."""
    times, calls = OutcomeWindow(10.0, 0.0), CallCountWindow(10, 0.0)
    for window in (times, calls):
        window.add_failure(0.0)
    saved = times.export(0.0), calls.export(0.0)
    times.load(saved[1], 0.0)
    calls.load(saved[0], 0.0)
    assert (times.counts(0.0), calls.counts(0.0)) == ((0, 0, 0), (0, 0, 0))
    calls.load(saved[1], 0.0)
    assert calls.counts(0.0) == (0, 1, 0)


@pytest.mark.parametrize("window", [OutcomeWindow(10.0, 0.0), CallCountWindow(10, 0.0)])
def test_windows_count_clear_export_and_load(window: Any) -> None:
    """Common, rare and slow outcomes are counted, and exported counts are loaded unchanged."""
    for add in ("add_success", "add_failure", "add_slow_success", "add_success"):
        getattr(window, add)(0.5)
    window.close_slice(0.5)
    assert window.counts(1.0) == (3, 1, 1)
    saved = json.loads(json.dumps(window.export(2.0)))
    window.clear(2.0)
    assert window.counts(2.0) == (0, 0, 0)
    window.load(saved, 100.0)
    assert window.counts(100.0) == (3, 1, 1)
    window.add_success(101.0)
    assert window.counts(101.0) == (4, 1, 1)


def test_a_time_window_keeps_the_ages_of_loaded_outcomes() -> None:
    """An outcome nine seconds old is forgotten a second later; one older than the span is not loaded."""
    window = OutcomeWindow(10.0, 0.0)
    window.load({"slices": [[10.0, 7, 7, 7], [9.0, 1, 2, 0], [1.0, 3, 4, 1]]}, 50.0)
    assert window.counts(50.0) == (4, 6, 1)
    assert window.counts(51.5) == (3, 4, 1)
    assert window.counts(70.0) == (0, 0, 0)


def test_a_window_of_calls_keeps_the_positions_of_loaded_outcomes() -> None:
    """A failure two calls old is forgotten with exactly the eighth call from then on."""
    for kind, index in (("failed", 1), ("slow", 2)):
        window = CallCountWindow(10, 0.0)
        window.load({"calls": 5, "failed": [], "slow": [], kind: [2]}, 0.0)
        seen = []
        for _ in range(8):
            window.add_success(0.0)
            seen.append(window.counts(0.0)[index])
        assert seen == [1] * 7 + [0]


def test_retune_of_a_time_window() -> None:
    """A shorter span forgets sooner; a longer one remembers longer from now on."""
    for span, counts in ((5.0, (0, 0, 0)), (20.0, (2, 1, 0))):
        outcome_window = OutcomeWindow(10.0, 0.0)
        outcome_window.add_success(1.0)
        outcome_window.add_success(1.0)
        outcome_window.add_failure(1.0)
        outcome_window.retune(span, 2.0)
        assert outcome_window.counts(2.0) == (2, 1, 0)
        assert outcome_window.counts(8.0) == counts
        assert (outcome_window.span, outcome_window.end) == (span, pytest.approx(8.0 + span / 10, abs=span / 10))


def test_retune_of_a_window_of_calls() -> None:
    """Outcomes that a smaller window had forgotten do not come back."""
    call_count_window = CallCountWindow(2, 0.0)
    for _ in range(4):
        call_count_window.add_success(0.0)
    assert call_count_window.counts(0.0) == (2, 0, 0)
    call_count_window.retune(10, 0.0)
    assert (call_count_window.size, call_count_window.counts(0.0)) == (10, (2, 0, 0))
    call_count_window.add_failure(0.0)
    assert call_count_window.counts(0.0) == (2, 1, 0)
    call_count_window.retune(2, 0.0)
    assert call_count_window.counts(0.0) == (1, 1, 0)


@pytest.mark.parametrize("window", [OutcomeWindow(10.0, 0.0), CallCountWindow(10, 0.0)])
def test_recent_is_what_counts_returns(window: Any) -> None:
    """Whether a slice is due or not, and however much is forgotten, without closing a slice."""
    adds = ("add_success", "add_failure", "add_slow_success", "add_success", "add_failure")
    for step in range(60):
        now = step * 0.7
        getattr(window, adds[step % len(adds)])(now)
        for later in (now, now + 0.9, now + 5.0, now + 100.0)[: 1 + step % 4]:
            end = window.end
            seen = window.recent(later)
            assert window.end == end
            assert seen == window.counts(later)
    window.clear(50.0)
    assert window.recent(50.0) == (0, 0, 0)


def test_a_window_of_calls_counts_what_was_bad_for_ever() -> None:
    """So that a reader sees at once that nothing was."""
    window = CallCountWindow(2, 0.0)
    window.add_success(0.0)
    for _ in range(3):
        window.add_failure(0.0)
        window.add_slow_success(0.0)
    window.clear(0.0)
    assert (window.failures, window.slow) == (3, 3)


def test_what_has_left_the_span_is_dropped() -> None:
    """However long it counts, and however long it rests in between, no mark from before its span is kept."""
    outcome_window = OutcomeWindow(10.0, 0.0)
    for instant in [*map(float, range(100)), 150.0, 150.5, 190.0]:
        outcome_window.add_success(instant)
        begins = [mark[0] for mark in outcome_window._own_marks()]
        assert sum(begin <= instant - 10.0 for begin in begins) <= 1
        assert outcome_window.counts(instant)[0] == outcome_window.recent(instant)[0]
    assert outcome_window.counts(190.0) == (1, 0, 0)


def test_a_new_window_is_read_before_its_first_slice_has_ended() -> None:
    """Also without a lock, also when that is long over, and it may be exported and retuned."""
    for ended in (0.5, 10.0, 10.9, 30.0):
        window = OutcomeWindow(10.0, 0.0)
        window.add_success(0.25)
        window.add_success(0.5)
        counted = (2, 0, 0) if ended < 11.0 else (0, 0, 0)
        assert (window.recent(ended), window.counts(ended)) == (counted, counted)
    window = OutcomeWindow(10.0, 0.0)
    window.add_success(0.5)
    window.retune(20.0, 0.5)
    assert window.export(0.75) == {"slices": [[0.0, 1, 0, 0]]}
    assert window.counts(19.0) == (1, 0, 0)
