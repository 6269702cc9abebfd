"""The door, step by step: what it takes, what it gives back, and what it asks again after a wait."""

from __future__ import annotations

from typing import Any

from resilience import AdmissionRejectedError, CircuitOpenError, Pipeline, Policy, QuotaExceededError
from resilience._core.call.attempt_gate import Door
from resilience._core.call.operation_info import Binding
from resilience._core.call.steps import Action
from resilience._core.stages.rate_window import Gauge, Turn
from resilience.testing import FakeClock


class House:
    """A policy and its parts on a fake clock."""

    def __init__(self, **policy: Any) -> None:
        self.clock = FakeClock()
        self.pipeline = Pipeline(Policy(name="p", **policy), clock=self.clock)
        self.plan = self.pipeline._plan(len, Binding(operation="op"), {}, 0)
        self.breaker = self.plan.breaker
        assert self.plan.admission is not None
        self.admission = self.plan.admission

    def door(self, within: float = 60.0) -> Door:
        """Stand before the door."""
        return Door(self.plan, (), {}, self.clock.monotonic() + within)

    def state(self) -> tuple[int, int, int]:
        """Return (sends left, running, waiting)."""
        assert self.plan.quotas is not None
        left = self.plan.quotas.entries[0].left(self.clock.monotonic())
        counts = self.admission.counts()[""]
        return left, counts["running"], counts["waiting"]


QUOTA: Any = [{"rate": 2, "burst": 2}]  # two in any second
SLOTS: Any = {"max_concurrent": 1, "max_queue": 5, "queue_timeout": 2}


def test_in_and_out() -> None:
    """It pays, holds a slot while the attempt runs, and gives the slot back once."""
    house = House(quota=QUOTA, admission=SLOTS)
    door = house.door()
    assert door.ask() == (Action.SEND, None)
    assert house.state() == (1, 1, 0)
    door.leave()
    door.leave()
    assert house.state() == (1, 0, 0)


def test_who_waits_for_a_slot_has_paid_nothing() -> None:
    """It parks for no longer than the queue or the deadline allows, and pays when it is let in."""
    house = House(quota=QUOTA, admission=SLOTS)
    first, second, hasty = house.door(), house.door(), house.door(0.5)
    first.ask()
    woken: list[str] = []
    assert second.ask() == (Action.PARK, 2.0)
    assert second.queue(lambda: woken.append("second"))
    assert hasty.ask() == (Action.PARK, 0.5)
    assert house.state() == (1, 1, 1)
    first.leave()
    assert woken == ["second"]
    assert second.ask() == (Action.SEND, None)
    assert house.state() == (0, 1, 0)


def test_the_quota_is_asked_again_after_the_queue() -> None:
    """Its sends were used while it stood in line: it gives the slot up and waits holding nothing."""
    house = House(quota=QUOTA, admission=SLOTS)
    first, second = house.door(), house.door()
    first.ask()
    second.ask()
    second.queue(lambda: None)
    assert house.plan.quotas is not None
    assert house.plan.quotas.entries[0].common.take(0.0) == 0.0
    first.leave()
    assert second.ask() == (Action.WAIT, 1.0)
    assert house.state() == (0, 0, 0)
    house.clock.advance(1)
    assert second.ask() == (Action.SEND, None)
    assert second.waited == 1.0


def test_a_wait_that_is_cut_short_counts_as_waited() -> None:
    """Tests skip waits: the call's own time goes on."""
    house = House(quota=QUOTA, admission=SLOTS)
    doors = [house.door() for _ in range(3)]
    for door in doors[:2]:
        door.ask()
        door.leave()
    assert doors[2].ask() == (Action.WAIT, 1.0)
    assert doors[2].ask() == (Action.SEND, None)
    assert (doors[2].skipped, doors[2].now) == (1.0, 1.0)


def test_a_hold_off_during_the_wait() -> None:
    """It is told to wait on, or refused where its deadline is nearer; its place in line is given up then."""
    house = House(quota=QUOTA, admission=SLOTS)
    assert house.plan.quotas is not None
    quota = house.plan.quotas.entries[0]
    house.door().ask()
    house.plan.quotas.hold(0.0, 5.0)
    patient, hasty = house.door(), house.door(8.0)
    assert [patient.ask(), hasty.ask()] == [(Action.WAIT, 5.0), (Action.WAIT, 5.0)]
    house.clock.advance(5)
    house.plan.quotas.hold(5.0, 10.0)
    assert patient.ask() == (Action.WAIT, 5.0)
    assert hasty.ask().action is Action.RAISE
    assert isinstance(hasty.refusal, QuotaExceededError)
    assert quota.common.ready_at(5.0) == 10.0


def test_a_turn_moves_to_the_window_that_asks_for_more() -> None:
    """Another window became the slow one while it waited: it leaves the first line and joins the other."""
    house = House(quota=[*QUOTA, {"rate": 1, "burst": 3}], admission=SLOTS)
    assert house.plan.quotas is not None
    first, second = (one.common for one in house.plan.quotas.entries)
    for _ in range(2):
        first.take(0.0)
    door = house.door()
    assert door.ask() == (Action.WAIT, 1.0)
    for _ in range(3):
        second.take(0.0)
    house.clock.advance(1)
    assert door.ask() == (Action.WAIT, 2.0)
    assert not first.easy
    assert first.take(1.0) == 1.0
    assert first.easy
    house.clock.advance(2)
    assert door.ask() == (Action.SEND, None)


def test_an_open_breaker_takes_nothing_and_a_late_one_gives_back() -> None:
    """Peeked first; the last permit may still be gone when it is asked in earnest."""
    house = House(quota=QUOTA, admission=SLOTS, breaker={"consecutive": 1, "open_for": "1s"})
    assert house.breaker is not None
    house.breaker.open()
    shut = house.door()
    assert shut.ask().action is Action.RAISE
    assert isinstance(shut.refusal, CircuitOpenError)
    house.clock.advance(2)
    trial = house.door()
    assert trial.ask().action is Action.SEND
    house.admission.retune(Policy(admission={"max_concurrent": 5}).admission)  # type: ignore[arg-type]
    late = house.door()
    assert late.ask().action is Action.RAISE
    assert isinstance(late.refusal, CircuitOpenError)
    assert house.state() == (1, 1, 0)
    trial.withdraw()
    assert house.state() == (2, 0, 0)
    assert house.door().ask().action is Action.SEND


def test_a_full_queue_and_a_queue_that_is_too_slow() -> None:
    """Turned away at once, or when its time is over; nothing of it stays."""
    house = House(quota=QUOTA, admission={**SLOTS, "max_queue": 1})
    house.door().ask()
    slow, late = house.door(), house.door()
    slow.ask()
    assert slow.queue(lambda: None)
    late.ask()
    assert not late.queue(lambda: None)
    assert late.ask().action is Action.RAISE
    assert slow.ask().action is Action.RAISE
    assert isinstance(slow.refusal, AdmissionRejectedError)
    assert house.state() == (1, 1, 0)


def test_who_withdraws_gives_everything_back() -> None:
    """In every state: waiting for the quota, in line, in line and granted, let in."""
    house = House(quota=QUOTA, admission=SLOTS, breaker={})
    runs, stands, granted = house.door(), house.door(), house.door()
    runs.ask()
    for door in (granted, stands):
        door.ask()
        door.queue(lambda: None)
    runs.leave()
    granted.withdraw()
    stands.withdraw()
    assert house.state() == (1, 0, 0)
    other = house.door()
    other.ask()
    other.leave()
    waits = house.door()
    assert waits.ask().action is Action.WAIT
    waits.withdraw()
    house.clock.advance(1)
    assert house.state() == (2, 0, 0)
    inside = house.door()
    inside.ask()
    inside.withdraw()
    assert house.state() == (2, 0, 0)


def test_a_hold_off_while_it_joins_the_line() -> None:
    """The instant it is told is later than the one it asked for, and past its deadline: refused, its place given up."""

    class Raced(Gauge):
        def queue(self, now: float, weight: int) -> Turn:
            self.hold(now, now + 100)
            return super().queue(now, weight)

    house = House(quota=QUOTA, admission=SLOTS)
    assert house.plan.quotas is not None
    gauge = house.plan.quotas.entries[0].common = Raced(1, 1.0)
    house.door().ask()
    door = house.door()
    assert door.ask().action is Action.RAISE
    assert isinstance(door.refusal, QuotaExceededError)
    assert gauge._line == []


def test_a_slot_that_comes_free_before_the_queue() -> None:
    """Between asking and standing in line somebody left: it is let in without waiting."""
    house = House(quota=QUOTA, admission=SLOTS)
    first, second = house.door(), house.door()
    first.ask()
    assert second.ask().action is Action.PARK
    first.leave()
    assert not second.queue(lambda: None)
    assert second.ask() == (Action.SEND, None)


def test_a_wait_is_told_and_later_ones_come_after_it() -> None:
    """Its seconds, at whatever time; a turn that must wait on moves, and waits that are cut short add up."""
    clock, events = FakeClock(start=50.0), list[Any]()
    policy = Policy(quota=[{"rate": 1, "burst": 1}])  # type: ignore[arg-type]
    call = Pipeline(policy, clock=clock, listeners=[events.append]).compile(lambda: 1)
    assert [call(), call()] == [1, 1]
    assert [(one.name, one.wait_for) for one in events] == [("quota_waited", 1.0)]
    house = House(quota=QUOTA, admission=SLOTS)
    assert house.plan.quotas is not None
    gauge = house.plan.quotas.entries[0].common
    gauge.take(0.0, 2)
    door = house.door()
    assert door.ask() == (Action.WAIT, 1.0)
    gauge.drain(1.0, 0)
    assert door.ask() == (Action.WAIT, 1.0)
    assert [turn.at for turn in gauge._line] == [2.0]
    assert door.ask() == (Action.SEND, None)
    assert (door.skipped, door.waited) == (2.0, 2.0)
