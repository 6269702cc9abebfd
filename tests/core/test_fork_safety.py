"""Tests of the reset in a forked child, in one process; `tests/pipeline/issues/test_a_forked_child.py` forks."""

from __future__ import annotations

from threading import Thread
from weakref import WeakSet

import pytest

from resilience._core.base import fork_safety
from resilience._core.policy.sections import AdmissionSettings, BreakerSettings
from resilience._core.stages.admission import Admission
from resilience._core.stages.breaker import Breaker, Permit
from resilience._core.stages.hold import Hold, Holds
from resilience._core.stages.rate_window import RateWindow
from resilience.testing import FakeClock


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fork_safety, "_LOCKS", WeakSet())
    monkeypatch.setattr(fork_safety, "_PARTS", WeakSet())


def test_slots_begin_anew() -> None:
    """Running and waiting calls of the parent are gone; releasing a slot from before counts nowhere."""
    admission = Admission(AdmissionSettings(max_concurrent=1, max_queue=1))
    slot, waiter, later = (admission.new_slot("") for _ in range(3))
    assert admission.try_enter(slot)
    assert admission.join_queue(waiter, lambda: None)
    fork_safety._reset_child()
    assert admission.counts()[""] == {"running": 0, "waiting": 0}
    first = admission.new_slot("")
    assert admission.try_enter(first)
    admission.release(slot)
    assert not admission.settle(waiter)
    assert admission.counts()[""] == {"running": 1, "waiting": 0}
    assert not admission.try_enter(later)


def test_locks_are_free_and_queues_empty() -> None:
    """A window whose lock was held admits the next attempt; the queue is empty, and earlier sends count."""
    rate_window = RateWindow(1, 1.0)
    assert rate_window.take(0.0) == 0.0
    rate_window.queue(0.0, 1)
    rate_window._lock.acquire()
    fork_safety._reset_child()
    assert rate_window.take(0.5) == 1.0
    assert rate_window.take(1.0) == 1.0


def test_holds_go_on() -> None:
    """A child knows the holds of its parent, and their lock is free, whichever thread of the parent held it."""
    holds = Holds()
    operation = holds.of("a", None, "get", "p")
    hold = Hold("host", "a", "", "get", 5.0, "ban")
    operation.start(0.0, hold)
    thread = Thread(target=holds._lock.acquire)
    thread.start()
    thread.join()
    fork_safety._reset_child()
    assert holds.of("a", None, "post", "p").ready_at(0.0) == 5.0
    assert operation.end_over(5.0) == [hold]


def test_permits_come_back() -> None:
    """The trials of other threads are released, and their ends change nothing."""
    clock = FakeClock()
    breaker = Breaker(BreakerSettings(), clock.monotonic)
    breaker.open()
    clock.advance(60)
    lost = breaker.admit(clock.monotonic())
    assert lost is not None
    assert breaker.admit(clock.monotonic()) is None
    fork_safety._reset_child()
    breaker.failed(lost, clock.monotonic())
    assert breaker.state == "half-open"
    assert isinstance(breaker.admit(clock.monotonic()), Permit)
