"""Decides how many attempts run at once: slots, lanes by priority, and a bounded queue.

A slot belongs to a running attempt or to nobody. A waiting attempt gets one under the lock, and if it is gone by then
the slot goes to the next: none is ever lost. Reserved slots are for lanes of higher priority alone. When the queue is
full, the newest waiter of the lowest lane is rejected.

Slots are counted as the set of those that run, so an exception that a signal handler raises at any bytecode loses
none: the `Slot` is made before it is taken, and whoever takes it ends with `slot.gone = True; running.discard(slot)` in
a `finally` of its own, where no function of Python runs, whether it was taken or not. `hand_on` then wakes who waits;
where an interrupt prevents that, the next attempt that comes, ends or gives up does it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..base.fork_safety import new_lock, owner_check, register_for_fork
from ..policy.sections import AdmissionSettings
from .lanes import Lane, Slot, settings_of_lanes

__all__ = ["Admission"]


class Admission:
    """The slots of one policy. Safe across threads, tasks, event loops and signal handlers.

    A call that a signal handler makes, while its own thread is in here, gets a slot beyond the limit: it cannot wait
    for the code that it has interrupted.

    Attributes:
        settings: how many run and wait, and the lanes.
        running: the slots that are taken. It is the same set for ever, so that a driver may hold its `discard`.
        queued: the slots of those that wait; while it is empty, a slot that is given back needs no `hand_on`.
    """

    # Nothing foreign is called under the lock: `wake` and `is_over` are called after it is released.
    # `queued` has every slot of the lanes' queues. It is filled before the joiner looks for a free slot a last time,
    # and read after a slot has been given back: one of the two sees the other, so an empty one needs no lock.
    __slots__ = (
        "__weakref__",
        "_is_mine",
        "_lanes",
        "_lock",
        "_must_grant",
        "_reserves",
        "queued",
        "running",
        "settings",
    )

    def __init__(self, settings: AdmissionSettings) -> None:
        self._lock = new_lock()
        self._is_mine: Callable[[], bool] = owner_check(self._lock)
        self.queued: set[Slot] = set()
        self._lanes: dict[str, Lane] = {}  # by priority, the highest first
        self._must_grant = False
        self.running: set[Slot] = set()
        self.settings = settings
        self.retune(settings)
        register_for_fork(self)

    def reset_after_fork(self) -> None:
        """Begin empty in a child: the threads that run and wait exist in the parent alone."""
        self.running.clear()
        self.queued.clear()
        self._lanes = {}
        self.retune(self.settings)

    def retune(self, settings: AdmissionSettings) -> None:
        """Follow other settings; what runs and what waits stays."""
        with self._lock:
            lanes = dict(self._lanes)
            for name, rules in settings_of_lanes(settings).items():
                lane = lanes.setdefault(name, Lane(name))
                lane.priority, lane.reserve = rules.priority, rules.reserve
            self._reserves = any(lane.reserve for lane in lanes.values())
            by_priority = sorted(lanes.values(), key=lambda lane: -lane.priority)
            # At once: a signal handler sees the lanes of before or all of the new ones.
            self.settings, self._lanes = settings, {lane.name: lane for lane in by_priority}
        self.hand_on()

    def new_slot(self, lane: str, is_over: Callable[[], bool] | None = None) -> Slot:
        """Return a slot for an attempt of this lane. It is not taken yet."""
        lanes = self._lanes
        return Slot(lanes.get(lane) or lanes[""], is_over)

    def try_enter(self, slot: Slot) -> bool:
        """Take a slot if one is free and nobody of this priority or a higher one waits; `release` gives it back."""
        if self._is_mine():
            self.running.add(slot)
            return True
        with self._lock:
            entered = self._enter(slot)
        if not entered and self._sweep():
            self.hand_on()
            with self._lock:
                entered = self._enter(slot)
        return entered

    def enter_at_once(self, slot: Slot) -> bool:
        """Take a slot if one is free, nobody waits and none is reserved. Takes no lock; `try_enter` decides all else.

        The slot is added before they are counted, so of those that are counted as running none is missing: there are
        never too many. Two calls that take the last slot at the same moment may both get none here.
        """
        if self.queued or self._reserves:
            return False
        self.running.add(slot)
        if len(self.running) <= self.settings.max_concurrent:
            return True
        self.running.discard(slot)
        if self.queued:  # it was counted while somebody looked for a free slot
            self.hand_on()
        return False

    def join_queue(self, slot: Slot, wake: Callable[[], Any]) -> bool:
        """Wait for a slot; `settle` then says whether it was granted.

        Args:
            slot: the attempt's slot.
            wake: called when the slot is granted or rejected after this call has returned. It may be called in any
                thread, at most once, and must not block.

        Returns:
            Whether there is anything to wait for.
        """
        if self._is_mine():
            self.running.add(slot)
            return False
        shed: Slot | None = None
        slot.wake = wake
        with self._lock:
            if self._enter(slot):
                return False
            if sum(map(_count_waiting, self._lanes.values())) >= self.settings.max_queue:
                shed = self._lowest_below(slot.lane)
                if shed is None:
                    return False
                self.queued.discard(shed)
                shed.lane.waiting.remove(shed)
            self.queued.add(slot)
            slot.lane.waiting.append(slot)
        if shed is not None:
            self._wake([shed])
        self.hand_on()
        with self._lock:  # a slot that is granted and taken back again, because it is one too many, is not seen here
            return slot not in self.running

    def settle(self, slot: Slot) -> bool:
        """End a wait; returns whether the slot was granted."""
        with self._lock:
            self.queued.discard(slot)
            if slot in slot.lane.waiting:
                slot.lane.waiting.remove(slot)
        self.hand_on()  # what an interrupt has kept from being handed on
        return slot in self.running

    def release(self, slot: Slot) -> None:
        """Give a slot back, taken or not; a waiting attempt gets it."""
        self.running.discard(slot)
        self.hand_on()

    def hand_on(self) -> None:
        """Give free slots to those that wait. To be called after a slot has left `running`."""
        if not self.queued:
            return
        self._must_grant = True
        # A handler leaves it to the code that it has interrupted, which looks again after it has released the lock.
        while self._must_grant and not self._is_mine():
            with self._lock:
                self._must_grant = False
                granted = self._grant()
            self._wake(granted)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return how many run and wait in each lane, for `describe`; the lane of all others is `""`."""
        lanes, running = self._lanes.values(), [slot.lane for slot in tuple(self.running)]
        return {lane.name: {"running": running.count(lane), "waiting": _count_waiting(lane)} for lane in lanes}

    # --- under the lock -----------------------------------------------------------------------

    def _enter(self, slot: Slot) -> bool:
        for other in self._lanes.values():
            if other.priority >= slot.lane.priority and other.waiting and _count_waiting(other):
                return False
        return self._has_slot(slot.lane) and self._add(slot)

    def _add(self, slot: Slot) -> bool:
        """Take a slot that was free a moment ago, unless `enter_at_once` has taken it meanwhile."""
        self.running.add(slot)
        if len(self.running) <= self.settings.max_concurrent:
            return True
        self.running.discard(slot)
        return False

    def _has_slot(self, lane: Lane) -> bool:
        """Return whether a free slot remains after the unused reserves of higher lanes."""
        free = self.settings.max_concurrent - len(self.running)
        for other in self._lanes.values() if self._reserves else ():
            if other.priority > lane.priority and other.reserve:
                free -= max(0, other.reserve - [slot.lane for slot in tuple(self.running)].count(other))
        return free > 0

    def _grant(self) -> list[Slot]:
        """Hand free slots to waiters: by priority, then first come first served."""
        granted = []
        for lane in self._lanes.values():
            while lane.waiting:
                slot = lane.waiting[0]
                # Added first: after an interrupt before the next line it is found in both, and granted again.
                is_served = slot.gone or slot in self.running or (self._has_slot(lane) and self._add(slot))
                if not is_served:
                    break
                lane.waiting.popleft()
                self.queued.discard(slot)
                if slot.gone:
                    self.running.discard(slot)
                else:
                    granted.append(slot)
        if not any(lane.waiting for lane in self._lanes.values()):
            self.queued.clear()  # an interrupted attempt may be in there alone
        return granted

    def _lowest_below(self, lane: Lane) -> Slot | None:
        """Return the newest waiter of the lowest lane below this one."""
        below = [other for other in self._lanes.values() if other.priority < lane.priority]
        waiting = (slot for other in reversed(below) for slot in reversed(tuple(other.waiting)))
        return next((slot for slot in waiting if not slot.gone), None)

    # --- outside the lock ---------------------------------------------------------------------

    def _sweep(self) -> bool:
        """Take back the slots of attempts that cannot end any more, as their event loop is closed."""
        lost = [slot for slot in tuple(self.running) if slot.gone or (slot.is_over is not None and slot.is_over())]
        for slot in lost:
            slot.gone = True
            self.running.discard(slot)
        return bool(lost)

    def _wake(self, slots: list[Slot]) -> None:
        """Wake these; where one cannot be woken, because its event loop has ended, its slot goes to the next."""
        for slot in slots:
            try:
                if slot.wake is not None:
                    slot.wake()
            except Exception:
                slot.gone = True
                self.running.discard(slot)
                self._must_grant = True


def _count_waiting(lane: Lane) -> int:
    return sum(not slot.gone for slot in tuple(lane.waiting))
