"""What pipelines tell during a block, and policies that are configured for the length of a block."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from .._core.base.clock import Clock
from .._core.base.events import Event, Listener
from .._entry import policies as _policies
from .._entry.policies import Policies
from .fake_clock import FakeClock

__all__ = ["fresh_policies", "recorded_events"]


class _Subscribable(Protocol):
    def subscribe(self, listener: Listener, /) -> Callable[[], None]: ...


@contextmanager
def recorded_events(policies: _Subscribable | None = None) -> Iterator[list[Event]]:
    """Give a list that fills with the events of `policies`, or of the configured ones when None is given.

    Example:
        >>> from resilience import Policies
        >>> with recorded_events(Policies.builtin()) as events:
        ...     pass
        >>> [event.name for event in events]
        []
    """
    events: list[Event] = []
    unsubscribe = (policies or _policies.configured_policies()).subscribe(events.append)
    try:
        yield events
    finally:
        unsubscribe()


@contextmanager
def fresh_policies(
    source: str | os.PathLike[str] | Mapping[str, Any] | None = None, *, clock: Clock | None = None
) -> Iterator[Policies]:
    """Configure policies for a block, with breakers, budgets and quotas that no other test has touched.

    What was configured before is configured again at the end. Decorated functions and wrapped clients
    follow both times.

    Args:
        source: a policy file or a mapping of its shape; None takes what an unconfigured process takes:
            `$RESILIENCE_POLICIES`, else `resilience.yaml` in the working directory, else the built-in policies.
        clock: their time; a new `FakeClock` by default.

    Raises:
        PolicyError: the source is wrong.

    Example:
        >>> from resilience import resilient
        >>> answers = iter([ConnectionRefusedError("busy"), 7])
        >>> @resilient(idempotent=True)
        ... def fetch():
        ...     answer = next(answers)
        ...     if isinstance(answer, Exception):
        ...         raise answer
        ...     return answer
        >>> with fresh_policies() as policies:
        ...     print(fetch(), len(policies.clock.sleeps))
        7 1
    """
    time = FakeClock() if clock is None else clock
    if source is None:
        fresh = _policies.default_policies(clock=time)
    elif isinstance(source, Mapping):
        fresh = Policies.from_mapping(source, clock=time)
    else:
        fresh = Policies.load(source, clock=time)
    before = _policies.set_configured(fresh)
    try:
        yield fresh
    finally:
        _policies.set_configured(before)
