"""Decides how many attempts run at once: slots, lanes by priority, and a bounded queue.

A slot belongs to a running attempt or to nobody. A waiting attempt gets one under the lock, and if it is gone by then
the slot goes to the next: none is ever lost. Reserved slots are for lanes of higher priority alone. When the queue is
full, the newest waiter of the lowest lane is rejected.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from ..base.fork_safety import new_lock, register_for_fork
from ..policy.sections import AdmissionSettings, LaneSettings

__all__ = ["CANCEL", "Admission", "LaneSlots", "Waiter", "priority"]

CANCEL = "cancel"
"""The lane of cancels and of orders that only reduce; it has high priority unless a policy says otherwise."""
_BUILT_IN = {CANCEL: LaneSettings(priority=1)}


def priority(settings: AdmissionSettings | None, lane: str) -> int:
    """Return the priority of a lane under these settings."""
    named = settings.lanes.get(lane) if settings is not None else None
    return (named or _BUILT_IN.get(lane) or LaneSettings()).priority


class LaneSlots:
    """The running and the waiting attempts of one lane. Changed under the admission's lock alone."""

    __slots__ = ("name", "priority", "reserve", "running", "waiters")

    def __init__(self, name: str) -> None:
        self.name = name
        self.priority = self.reserve = 0
        self.running = 0
        self.waiters: deque[Waiter] = deque()


class Waiter:
    """An attempt that waits for a slot: `waiting`, then `granted` or `rejected`, and `settled` at the end."""

    __slots__ = ("lane", "state", "wake")

    def __init__(self, lane: LaneSlots, wake: Callable[[], Any]) -> None:
        self.lane = lane
        self.wake = wake
        self.state = "waiting"


class Admission:
    """The slots of one policy. Safe across threads, tasks and event loops.

    Attributes:
        settings: how many run and wait, and the lanes.
    """

    # Nothing foreign is called under the lock: `wake` is called after it is released.
    __slots__ = ("__weakref__", "_lanes", "_lock", "_running", "settings")

    def __init__(self, settings: AdmissionSettings) -> None:
        self._lock = new_lock()
        self._running = 0
        self._lanes: dict[str, LaneSlots] = {}  # by priority, the highest first
        self.settings = settings
        self.retune(settings)
        register_for_fork(self)

    def reset_after_fork(self) -> None:
        """Begin empty in a child: the threads that run and wait exist in the parent alone."""
        self._running, self._lanes = 0, {}
        self.retune(self.settings)

    def retune(self, settings: AdmissionSettings) -> None:
        """Follow other settings; what runs and what waits stays."""
        with self._lock:
            self.settings = settings
            for name, rules in {"": LaneSettings(), **_BUILT_IN, **settings.lanes}.items():
                lane = self._lanes.setdefault(name, LaneSlots(name))
                lane.priority, lane.reserve = rules.priority, rules.reserve
            by_priority = sorted(self._lanes.values(), key=lambda lane: -lane.priority)
            self._lanes = {lane.name: lane for lane in by_priority}
            granted = self._grant()
        self._wake(granted)

    def try_enter(self, lane: str) -> LaneSlots | None:
        """Take a slot if one is free and nobody of this priority or a higher one waits; returned by `release`."""
        with self._lock:
            return self._enter(self._lane(lane))

    def join_queue(self, lane: str, wake: Callable[[], Any]) -> Waiter:
        """Wait for a slot.

        Args:
            lane: the attempt's lane.
            wake: called when the waiter's state changes after this call has returned. It may be called in any thread,
                at most once, and must not block.

        Returns:
            The waiter; its state may be `granted` or `rejected` already.
        """
        rejected: Waiter | None = None
        with self._lock:
            slots = self._lane(lane)
            waiter = Waiter(slots, wake)
            if self._enter(slots) is not None:
                waiter.state = "granted"
                return waiter
            if sum(len(each.waiters) for each in self._lanes.values()) >= self.settings.max_queue:
                rejected = self._lowest_below(slots)
                if rejected is None:
                    waiter.state = "rejected"
                    return waiter
                rejected.lane.waiters.pop()
                rejected.state = "rejected"
            slots.waiters.append(waiter)
        if rejected is not None:
            self._wake([rejected])
        return waiter

    def settle(self, waiter: Waiter) -> LaneSlots | None:
        """End a wait, once: return the slot that was granted, or None."""
        with self._lock:
            state, waiter.state = waiter.state, "settled"
            if state == "waiting":
                waiter.lane.waiters.remove(waiter)
        return waiter.lane if state == "granted" else None

    def release(self, slot: LaneSlots) -> None:
        """Give a slot back; a waiting attempt gets it."""
        with self._lock:
            granted = self._end(slot)
        self._wake(granted)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return how many run and wait in each lane, for `describe`; the lane of all others is `""`."""
        with self._lock:
            lanes = self._lanes.values()
            return {lane.name: {"running": lane.running, "waiting": len(lane.waiters)} for lane in lanes}

    # --- under the lock -----------------------------------------------------------------------

    def _lane(self, name: str) -> LaneSlots:
        return self._lanes.get(name) or self._lanes[""]

    def _enter(self, lane: LaneSlots) -> LaneSlots | None:
        for other in self._lanes.values():
            if other.waiters and other.priority >= lane.priority:
                return None
        return self._start(lane) if self._has_slot(lane) else None

    def _has_slot(self, lane: LaneSlots) -> bool:
        """Return whether a free slot remains after the unused reserves of higher lanes."""
        free = self.settings.max_concurrent - self._running
        for other in self._lanes.values():
            if other.priority > lane.priority and other.reserve > other.running:
                free -= other.reserve - other.running
        return free > 0

    def _start(self, lane: LaneSlots) -> LaneSlots:
        self._running += 1
        lane.running += 1
        return lane

    def _grant(self) -> list[Waiter]:
        """Hand free slots to waiters: by priority, then first come first served."""
        granted = []
        for lane in self._lanes.values():
            while lane.waiters and self._has_slot(lane):
                waiter = lane.waiters.popleft()
                waiter.state = "granted"
                self._start(lane)
                granted.append(waiter)
        return granted

    def _end(self, lane: LaneSlots) -> list[Waiter]:
        if self._lanes.get(lane.name) is not lane:
            return []  # it was taken before a fork: it is not counted here
        self._running -= 1
        lane.running -= 1
        return self._grant()

    def _lowest_below(self, lane: LaneSlots) -> Waiter | None:
        """Return the newest waiter of the lowest lane below this one."""
        below = [other for other in self._lanes.values() if other.waiters and other.priority < lane.priority]
        return below[-1].waiters[-1] if below else None

    # --- outside the lock ---------------------------------------------------------------------

    def _wake(self, waiters: list[Waiter]) -> None:
        """Wake these; where one cannot be woken, because its event loop has ended, its slot goes to the next."""
        while waiters:
            waiter = waiters.pop()
            try:
                waiter.wake()
            except Exception:
                with self._lock:
                    if waiter.state == "granted":
                        waiter.state = "settled"
                        waiters += self._end(waiter.lane)
