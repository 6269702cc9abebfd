"""A circuit breaker on pybreaker's states: pybreaker holds state, storage and listeners, we decide.

The law of this file: every admitted attempt is settled exactly once, and a settlement counts only
in the generation that admitted it. User-fixable and fatal answers are neutral: they neither trip
the breaker nor dilute its rate, and in half-open they give the permit back. A closed breaker takes
no lock for a success. Time is the pipeline's monotonic clock alone.

The only importer of pybreaker, which is imported when a breaker first leaves `closed`.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from math import inf
from threading import Lock
from typing import TYPE_CHECKING, Any

from .policy import Breaker as Settings
from .window import Window

if TYPE_CHECKING:
    import pybreaker

__all__ = ["Breaker", "Permit"]

_TOLD = {"open": "circuit_opened", "half-open": "circuit_half_opened", "closed": "circuit_closed"}


class Permit:
    """Leave to make one trial while half-open; lost ones expire, so that they wedge nothing."""

    __slots__ = ("expires", "urgent")

    def __init__(self, expires: float, *, urgent: bool = False) -> None:
        self.expires = expires
        self.urgent = urgent


class Breaker:
    """Admits attempts or refuses them. Safe across threads and tasks.

    `gate` is the closed breaker's generation, or 0: one read decides the common case. A driver does
    inline what `admit` and `succeeded` do while it is closed: `gate`, `streak` and `goods` (the window
    of settled attempts) are there for it.
    """

    __slots__ = (
        "_clock",
        "_generations",
        "_isolated",
        "_lock",
        "_lost_after",
        "_open_for",
        "_pending",
        "_permits",
        "_settings",
        "_states",
                "_successes",
        "_until",
                "gate",
        "goods",
        "key",
        "streak",
    )  # fmt: skip

    def __init__(
        self, settings: Settings, clock: Callable[[], float], *, key: str = "", lost_after: float = 60.0
    ) -> None:
        """Begin closed.

        Args:
            settings: when it opens and for how long.
            clock: monotonic seconds.
            key: what it guards, for events and `describe`.
            lost_after: seconds after which a half-open permit that nobody settled is given out again.
        """
        self._settings = settings
        self._clock = clock
        self.key = key
        self._lost_after = lost_after
        self._lock = Lock()
        self._generations = count(1)
        self.gate = next(self._generations)
        self.goods = Window(settings.window, clock())
        self.streak = 0
        self._successes = 0
        self._permits: set[Permit] = set()
        self._until = 0.0
        self._open_for = settings.open_for
        self._isolated = False
        self._pending: list[str] = []
        self._states: pybreaker.CircuitBreaker | None = None

    # --- asked by every attempt -------------------------------------------------------------

    def admit(self, now: float, *, urgent: bool = False) -> int | Permit | None:
        """Let an attempt through: a generation while closed, a permit while half-open, None refuses.

        While half-open an urgent lane has one permit of its own, which it takes when the others are out.
        """
        gate = self.gate
        if gate:
            return gate
        with self._lock:
            if self.gate:
                return self.gate
            if self._isolated or now < self._until:
                return None
            if self.state == "open":
                self._turn("half_open")
            self._permits = {permit for permit in self._permits if permit.expires > now}
            own = sum(permit.urgent for permit in self._permits)
            full = len(self._permits) - own >= self._settings.half_open.permits
            if full and (own or not urgent):
                return None
            permit = Permit(now + self._lost_after, urgent=full)
            self._permits.add(permit)
            return permit

    def succeeded(self, ticket: int | Permit, now: float) -> None:
        """Settle an attempt that the service answered well."""
        if ticket == self.gate:
            self.streak = 0
            self.goods.add_common(now)
        elif isinstance(ticket, Permit):
            with self._lock:
                if ticket in self._permits:
                    self._permits.discard(ticket)
                    self._successes += 1
                    if self._successes >= self._settings.half_open.successes:
                        self._close(now)

    def failed(self, ticket: int | Permit, now: float) -> None:
        """Settle an attempt that the service failed."""
        states = self._states or _pybreaker(self.key, self._tell)  # made outside the lock: an import may run
        with self._lock:
            self._states = self._states or states
            if isinstance(ticket, Permit):
                if ticket in self._permits:
                    longest = max(self._settings.open_max, self._settings.open_for)  # it grows, it never shrinks
                    self._open_for = min(self._open_for * self._settings.growth, longest)
                    self._open(now)
            elif ticket == self.gate:
                self.streak += 1
                self.goods.add_rare(now)
                if self._tripped(now):
                    self._open(now)

    def released(self, ticket: int | Permit) -> None:
        """Settle an attempt that says nothing of the service (neutral), or that was abandoned."""
        if isinstance(ticket, Permit):
            with self._lock:
                self._permits.discard(ticket)

    def ready_at(self, now: float) -> float:
        """Return the monotonic instant from which an attempt may be admitted: `now`, later, or never (inf).

        While half-open it is `now`: a permit that is out may come back at any moment.
        """
        if self.gate:
            return now
        with self._lock:
            if self._isolated:
                return inf
            return max(now, self._until)

    # --- by hand ------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """Return `closed`, `open` or `half-open`; an open one turns half-open when the next attempt asks."""
        return "closed" if self._states is None else str(self._states.current_state)

    @property
    def settings(self) -> Settings:
        """Return the settings it was made from."""
        return self._settings

    def open(self) -> None:
        """Open it for the first open time, as a trip would."""
        self._load()
        with self._lock:
            self._isolated = False
            self._open_for = self._settings.open_for
            self._open(self._clock())

    def isolate(self) -> None:
        """Open it until `close` is called."""
        self._load()
        with self._lock:
            self._isolated = True
            self._open(self._clock())

    def close(self) -> None:
        """Close it and forget what it counted."""
        self._load()
        with self._lock:
            self._isolated = False
            self._close(self._clock())

    def drain(self) -> list[str]:
        """Return the names of the events since the last drain; asked after every lock is released."""
        pending = self._pending
        if not pending:
            return []
        with self._lock:
            told, self._pending = self._pending, []
        return told

    # --- under the lock -----------------------------------------------------------------------

    def _tripped(self, now: float) -> bool:
        settings = self._settings
        if settings.consecutive is not None and self.streak >= settings.consecutive:
            return True
        if settings.failure_rate is None:
            return False
        good, bad = self.goods.counts(now)
        return good + bad >= settings.min_calls and bad >= settings.failure_rate * (good + bad)

    def _open(self, now: float) -> None:
        self._until = now + self._open_for
        self.gate = 0
        self._reset()
        if self.state != "open":
            self._turn("open")

    def _close(self, now: float) -> None:
        changed = self.state != "closed"
        self._open_for = self._settings.open_for
        self._reset()
        self.goods.clear(now)
        self._until = 0.0
        if changed:
            self._turn("close")
        self.gate = next(self._generations)

    def _reset(self) -> None:
        self.streak = self._successes = 0
        self._permits = set()

    def _turn(self, change: str) -> None:
        getattr(self._load(), change)()

    def _load(self) -> pybreaker.CircuitBreaker:
        if self._states is None:
            self._states = _pybreaker(self.key, self._tell)
        return self._states

    def _tell(self, state: str) -> None:
        self._pending.append(_TOLD[state])


def _pybreaker(name: str, tell: Callable[[str], None]) -> pybreaker.CircuitBreaker:
    """Make pybreaker's part: states and listeners on a storage whose time is ours (it keeps none)."""
    import pybreaker

    class Storage(pybreaker.CircuitMemoryStorage):
        """Keeps the state; the time of opening is the breaker's own monotonic one, never a date."""

        @property
        def opened_at(self) -> None:
            return None

        @opened_at.setter
        def opened_at(self, _date: Any) -> None:
            pass

    class Told(pybreaker.CircuitBreakerListener):
        """Queues the change; events are sent when every lock is released."""

        def state_change(self, _breaker: Any, _old: Any, new: Any) -> None:
            tell(new.name)

    return pybreaker.CircuitBreaker(
        name=name,
        state_storage=Storage(pybreaker.STATE_CLOSED),
        listeners=[Told()],
        throw_new_error_on_trip=False,
    )
