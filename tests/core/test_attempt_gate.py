"""Tests of the attempt gate, step by step: what it takes, what it releases, and what it checks after a wait."""

from __future__ import annotations

from typing import Any

from resilience import AdmissionRejectedError, CircuitOpenError, Pipeline, Policy, QuotaExceededError
from resilience._core.call.attempt_gate import AttemptGate
from resilience._core.call.operation_info import OperationInfo
from resilience._core.call.steps import Action, FailedCall
from resilience._core.stages.rate_window import QueueTicket, RateWindow
from resilience.testing import FakeClock


class Parts:
    """A policy and its parts on a fake clock."""

    def __init__(self, **policy: Any) -> None:
        self.clock = FakeClock()
        self.pipeline = Pipeline(Policy(name="p", **policy), clock=self.clock)
        self.plan = self.pipeline.plan(len, OperationInfo(operation="op"))
        self.breaker = self.plan.breaker
        assert self.plan.gate.admission is not None
        self.admission = self.plan.gate.admission

    def gate(self, within: float = 60.0) -> AttemptGate:
        """Begin before the first step."""
        return AttemptGate(self.plan.gate, FailedCall("op", (), {}, None), self.clock.monotonic() + within)

    def state(self) -> tuple[int, int, int]:
        """Return (sends left, running, waiting)."""
        assert self.plan.gate.quotas is not None
        left = self.plan.gate.quotas.entries[0].left(self.clock.monotonic())
        counts = self.admission.counts()[""]
        return left, counts["running"], counts["waiting"]


QUOTA: Any = [{"rate": 2, "burst": 2}]  # two in any second
SLOTS: Any = {"max_concurrent": 1, "max_queue": 5, "queue_timeout": 2}


def test_an_attempt_takes_and_releases() -> None:
    """An attempt consumes quota, holds a slot while it runs, and releases the slot once."""
    house = Parts(quota=QUOTA, admission=SLOTS)
    gate = house.gate()
    assert gate.next_step() == (Action.SEND, None)
    assert house.state() == (1, 1, 0)
    gate.release_slot()
    gate.release_slot()
    assert house.state() == (1, 0, 0)


def test_a_call_waiting_for_a_slot_has_consumed_no_quota() -> None:
    """It waits no longer than the queue or the deadline allows, and consumes quota when it is admitted."""
    house = Parts(quota=QUOTA, admission=SLOTS)
    first, second, hasty = house.gate(), house.gate(), house.gate(0.5)
    first.next_step()
    woken: list[str] = []
    assert second.next_step() == (Action.PARK, 2.0)
    assert second.join_queue(lambda: woken.append("second"))
    assert hasty.next_step() == (Action.PARK, 0.5)
    assert house.state() == (1, 1, 1)
    first.release_slot()
    assert woken == ["second"]
    assert second.next_step() == (Action.SEND, None)
    assert house.state() == (0, 1, 0)


def test_the_quota_is_checked_again_after_the_queue() -> None:
    """Quota consumed by others meanwhile: it releases the slot and waits without one."""
    house = Parts(quota=QUOTA, admission=SLOTS)
    first, second = house.gate(), house.gate()
    first.next_step()
    second.next_step()
    second.join_queue(lambda: None)
    assert house.plan.gate.quotas is not None
    assert house.plan.gate.quotas.entries[0].common.take(0.0) == 0.0
    first.release_slot()
    assert second.next_step() == (Action.WAIT, 1.0)
    assert house.state() == (0, 0, 0)
    house.clock.advance(1)
    assert second.next_step() == (Action.SEND, None)
    assert second.waited == 1.0


def test_a_wait_that_is_cut_short_counts_as_waited() -> None:
    """In tests that skip waits, the time of the call goes on."""
    house = Parts(quota=QUOTA, admission=SLOTS)
    gates = [house.gate() for _ in range(3)]
    for gate in gates[:2]:
        gate.next_step()
        gate.release_slot()
    assert gates[2].next_step() == (Action.WAIT, 1.0)
    assert gates[2].next_step() == (Action.SEND, None)
    assert (gates[2].time_ahead, gates[2].now) == (1.0, 1.0)


def test_a_hold_off_during_the_wait() -> None:
    """It waits longer, or is rejected if its deadline is nearer; its ticket is cancelled then."""
    house = Parts(quota=QUOTA, admission=SLOTS)
    assert house.plan.gate.quotas is not None
    quota = house.plan.gate.quotas.entries[0]
    house.gate().next_step()
    house.plan.gate.quotas.hold(0.0, 5.0)
    wait_for_breaker, hasty = house.gate(), house.gate(8.0)
    assert [wait_for_breaker.next_step(), hasty.next_step()] == [(Action.WAIT, 5.0), (Action.WAIT, 5.0)]
    house.clock.advance(5)
    house.plan.gate.quotas.hold(5.0, 10.0)
    assert wait_for_breaker.next_step() == (Action.WAIT, 5.0)
    assert hasty.next_step().action is Action.RAISE
    assert isinstance(hasty.rejection, QuotaExceededError)
    assert quota.common.ready_at(5.0) == 10.0


def test_a_ticket_moves_to_the_slower_window() -> None:
    """If another window becomes the slowest, the ticket moves to the queue of that window."""
    house = Parts(quota=[*QUOTA, {"rate": 1, "burst": 3}], admission=SLOTS)
    assert house.plan.gate.quotas is not None
    first, second = (entry.common for entry in house.plan.gate.quotas.entries)
    for _ in range(2):
        first.take(0.0)
    gate = house.gate()
    assert gate.next_step() == (Action.WAIT, 1.0)
    for _ in range(3):
        second.take(0.0)
    house.clock.advance(1)
    assert gate.next_step() == (Action.WAIT, 2.0)
    assert not first.fast_path
    assert first.take(1.0) == 1.0
    assert first.fast_path
    house.clock.advance(2)
    assert gate.next_step() == (Action.SEND, None)


def test_an_open_breaker_consumes_nothing() -> None:
    """The breaker is checked first; if the last permit is gone later, everything taken is released."""
    house = Parts(quota=QUOTA, admission=SLOTS, breaker={"consecutive": 1, "open_for": "1s"})
    assert house.breaker is not None
    house.breaker.open()
    shut = house.gate()
    assert shut.next_step().action is Action.RAISE
    assert isinstance(shut.rejection, CircuitOpenError)
    house.clock.advance(2)
    trial = house.gate()
    assert trial.next_step().action is Action.SEND
    house.admission.retune(Policy(admission={"max_concurrent": 5}).admission)  # type: ignore[arg-type]
    late = house.gate()
    assert late.next_step().action is Action.RAISE
    assert isinstance(late.rejection, CircuitOpenError)
    assert house.state() == (1, 1, 0)
    trial.withdraw()
    assert house.state() == (2, 0, 0)
    assert house.gate().next_step().action is Action.SEND


def test_a_full_queue_and_a_queue_that_is_too_slow() -> None:
    """A call is rejected at once, or at the end of its time in the queue; nothing of it stays."""
    house = Parts(quota=QUOTA, admission={**SLOTS, "max_queue": 1})
    house.gate().next_step()
    slow, late = house.gate(), house.gate()
    slow.next_step()
    assert slow.join_queue(lambda: None)
    late.next_step()
    assert not late.join_queue(lambda: None)
    assert late.next_step().action is Action.RAISE
    assert slow.next_step().action is Action.RAISE
    assert isinstance(slow.rejection, AdmissionRejectedError)
    assert house.state() == (1, 1, 0)


def test_withdrawing_releases_everything() -> None:
    """Withdrawal works in every state: waiting for quota, queued, granted in the queue, with a slot."""
    house = Parts(quota=QUOTA, admission=SLOTS, breaker={})
    runs, stands, granted = house.gate(), house.gate(), house.gate()
    runs.next_step()
    for gate in (granted, stands):
        gate.next_step()
        gate.join_queue(lambda: None)
    runs.release_slot()
    granted.withdraw()
    stands.withdraw()
    assert house.state() == (1, 0, 0)
    other = house.gate()
    other.next_step()
    other.release_slot()
    waits = house.gate()
    assert waits.next_step().action is Action.WAIT
    waits.withdraw()
    house.clock.advance(1)
    assert house.state() == (2, 0, 0)
    inside = house.gate()
    inside.next_step()
    inside.withdraw()
    assert house.state() == (2, 0, 0)


def test_a_hold_off_while_it_joins_the_tickets() -> None:
    """If its ticket's instant is past the deadline, the call is rejected and the ticket cancelled."""

    class Raced(RateWindow):
        def join_queue(self, now: float, queue_ticket: QueueTicket) -> None:
            self.hold(now, now + 100)
            super().join_queue(now, queue_ticket)

    house = Parts(quota=QUOTA, admission=SLOTS)
    assert house.plan.gate.quotas is not None
    rate_window = house.plan.gate.quotas.entries[0].common = Raced(1, 1.0)
    house.gate().next_step()
    gate = house.gate()
    assert gate.next_step().action is Action.RAISE
    assert isinstance(gate.rejection, QuotaExceededError)
    assert rate_window._tickets == []


def test_a_slot_that_comes_free_before_the_queue() -> None:
    """If a slot becomes free between check and queue, the call is admitted without waiting."""
    house = Parts(quota=QUOTA, admission=SLOTS)
    first, second = house.gate(), house.gate()
    first.next_step()
    assert second.next_step().action is Action.PARK
    first.release_slot()
    assert not second.join_queue(lambda: None)
    assert second.next_step() == (Action.SEND, None)


def test_a_wait_is_emitted_and_later_ones_come_after_it() -> None:
    """The event has the seconds waited; waits that are cut short add up."""
    clock, events = FakeClock(start=50.0), list[Any]()
    policy = Policy(quota=[{"rate": 1, "burst": 1}])  # type: ignore[arg-type]
    call = Pipeline(policy, clock=clock, listeners=[events.append]).compile(lambda: 1)
    assert [call(), call()] == [1, 1]
    assert [(event.name, event.wait_for) for event in events] == [("quota_waited", 1.0)]
    house = Parts(quota=QUOTA, admission=SLOTS)
    assert house.plan.gate.quotas is not None
    rate_window = house.plan.gate.quotas.entries[0].common
    rate_window.take(0.0, 2)
    gate = house.gate()
    assert gate.next_step() == (Action.WAIT, 1.0)
    rate_window.drain(1.0, 0)
    assert gate.next_step() == (Action.WAIT, 1.0)
    assert [ticket.ready_at for ticket in rate_window._tickets] == [2.0]
    assert gate.next_step() == (Action.SEND, None)
    assert (gate.time_ahead, gate.waited) == (2.0, 2.0)
