"""How many attempts run at once: slots, lanes by priority, and a bounded queue in front of them.

The law of this file: a slot is handed over, never lost. It belongs to a running attempt or to
nobody; a waiter gets one under the lock, and one that is gone by then gives it back. Reserved slots
are for lanes of higher priority alone, and when the queue is full the lowest lane's newest waiter
is turned away first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from ..base.fork_safety import new_lock, register_for_fork
from ..policy.sections import AdmissionSettings, LaneSettings

__all__ = ["CANCEL", "Admission", "LaneSlots", "Waiter", "priority"]

CANCEL = "cancel"
"""The lane of cancels and of orders that only reduce; urgent wherever a policy does not say otherwise."""
_USUAL = {CANCEL: LaneSettings(priority=1)}


def priority(settings: AdmissionSettings | None, lane: str) -> int:
    """Return the priority of a lane under these settings."""
    named = settings.lanes.get(lane) if settings is not None else None
    return (named or _USUAL.get(lane) or LaneSettings()).priority


class LaneSlots:
    """The running and the waiting of one lane. Changed under the admission's lock alone."""

    __slots__ = ("line", "name", "priority", "reserve", "running")

    def __init__(self, name: str) -> None:
        self.name = name
        self.priority = self.reserve = 0
        self.running = 0
        self.line: deque[Waiter] = deque()


class Waiter:
    """Who waits for a slot: `waiting`, then `granted` or `away`, and `over` when it has been told."""

    __slots__ = ("state", "track", "wake")

    def __init__(self, track: LaneSlots, wake: Callable[[], Any]) -> None:
        self.track = track
        self.wake = wake
        self.state = "waiting"


class Admission:
    """The slots of one policy. Safe across threads, tasks and event loops.

    The lock has no call of others inside it: who is woken is woken afterwards.
    """

    __slots__ = ("__weakref__", "_lock", "_running", "_tracks", "settings")

    def __init__(self, settings: AdmissionSettings) -> None:
        self._lock = new_lock()
        self._running = 0
        self._tracks: dict[str, LaneSlots] = {}
        self.settings = settings
        self.retune(settings)
        register_for_fork(self)

    def reset_after_fork(self) -> None:
        """Begin empty in a child: who ran and who waited has stayed in the parent."""
        self._running, self._tracks = 0, {}
        self.retune(self.settings)

    def retune(self, settings: AdmissionSettings) -> None:
        """Take other settings; who runs and who waits stays."""
        with self._lock:
            self.settings = settings
            for name, lane in {"": LaneSettings(), **_USUAL, **settings.lanes}.items():
                track = self._tracks.setdefault(name, LaneSlots(name))
                track.priority, track.reserve = lane.priority, lane.reserve
            known = sorted(self._tracks.values(), key=lambda track: -track.priority)
            self._tracks = {track.name: track for track in known}
            woken = self._grant()
        self._wake(woken)

    def try_enter(self, lane: str) -> LaneSlots | None:
        """Take a slot if there is one now and nobody of this rank waits; give it back by `release`."""
        with self._lock:
            return self._enter(self._track(lane))

    def join_queue(self, lane: str, wake: Callable[[], Any]) -> Waiter:
        """Wait for a slot: `wake` is called when the waiter's state has changed, if it has not changed already.

        It may be called in any thread, once at most, and must not block.
        """
        away: Waiter | None = None
        with self._lock:
            track = self._track(lane)
            waiter = Waiter(track, wake)
            if self._enter(track) is not None:
                waiter.state = "granted"
                return waiter
            if sum(len(one.line) for one in self._tracks.values()) >= self.settings.max_queue:
                away = self._lowest(track)
                if away is None:
                    waiter.state = "away"
                    return waiter
                away.track.line.pop()
                away.state = "away"
            track.line.append(waiter)
        if away is not None:
            self._wake([away])
        return waiter

    def settle(self, waiter: Waiter) -> LaneSlots | None:
        """End a wait, once: returns the slot that was granted, else nothing, and the waiter is gone."""
        with self._lock:
            was, waiter.state = waiter.state, "over"
            if was == "waiting":
                waiter.track.line.remove(waiter)
        return waiter.track if was == "granted" else None

    def release(self, slot: LaneSlots) -> None:
        """Give a slot back; it is handed to who waits for it."""
        with self._lock:
            woken = self._end(slot)
        self._wake(woken)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return how many run and wait in each lane, for `describe`; the lane of all others is `""`."""
        with self._lock:
            return {one.name: {"running": one.running, "waiting": len(one.line)} for one in self._tracks.values()}

    # --- under the lock -----------------------------------------------------------------------

    def _track(self, lane: str) -> LaneSlots:
        return self._tracks.get(lane) or self._tracks[""]

    def _enter(self, track: LaneSlots) -> LaneSlots | None:
        for one in self._tracks.values():
            if one.line and one.priority >= track.priority:
                return None
        return self._start(track) if self._fits(track) else None

    def _fits(self, track: LaneSlots) -> bool:
        free = self.settings.max_concurrent - self._running
        for one in self._tracks.values():
            if one.priority > track.priority and one.reserve > one.running:
                free -= one.reserve - one.running
        return free > 0

    def _start(self, track: LaneSlots) -> LaneSlots:
        self._running += 1
        track.running += 1
        return track

    def _grant(self) -> list[Waiter]:
        """Hand free slots to waiters: by priority, then first come first served."""
        woken = []
        for track in self._tracks.values():  # they stand by priority
            while track.line and self._fits(track):
                waiter = track.line.popleft()
                waiter.state = "granted"
                self._start(track)
                woken.append(waiter)
        return woken

    def _end(self, track: LaneSlots) -> list[Waiter]:
        if self._tracks.get(track.name) is not track:
            return []  # it was taken before a fork: it is not counted here
        self._running -= 1
        track.running -= 1
        return self._grant()

    def _lowest(self, track: LaneSlots) -> Waiter | None:
        """Return the newest waiter of the lowest lane below this one."""
        below = [one for one in self._tracks.values() if one.line and one.priority < track.priority]
        return below[-1].line[-1] if below else None

    # --- outside the lock ---------------------------------------------------------------------

    def _wake(self, woken: list[Waiter]) -> None:
        """Wake those whose state has changed; the slot of one that cannot be woken goes on to the next.

        That is one whose event loop has ended.
        """
        while woken:
            waiter = woken.pop()
            try:
                waiter.wake()
            except Exception:
                with self._lock:
                    if waiter.state == "granted":
                        waiter.state = "over"
                        woken += self._end(waiter.track)
