"""Compares admission with a model of its specification under random operations."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from resilience import Policy, PolicyError
from resilience._core.policy.sections import AdmissionSettings
from resilience._core.stages.admission import Admission
from resilience._core.stages.lanes import Slot

LANES = {"cancel": {"reserve": 1, "priority": 2}, "close": {"reserve": 1, "priority": 1}, "bulk": {"priority": -1}}
PRIORITY = {"cancel": 2, "close": 1, "": 0, "bulk": -1}
RESERVE = {"cancel": 1, "close": 1, "": 0, "bulk": 0}
MAX_RUNNING, QUEUE = 4, 3
RULES = AdmissionSettings(max_concurrent=MAX_RUNNING, max_queue=QUEUE, lanes=LANES)  # type: ignore[arg-type]


class Model:
    """A slow model of the calls that run and wait."""

    def __init__(self) -> None:
        self.running: list[str] = []
        self.waiting: list[tuple[int, str]] = []

    def has_slot(self, lane: str) -> bool:
        """Whether a slot is free that is not reserved for a higher lane."""
        count = Counter(self.running)
        reserved = sum(max(0, RESERVE[other] - count[other]) for other in PRIORITY if PRIORITY[other] > PRIORITY[lane])
        return MAX_RUNNING - len(self.running) > reserved

    def ask(self, lane: str, number: int) -> tuple[str, int | None]:
        """Return the outcome, and the number of the waiter that was rejected in favour of this one."""
        before = any(PRIORITY[other] >= PRIORITY[lane] for _, other in self.waiting)
        if not before and self.has_slot(lane):
            self.running.append(lane)
            return "granted", None
        away = None
        if len(self.waiting) >= QUEUE:
            lowest = min(PRIORITY[other] for _, other in self.waiting)
            if lowest >= PRIORITY[lane]:
                return "rejected", None
            away = max(number for number, other in self.waiting if PRIORITY[other] == lowest)
            self.waiting = [waiter for waiter in self.waiting if waiter[0] != away]
        self.waiting.append((number, lane))
        return "waiting", away

    def grant(self) -> list[int]:
        """Grant the free slots: by priority, then by age."""
        granted = []
        for number, lane in sorted(self.waiting, key=lambda waiter: (-PRIORITY[waiter[1]], waiter[0])):
            if self.has_slot(lane):
                self.running.append(lane)
                self.waiting.remove((number, lane))
                granted.append(number)
        return granted


class Slots(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.admission, self.model = Admission(RULES), Model()
        self.slots: list[tuple[str, Slot]] = []
        self.waiters: dict[int, tuple[str, Slot]] = {}
        self.woken: list[int] = []
        self.dead: set[int] = set()
        self.number = 0

    @rule(lane=st.sampled_from(sorted(PRIORITY)), dies=st.integers(0, 5))
    def ask(self, lane: str, dies: int) -> None:
        """Ask for a slot and join the queue; some waiters' loops end, and those cannot be woken."""
        self.number += 1
        number = self.number
        outcome, away = self.model.ask(lane, number)
        slot = self.admission.new_slot(lane)
        if self.admission.try_enter(slot):
            assert outcome == "granted"
            self.slots.append((lane, slot))
            return
        assert outcome != "granted"
        waits = self.admission.join_queue(slot, lambda: self.wake(number))
        assert waits is (outcome == "waiting")
        if outcome == "waiting":
            self.waiters[number] = (lane, slot)
            if dies == 0:
                self.dead.add(number)
        if away is not None:
            _, shed = self.waiters.pop(away)
            assert not self.admission.settle(shed)

    def wake(self, number: int) -> None:
        if number in self.dead:
            raise RuntimeError("the event loop has ended")
        self.woken.append(number)

    @precondition(lambda self: self.slots)
    @rule(index=st.integers(0, 20))
    def leave(self, index: int) -> None:
        """An attempt ends."""
        lane, slot = self.slots.pop(index % len(self.slots))
        self.admission.release(slot)
        self.model.running.remove(lane)
        self.handed()

    @precondition(lambda self: self.waiters)
    @rule(index=st.integers(0, 20))
    def give_up(self, index: int) -> None:
        """A waiter's time is over, or its call is cancelled."""
        number = sorted(self.waiters)[index % len(self.waiters)]
        lane, waiter = self.waiters.pop(number)
        assert not self.admission.settle(waiter)
        self.model.waiting.remove((number, lane))
        self.handed()

    def handed(self) -> None:
        """Compare which waiters got a slot; one that cannot be woken passes it on."""
        while granted := self.model.grant():
            for number in granted:
                lane, waiter = self.waiters.pop(number)
                if number in self.dead:
                    self.model.running.remove(lane)
                    assert waiter.gone
                else:
                    assert self.admission.settle(waiter)
                    self.slots.append((lane, waiter))

    @invariant()
    def alike(self) -> None:
        counts = self.admission.counts()
        assert {lane: count["running"] for lane, count in counts.items()} == {
            lane: self.model.running.count(lane) for lane in counts
        }
        assert {lane: count["waiting"] for lane, count in counts.items()} == {
            lane: sum(other == lane for _, other in self.model.waiting) for lane in counts
        }
        assert len(self.slots) == len(self.model.running) <= MAX_RUNNING
        assert not any(waiter.gone or waiter in self.admission.running for _, waiter in self.waiters.values())


test_any_script = Slots.TestCase
test_any_script.settings = settings(max_examples=30, stateful_step_count=40)


@pytest.mark.slow
class TestManyScripts(Slots.TestCase):  # type: ignore[misc,name-defined]  # made at run time
    """Many of them."""

    settings = settings(max_examples=150, stateful_step_count=40)


def enter(admission: Admission, lane: str = "") -> Slot | None:
    """Return a slot that was taken at once, or None."""
    slot = admission.new_slot(lane)
    return slot if admission.try_enter(slot) else None


def queue(admission: Admission, lane: str = "", wake: Callable[[], Any] = lambda: None) -> Slot:
    """Return a slot that waits."""
    slot = admission.new_slot(lane)
    assert admission.join_queue(slot, wake)
    return slot


def test_entries_are_shed_first() -> None:
    """A full queue of entries: a cancel replaces the newest one, another entry is rejected."""
    admission = Admission(AdmissionSettings(max_concurrent=1, max_queue=2))
    woken: list[str] = []
    assert enter(admission) is not None
    first, second = (queue(admission, "", lambda name=name: woken.append(name)) for name in ("first", "second"))  # type: ignore[misc]
    assert not admission.join_queue(admission.new_slot(""), lambda: woken.append("third"))
    cancel = queue(admission, "cancel", lambda: woken.append("cancel"))
    assert admission.counts() == {"cancel": {"running": 0, "waiting": 1}, "": {"running": 1, "waiting": 1}}
    assert not admission.settle(second)
    assert woken == ["second"]
    assert not {first, cancel} & admission.running


def test_a_slot_granted_to_a_waiter_that_gives_up_goes_to_the_next() -> None:
    """A waiter that gives up after its grant returns the slot."""
    admission = Admission(AdmissionSettings(max_concurrent=1, max_queue=5))
    slot = enter(admission)
    assert slot is not None
    first, second = (queue(admission) for _ in range(2))
    admission.release(slot)
    assert admission.settle(first)
    assert second not in admission.running
    admission.release(first)
    assert admission.running == {second}


def test_many_waiters_of_an_ended_loop() -> None:
    """Of a thousand waiters that cannot be woken, none blocks the slot: it reaches the last one."""

    def gone() -> None:
        raise RuntimeError("closed")

    admission = Admission(AdmissionSettings(max_concurrent=1, max_queue=2000))
    slot = enter(admission)
    assert slot is not None
    for _ in range(1000):
        queue(admission, "", gone)
    last = queue(admission)
    admission.release(slot)
    assert admission.running == {last}


def test_a_waiter_that_is_shed_and_cannot_be_woken_gives_no_slot() -> None:
    """Its event loop has ended and it had no slot: nothing goes to anybody, and the counts stay right."""
    admission = Admission(AdmissionSettings(max_concurrent=1, max_queue=1, lanes={"bulk": {"priority": -1}}))  # type: ignore[dict-item]
    assert enter(admission) is not None

    def ended() -> None:
        raise RuntimeError("the event loop is closed")

    shed, waiter = queue(admission, "bulk", ended), queue(admission)
    assert not {shed, waiter} & admission.running
    assert admission.counts()[""] == {"running": 1, "waiting": 1}


def test_new_settings_keep_running_and_waiting_calls() -> None:
    """More slots go to waiters at once; with fewer slots running calls go on, and no new one is admitted."""
    admission = Admission(AdmissionSettings(max_concurrent=1, max_queue=5, lanes={"x": {"priority": 3}}))  # type: ignore[arg-type, dict-item]
    slot = enter(admission)
    woken: list[str] = []
    waiting = [queue(admission, "x", lambda: woken.append("x")) for _ in range(2)]
    admission.retune(AdmissionSettings(max_concurrent=2, max_queue=5))
    assert (admission.running, woken) == ({slot, waiting[0]}, ["x"])
    admission.retune(AdmissionSettings(max_concurrent=1, max_queue=5))
    assert slot is not None
    admission.release(slot)
    assert waiting[1] not in admission.running
    assert admission.settle(waiting[0])
    admission.release(waiting[0])
    assert admission.running == {waiting[1]}


def test_a_reserve_in_use_is_not_reserved_twice() -> None:
    """Of two reserved slots one is used by its own lane: only the other one stays reserved."""
    admission = Admission(AdmissionSettings(max_concurrent=3, lanes={"cancel": {"reserve": 2, "priority": 1}}))  # type: ignore[dict-item]
    assert enter(admission, "cancel") is not None
    assert enter(admission) is not None
    assert enter(admission) is None
    assert enter(admission, "cancel") is not None


def test_a_waiter_that_was_interrupted_gives_its_turn_away() -> None:
    """Its clean-up is one store and one call in C: neither the turn nor a slot that comes meanwhile is lost."""
    admission = Admission(AdmissionSettings(max_concurrent=1, max_queue=5))
    slot = enter(admission)
    assert slot is not None
    first, second = queue(admission), queue(admission)
    first.gone = True
    admission.running.discard(first)
    assert admission.counts()[""] == {"running": 1, "waiting": 1}
    admission.release(slot)
    assert admission.running == {second}


def test_a_slot_that_was_not_handed_on_is_found_by_the_next() -> None:
    """An interrupt right after `discard` wakes nobody: whoever comes, ends or gives up next does it."""
    admission = Admission(AdmissionSettings(max_concurrent=1, max_queue=5))
    slot = enter(admission)
    assert slot is not None
    first, second = queue(admission), queue(admission)
    admission.running.discard(slot)
    assert not admission.running
    assert not admission.settle(second)
    assert admission.running == {first}


def test_the_slot_of_an_ended_loop_is_taken_back() -> None:
    """Once the limit is reached, slots of attempts whose event loop has ended go to those that wait, oldest first."""
    admission = Admission(AdmissionSettings(max_concurrent=1, max_queue=5))
    is_over = [False]
    slot = admission.new_slot("", lambda: is_over[0])
    assert admission.try_enter(slot)
    assert enter(admission) is None
    is_over[0] = True
    assert enter(admission) is not None
    assert slot not in admission.running


def test_reserved_slots_cannot_be_all() -> None:
    """Reserving every slot is a mistake, reported with its path."""
    with pytest.raises(PolicyError, match=r"admission\.lanes: 2 slots are reserved"):
        Policy(admission={"max_concurrent": 2, "lanes": {"cancel": {"reserve": 2}}})  # type: ignore[arg-type]


def test_a_slot_without_the_lock() -> None:
    """It is taken only where one is free, nobody waits and none is reserved; a refusal leaves nothing behind."""
    admission = Admission(AdmissionSettings(max_concurrent=1, max_queue=5))
    first, second = admission.new_slot(""), admission.new_slot("")
    assert (admission.enter_at_once(first), admission.enter_at_once(second)) == (True, False)
    assert admission.running == {first}
    waiter = queue(admission)
    admission.running.discard(first)
    assert not admission.enter_at_once(second)
    admission.hand_on()
    assert admission.running == {waiter}
    admission.release(waiter)
    assert admission.enter_at_once(second)
    admission.release(second)
    admission.retune(AdmissionSettings(max_concurrent=2, lanes={"cancel": {"reserve": 1, "priority": 1}}))  # type: ignore[dict-item]
    assert not admission.enter_at_once(admission.new_slot("cancel"))


class Racing(set[Slot]):
    """The slots that run; other threads do something right after one is added, or before one is discarded."""

    def __init__(self, running: set[Slot]) -> None:
        super().__init__(running)
        self.after_add: Callable[[], Any] | None = None
        self.before_discard: Callable[[], Any] | None = None

    def add(self, slot: Slot) -> None:
        super().add(slot)
        then, self.after_add = self.after_add, None
        if then is not None:
            then()

    def discard(self, slot: Slot) -> None:
        then, self.before_discard = self.before_discard, None
        if then is not None:
            then()
        super().discard(slot)


def test_the_last_slot_is_taken_twice_at_the_same_moment() -> None:
    """Each sees the other one, so that none is too many: under the lock and while the slot is handed on."""
    admission = Admission(AdmissionSettings(max_concurrent=1, max_queue=5))
    fast, slow = admission.new_slot(""), admission.new_slot("")
    racing = admission.running = Racing(set())
    racing.after_add = lambda: set.add(racing, fast)
    assert not admission.try_enter(slow)
    assert racing == {fast}
    waiter = queue(admission)
    racing.after_add = lambda: set.add(racing, slow)
    admission.release(fast)
    assert racing == {slow}
    admission.release(slow)
    assert racing == {waiter}


def test_a_slot_that_is_one_too_many_holds_up_nobody() -> None:
    """It is counted for a moment, in which a slot is given back: the one who waits for that gets it."""
    admission = Admission(AdmissionSettings(max_concurrent=1, max_queue=5))
    first = enter(admission)
    assert first is not None
    racing = admission.running = Racing(admission.running)
    waiters = list[Slot]()
    racing.after_add = lambda: waiters.append(queue(admission))
    racing.before_discard = lambda: admission.release(first)
    assert not admission.enter_at_once(admission.new_slot(""))
    assert racing == set(waiters)


def test_a_thousand_threads_on_ten_slots() -> None:
    """At most ten run at a time, every call gets through, and at the end no slot is taken."""
    admission = Admission(AdmissionSettings(max_concurrent=10, max_queue=1000))
    running, seen, done = [0], list[int](), list[int]()
    lock = threading.Lock()

    def work(number: int) -> None:
        slot = admission.new_slot("")
        if not (admission.enter_at_once(slot) or admission.try_enter(slot)):
            event = threading.Event()
            if admission.join_queue(slot, event.set):
                event.wait()
            assert admission.settle(slot)
        with lock:
            running[0] += 1
            seen.append(running[0])
        with lock:
            running[0] -= 1
        admission.release(slot)
        done.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 1000
    assert max(seen) <= 10
    assert admission.counts()[""] == {"running": 0, "waiting": 0}
