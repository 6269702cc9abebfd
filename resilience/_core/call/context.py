"""Holds the context of an attempt: what inner calls inherit (never the key), and what a transport may read.

The context variable holds a plain list, because setting and resetting it is part of every success. The list is emptied
when the attempt ends. So what was started inside the attempt and outlives it (a task, a timer, a thread, a stream)
inherits nothing any more, although its copy of the context still holds the list. Whoever reads the list copies it
first, because another thread may empty it in between.
"""

from __future__ import annotations

from contextvars import Context, ContextVar, copy_context
from math import inf
from typing import Any, NamedTuple, Protocol

from ..base.clock import Clock
from ..base.deprecation import warn_safely
from ..stages.fence import Fence
from .send_log import SendLog

__all__ = ["CONTEXT", "CallContext", "CurrentCall", "clean_context", "current_call", "inherited"]


class Owner(Protocol):
    """What a context refers to: the plan of the operation that the attempt is made for."""

    operation: str
    clock: Clock

    @property
    def quotas(self) -> Any:
        """Return what the operation pays, or None."""

    @property
    def window(self) -> float | None:
        """Return the seconds for which the policy wants a stamp to be accepted, or None."""

    def report_limits(self, **limits: float | None) -> None:
        """Take what the API says of its limits."""

    def isolation_error(self, *, in_lookup: bool) -> Exception | None:
        """Return the error of an attempt that must not be sent any more, or None."""


class CallContext(NamedTuple):
    """The context of one attempt.

    A driver leaves the last fields out where they have their defaults: a shorter list is made faster.

    Attributes:
        owner: the plan of the operation.
        deadline: end of the call, a monotonic instant of the owner's clock; inf for none.
        until: end of the attempt, likewise.
        key: the idempotency key, or None.
        stamps: takes the stamps with which the attempts are signed, and whether one lacked the key; or None.
        attempt: number of the attempt, from 1.
        in_lookup: the attempt is that of a reconciler: its calls pay no retry budget.
    """

    owner: Owner
    deadline: float
    until: float
    key: str | None = None
    stamps: SendLog | None = None
    attempt: int = 1
    in_lookup: bool = False


# One variable for the whole context: each further one would add a set and a reset to every success.
CONTEXT: ContextVar[Any] = ContextVar("resilience_call", default=None)
"""The innermost attempt: a list in the order of `CallContext`, which may end early; empty once it has ended."""


def inherited() -> CallContext | None:
    """Return the context of the innermost attempt that is still under way, or None."""
    context = CONTEXT.get()
    # Copied in one call into C. The list may end early: the named tuple fills in the defaults.
    values = () if context is None else tuple(context)
    return CallContext(*values) if values else None


def clean_context() -> Context:
    """Return a copy of the present context in which no call is under way, for what lives longer than a call."""
    context = copy_context()
    context.run(_forget_call)
    return context


def _forget_call() -> None:
    CONTEXT.set(None)


class CurrentCall:
    """The attempt under way, as the code that sends it may read it and report to it. Times are seconds."""

    __slots__ = ("_context",)

    def __init__(self, context: CallContext) -> None:
        self._context = context

    @property
    def operation(self) -> str:
        """Return the operation's name."""
        return self._context.owner.operation

    @property
    def attempt(self) -> int:
        """Return the number of this attempt, from 1."""
        return self._context.attempt

    @property
    def key(self) -> str | None:
        """Return the idempotency key, the same for every attempt, or None."""
        return self._context.key

    @property
    def timeout(self) -> float | None:
        """Return the seconds left for this attempt, never below 0, or None without a limit."""
        return self._left(self._context.until)

    @property
    def deadline(self) -> float | None:
        """Return the seconds left for the whole call, never below 0, or None without a limit."""
        return self._left(self._context.deadline)

    @property
    def now(self) -> float:
        """Return the Unix time in seconds, of the call's own clock."""
        return self._context.owner.clock.time()

    @property
    def window(self) -> float | None:
        """Return the seconds for which the policy wants a stamp to be accepted, or None."""
        return self._context.owner.window

    def stamp(self, seconds: float) -> None:
        """Report the stamp, Unix seconds, with which this attempt is signed; the fence starts from it."""
        if self._context.stamps is not None:
            self._context.stamps.append(seconds)

    def record_stamp(self, seconds: float) -> Any:
        """Report the stamp as `stamp` does, in code that can await; an outbox then does not block the event loop.

        Returns:
            What an async transport must await before it sends anything, or None.
        """
        return None if self._context.stamps is None else self._context.stamps.record_stamp(seconds)

    def report_key_missing(self) -> None:
        """Report that the finished request of this attempt does not carry the key: nothing can be looked up by it."""
        if self._context.stamps is not None:
            self._context.stamps.key_missing = True

    def report_key_unused(self) -> None:
        """Report that the request of this attempt takes no key, because it changes something that is there already."""
        if self._context.stamps is not None:
            self._context.stamps.key_unused = True

    def report_fence(self, fence: Fence) -> None:
        """Report the bounds W, P and L of the request that is about to be sent, as its finished form says them."""
        if self._context.stamps is not None:
            self._context.stamps.fence = fence

    def check_isolation(self) -> None:
        """Raise if the policy was isolated since the attempt began. Call it just before anything is sent.

        Raises:
            CircuitOpenError: the policy is isolated. The error is of the client's own kind too.
        """
        error = self._context.owner.isolation_error(in_lookup=self._context.in_lookup)
        if error is not None:
            raise error

    @property
    def has_quota(self) -> bool:
        """Return whether there is a quota that `report_limits` would change."""
        return self._context.owner.quotas is not None

    def report_limits(
        self,
        *,
        remaining: float | None = None,
        resets_in: float | None = None,
        hold: float | None = None,
        limit: float | None = None,
        window: float | None = None,
        used: float | None = None,
    ) -> None:
        """Report to the quota what the API says of its limits. Nothing raises: impossible values are ignored.

        Args:
            remaining: requests that are left in the window.
            resets_in: seconds until the window begins again.
            hold: seconds in which nothing may be sent, by any call that this quota counts.
            limit: requests that the window allows.
            window: the length of the window in seconds.
            used: requests used in the window.
        """
        if self.has_quota:
            self._context.owner.report_limits(
                remaining=remaining, resets_in=resets_in, hold=hold, limit=limit, window=window, used=used
            )

    @property
    def limited(self) -> bool:
        """The name that `has_quota` had in 0.1. Deprecated."""
        warn_safely("current_call().limited is deprecated: use has_quota")
        return self.has_quota

    def told_limits(self, **limits: Any) -> None:
        """Do as `report_limits`, with a `DeprecationWarning`: the name of 0.1. Nothing raises."""
        # The answer has arrived: an error here would lose it, and make a call that succeeded uncertain.
        warn_safely("current_call().told_limits is deprecated: use report_limits")
        self.report_limits(**{name: value for name, value in limits.items() if name in _LIMITS})

    def _left(self, instant: float) -> float | None:
        return None if instant == inf else max(0.0, instant - self._context.owner.clock.monotonic())


_LIMITS = frozenset(CurrentCall.report_limits.__kwdefaults__ or ())


def current_call() -> CurrentCall | None:
    """Return the innermost call under way here, or None outside a pipeline."""
    context = inherited()
    return None if context is None else CurrentCall(context)
