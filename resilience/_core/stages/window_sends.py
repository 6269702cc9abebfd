"""Keeps the sends of a window: the instants of the last `max_sends` of them that really happened, oldest first.

The next send is allowed once the oldest of them is `span` seconds ago (a sliding-window log). A signal handler may
interrupt its own thread inside any method: each change of the sends is one step, so that there is no moment at which
fewer of them seem to have been. No work here grows with the number of sends, unless they are replaced or shown.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable
from math import inf
from typing import Any

from ..base.fork_safety import new_lock

__all__ = ["WindowSends"]


class WindowSends:
    """The sends of one window, without the queue of those that wait. Safe across threads and tasks.

    Attributes:
        max_sends: sends allowed in `span`.
        span: seconds.
        sends: instants of the last sends, oldest first, always `max_sends` of them.
        fast_path: a driver may send without the lock.
        until: instant from which a driver may send no more; only a lease has one.
    """

    # The fast path. Where `fast_path` is true, a driver does what `take` does, inline and without the lock:
    #
    #     if window.fast_path and window.sends[0] + window.span <= now < window.until: window.sends.append(now)
    #
    # It rests on these guarantees of CPython with a GIL (3.11 to 3.14, `CHECK_EVAL_BREAKER` in Python/ceval.c and
    # bytecodes.c):
    # - Another thread, or a signal handler, runs only when a function of Python is entered, at a backward jump, and
    #   after a call has returned. The line above reads slots, indexes a deque, adds and compares floats and jumps
    #   forward: no such point lies between its first read and the call of `append`.
    # - `deque.append` is one call into C, which releases the GIL nowhere: with `maxlen` set it drops the oldest float
    #   in the same call. The check for other threads comes after it.
    # So no two threads can both see the same oldest send and both send. `fast_path` is false while somebody waits in
    # the queue or a hold lasts: then order matters, and `take` decides under the lock. Every method that changes the
    # sends of a window in use sets `fast_path` to False first, because the lock keeps no driver out.
    # Without a GIL nothing of this holds: `import resilience` refuses such an interpreter.
    __slots__ = ("_held_until", "_late", "_lock", "_tickets", "fast_path", "max_sends", "sends", "span", "until")

    def __init__(self, max_sends: int, span: float) -> None:
        self.max_sends = max_sends
        self.span = span
        self.sends: deque[float] = deque([-inf] * max_sends, maxlen=max_sends)
        self.fast_path = True
        self.until = inf
        self._tickets: list[Any] = []  # of those that wait, in the order of their turns
        self._held_until = -inf
        self._late: list[float] | None = None  # what is sent while `sends` are being replaced
        self._lock = new_lock()

    @property
    def history(self) -> tuple[float, ...]:
        """The instants of the last sends of this process, oldest first."""
        return tuple(self.sends)

    def undo(self, when: float, weight: int) -> None:
        """Take back what `take` counted at this instant, because nothing was sent.

        An older send that it had pushed out was a span ago by then, and limits nothing any more.
        """
        with self._lock:
            self.fast_path = False
            for _ in range(weight):
                if self.sends[-1] == when:
                    self.sends.appendleft(-inf)  # it drops the last one in the same step
                elif when in self.sends:
                    self._replace_sends(lambda sends: _without(sends, when))
                else:
                    break
            self._update_fast_path(when)

    def drain(self, now: float, left: int) -> None:
        """Lower the remaining sends to this number; never raises it."""
        with self._lock:
            self.fast_path = False
            self.sends.extend([now] * max(0, self._left(now) - max(0, left)))
            self._update_fast_path(now)

    def retune(self, max_sends: int, span: float, more: Iterable[float] = ()) -> list[float]:
        """Allow another number of sends in another span from now on.

        Args:
            max_sends: the new limit.
            span: its seconds.
            more: instants of sends that count here from now on.

        Returns:
            The oldest sends, as far as the new window cannot hold them.
        """
        with self._lock:
            self.fast_path = False  # before the sends are read: from here on only `take` sends
            added, self.span = tuple(more), max(span, self.span)
            instants: list[float] = []

            def merge(sends: tuple[float, ...]) -> list[float]:
                instants[:] = sorted(instant for instant in (*sends, *added) if instant > -inf)
                return [-inf] * max_sends + instants

            self._replace_sends(merge, max_sends)
            self.span = span
        return instants[:-max_sends]

    # --- under the lock -----------------------------------------------------------------------

    def _spend(self, now: float, weight: int) -> None:
        self.sends.extend([now] * weight)

    def _replace_sends(
        self, change: Callable[[tuple[float, ...]], Iterable[float]], max_sends: int | None = None
    ) -> None:
        """Replace the sends in one step, without losing what a signal handler sends meanwhile."""
        late = self._late = list[float]()
        max_sends = self.max_sends if max_sends is None else max_sends
        changed = deque(change(tuple(self.sends)), maxlen=max_sends)
        self.sends, self.max_sends, self._late = changed, max_sends, None
        changed.extend(late)

    def _ready_by_sends(self, now: float, weight: int) -> float:
        """Return the instant from which the sends alone allow an attempt: a span after each that it pushes out.

        They are read by index: a driver may append meanwhile, and an iterator over a changed deque raises.
        """
        sends = self.sends
        if weight > len(sends):
            return inf
        if weight < 2:
            return max(now, sends[0] + self.span) if weight else now
        return max(now, max([sends[index] for index in range(weight)]) + self.span)

    def _left(self, now: float) -> int:
        # All in C: no other thread runs meanwhile, so a driver's append cannot change the deque. Oldest first.
        return bisect_right(self.sends, now, key=float(self.span).__add__)

    def _update_fast_path(self, now: float) -> None:
        self.fast_path = not (self._tickets or self._held_until > now)


def _without(sends: tuple[float, ...], when: float) -> tuple[float, ...]:
    """Return the sends without one of this instant; a free place comes first."""
    index = sends.index(when)
    return (-inf, *sends[:index], *sends[index + 1 :])
