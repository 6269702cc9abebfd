"""Switches a breaker from outside its attempts: by hand, or because other processes have opened or closed theirs."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from ..base.fork_safety import is_mine
from .breaker_machine import BreakerMachine

__all__ = ["SwitchableBreaker"]


class SwitchableBreaker(BreakerMachine):
    """A breaker that can be switched. Safe across threads, tasks and signal handlers."""

    __slots__ = ()

    def open(self) -> None:
        """Open it for `open_for` of its settings, as too many failures would."""
        self._change_at_once(self._settings.open_for, self._force_open, False)

    def isolate(self) -> None:
        """Open it until `close` is called."""
        self._change_at_once(inf, self._force_open, True)

    def close(self, *, reason: str = "") -> None:
        """Close it, and forget what it has counted.

        Args:
            reason: why, for the event `circuit_closed`.
        """
        self.close_reason = reason
        self._change_at_once(-inf, self._close)

    def follow_open(self, left: float, by: str, *, open_for: float | None = None, emit: bool = True) -> None:
        """Open it because others have opened theirs. It is never open for a shorter time than it was before.

        Args:
            left: seconds for which it rejects; no more than its settings allow.
            by: who opened, in words, for `opened_by`.
            open_for: seconds for which it opens next time; None leaves that to its own growth.
            emit: whether its event is emitted at once; else the next attempt emits it.
        """
        self._states.prepare()  # before the lock: an import may run
        self._locked(self._follow_open, self._clock(), left, by, open_for)
        self._emit_at_once(emit)

    def follow_closed(self) -> None:
        """Close it because others have closed theirs, unless it is isolated."""
        self._states.prepare()
        self._locked(self._follow_closed, self._clock())
        self._emit_at_once(True)

    def _force_open(self, now: float, isolated: bool) -> None:
        if self._states.current == "open" and isolated is not self._isolated:
            self._states.transitions["isolated" if isolated else "open"] += 1
        self._isolated = isolated
        if not isolated:
            self._open_for = self._settings.open_for
        self._open(now, "hand")

    def _follow_open(self, now: float, left: float, by: str, open_for: float | None) -> None:
        if self._isolated or self.shadow:
            return  # a shadow breaker measures what it would do alone
        until = now + min(max(0.0, left), self._longest_open)
        if self._states.current != "open":
            self._open(now, by)
            self._set_trial_from(until)
        elif until > self._trial_from:
            self._set_trial_from(until)
        if open_for is not None:
            self._open_for = min(max(open_for, self._settings.open_for), self._longest_open)

    def _follow_closed(self, now: float) -> None:
        if not (self._isolated or self.shadow or self._closed_generation):
            self._close(now)

    def _change_at_once(self, rejects_for: float, change: Callable[..., None], *args: Any, emit: bool = True) -> None:
        """Make a change and send its event at once: there may be no attempt for a long time that would send it.

        Args:
            rejects_for: seconds for which nothing is admitted after the change; -inf closes.
            change: makes the change at an instant.
            args: what else it takes.
            emit: whether the event is sent at once.
        """
        self._states.prepare()  # before the lock: an import may run
        now = self._clock()
        if is_mine(self._lock):
            # A signal handler: the change comes later, but what is admitted from now on obeys it.
            self._closed_generation = self.generation = self.untimed_generation = 0
            self.rejects_until = -inf if self.shadow else now + rejects_for
        self._locked(change, now, *args)
        self._emit_at_once(emit)

    def _emit_at_once(self, emit: bool) -> None:
        if emit and self._emit is not None:
            self.emit(self._emit)
