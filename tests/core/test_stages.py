"""Tests of the stages when a signal handler interrupts a change on its own thread, which holds the lock."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest

from resilience._core.policy.sections import AdmissionSettings, BreakerSettings
from resilience._core.stages import breaker_changes, outcome_window, pybreaker_state
from resilience._core.stages.admission import Admission
from resilience._core.stages.breaker import Breaker
from resilience._core.stages.outcome_window import OutcomeWindow
from resilience._core.stages.pybreaker_state import BreakerState
from resilience._core.stages.rate_window import RateWindow
from resilience.testing import FakeClock


def test_a_handler_may_exceed_the_limit_of_attempts() -> None:
    """It enters at once instead of waiting for the lock that its thread holds."""
    admission = Admission(AdmissionSettings(max_concurrent=1))
    slots = [admission.new_slot("") for _ in range(3)]
    assert admission.try_enter(slots[0])
    with admission._lock:
        assert admission.try_enter(slots[1])
        assert admission.join_queue(slots[2], lambda: None) is False
    assert admission.running == set(slots)
    admission._wake([admission.new_slot("")])  # one that nobody waits for


def test_a_handlers_switch_is_obeyed_at_once_and_recorded_later() -> None:
    """The change that it interrupted is complete before its own is made."""
    breaker = Breaker(BreakerSettings(open_for=5), FakeClock().monotonic)
    with breaker._lock:
        breaker.open()
        assert breaker.admit(0.0) is None
    assert breaker.admit(0.0) is None
    breaker.close()
    assert breaker.admit(0.0) is not None
    permit = breaker.generation
    with breaker._lock:
        breaker.failed(permit, 0.0)
    breaker.succeeded(breaker.generation, 0.0)


def test_a_change_that_a_handler_defers_while_the_lock_is_released() -> None:
    """It is applied as well."""
    breaker = Breaker(BreakerSettings(open_for=5), FakeClock().monotonic)
    applied: list[str] = []

    def change() -> None:
        applied.append("change")
        if len(applied) == 1:
            breaker._locked(change)  # the lock is mine: deferred

    breaker._locked(change)
    assert applied == ["change", "change"]


def test_another_thread_that_empties_the_queue_of_notices() -> None:
    """Nothing is emitted twice, and nothing raises."""
    breaker = Breaker(BreakerSettings(), FakeClock().monotonic)

    class Emptied(deque[Any]):
        def popleft(self) -> Any:
            raise IndexError

    breaker._states.queue = Emptied([None])
    breaker.emit(lambda *_args, **_fields: pytest.fail("nothing is left to emit"), len)


def test_a_handlers_send_counts_in_the_quota() -> None:
    """While the window is in the middle of a change, and while its sends are being replaced."""
    window = RateWindow(2, 1.0)
    with window._lock:
        assert window.take(0.0) == 0.0
        window._late = []
        assert window.take(0.0) == 0.0
        assert window._late == [0.0]
        assert window.take(0.0) == 1.0
        window._late = None
    assert list(window.sends) == [0.0, 0.0]


def test_a_ticket_whose_owner_is_gone_holds_nobody_up() -> None:
    """It is passed over until it is removed."""
    window = RateWindow(1, 1.0)
    assert window.take(0.0) == 0.0
    ticket = window.queue(0.0, 1)
    waiting = window.ready_at(0.0)
    ticket.gone = True
    assert window.ready_at(0.0) <= waiting


def test_two_threads_make_pybreakers_object(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one made is kept."""
    state = BreakerState("mine", 1.0, lambda: (0, 0))
    make, first = pybreaker_state._pybreaker, object()

    def make_late(*args: Any) -> Any:
        state._real = first  # type: ignore[assignment]  # what the other thread made
        return make(*args)

    monkeypatch.setattr(pybreaker_state, "_pybreaker", make_late)
    assert state.load() is first


def test_two_threads_make_the_parts_of_a_breaker(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first ones made are kept: no lock is taken twice, and no permit is lost."""
    breaker = Breaker(BreakerSettings(consecutive=1), FakeClock().monotonic)
    make, first = breaker_changes.new_parts, breaker_changes.new_parts("first", 1.0, lambda: 0)

    def make_late(*args: Any) -> Any:
        breaker._parts = first  # what the other thread made
        return make(*args)

    monkeypatch.setattr(breaker_changes, "new_parts", make_late)
    assert breaker.permits is first.trials.permits


def test_two_threads_make_the_parts_of_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first lock is kept, and the first marks; `clear` may have made them."""
    window = OutcomeWindow(10.0, 0.0)
    new_lock, new_marks, first = outcome_window.new_lock, outcome_window._new_marks, outcome_window.new_lock()

    def new_lock_late() -> Any:
        window._lock = first  # what the other thread made
        return new_lock()

    def new_marks_late(*marks: Any) -> Any:
        monkeypatch.setattr(outcome_window, "_new_marks", new_marks)
        window.add_success(0.5)
        window.clear(0.5)
        return new_marks(*marks)

    monkeypatch.setattr(outcome_window, "new_lock", new_lock_late)
    monkeypatch.setattr(outcome_window, "_new_marks", new_marks_late)
    window.close_slice(2.0)
    assert window._lock is first
    assert window.counts(2.0) == (0, 0, 0)
