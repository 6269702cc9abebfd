"""A first attempt that is refused: nothing was sent, and the caller gets one of our errors that says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import CircuitOpenError, DeadlineExceededError
from ..classify.attach import keep
from .attempt_gate import OPEN, POLL, Door
from .plan import Plan, Ticket

__all__ = ["Patience", "admitted", "out_of_time", "shut_out", "turned_away"]


def admitted(plan: Plan, outer: object, now: float, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Ticket:
    """Ask the breaker outside the closed state.

    Raises:
        CircuitOpenError: the breaker refused the call.
    """
    assert plan.breaker is not None
    ticket = plan.breaker.admit(now, urgent=plan.urgent(args, kwargs))
    plan.tell_breaker()
    if ticket is None:
        raise _open(plan, outer, plan.breaker.ready_at(now))
    return ticket


class Patience:
    """A first attempt that waits for the breaker (`wait: all`): iterating gives the seconds of each wait.

    Attributes:
        ticket: the breaker's leave, once the iteration has ended.
    """

    __slots__ = ("_deadline", "_now", "_outer", "_plan", "_urgent", "ticket")

    def __init__(self, plan: Plan, outer: object, now: float, deadline: float, *, urgent: bool = False) -> None:
        self._plan = plan
        self._outer = outer
        self._now = now
        self._deadline = deadline
        self._urgent = urgent
        self.ticket: Ticket = 0

    def __iter__(self) -> Iterator[float]:
        """Wait until the breaker admits.

        Raises:
            CircuitOpenError: it will not do so before the deadline.
        """
        plan, breaker, clock, skipped = self._plan, self._plan.breaker, self._plan.clock, 0.0
        assert breaker is not None
        while True:
            ticket = breaker.admit(self._now, urgent=self._urgent)
            plan.tell_breaker()
            if ticket is not None:
                self.ticket = ticket
                return
            ready = breaker.ready_at(self._now)
            at = ready if ready > self._now else self._now + POLL
            if at >= self._deadline:
                raise _open(plan, self._outer, ready)
            yield at - self._now
            skipped = max(skipped, at - clock.monotonic())  # a wait that was cut short on purpose (tests do) is over
            self._now = clock.monotonic() + skipped


def shut_out(plan: Plan, outer: object, now: float) -> Exception:
    """Return the refusal of a call whose breaker is open and will be for a while: nobody need be asked."""
    assert plan.breaker is not None
    return _told(plan, plan.refusal(CircuitOpenError, OPEN, plan.breaker.shut_until, now), outer)


def out_of_time(plan: Plan, outer: object) -> Exception:
    """Return the refusal of a call whose outer deadline has passed already."""
    return _told(plan, plan.refusal(DeadlineExceededError, "the deadline has passed, nothing was sent"), outer)


def _open(plan: Plan, outer: object, ready: float) -> Exception:
    return _told(plan, plan.refusal(CircuitOpenError, OPEN, ready), outer)


def turned_away(plan: Plan, door: Door, outer: object) -> Exception:
    """Return the refusal of a call whose first attempt did not pass its door, which lets go of it."""
    refusal, door.refusal = door.refusal, None
    return _told(plan, refusal, outer)


def _told(plan: Plan, refusal: Any, outer: object) -> Exception:
    if outer is not None:
        keep(refusal, None, outer)
    if plan.events.listeners:
        plan.tell(
            "call_rejected",
            category="retryable",
            executed="no",
            retry_after=refusal.retry_after,
            caused_by=type(refusal).__name__,
        )
    assert isinstance(refusal, Exception)
    return refusal
