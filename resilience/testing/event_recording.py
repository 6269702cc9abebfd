"""Records the events of a block, and configures policies for a block."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from .._core.base.clock import Clock
from .._core.base.event import Event
from .._core.base.events import Listener
from .._entry import configured
from .._entry.policies import Policies
from .fake_clock import FakeClock

__all__ = ["fresh_policies", "recorded_events"]


class _Subscribable(Protocol):
    def subscribe(self, listener: Listener, /) -> Callable[[], None]: ...


@contextmanager
def recorded_events(policies: _Subscribable | None = None) -> Iterator[list[Event]]:
    """Return a context manager whose list receives each event of `policies`, or of the configured ones.

    Example:
        >>> from resilience import Policies
        >>> with recorded_events(Policies.builtin()) as events:
        ...     pass
        >>> [event.name for event in events]
        []
    """
    events: list[Event] = []
    unsubscribe = (policies or configured.configured_policies()).subscribe(events.append)
    try:
        yield events
    finally:
        unsubscribe()


@contextmanager
def fresh_policies(
    source: str | os.PathLike[str] | Mapping[str, Any] | None = None, *, clock: Clock | None = None
) -> Iterator[Policies]:
    """Configure policies for a block, with new breakers, budgets and quotas.

    The policies that were configured before are configured again at the end. Decorated functions and wrapped clients
    follow both changes.

    Args:
        source: a policy file or a mapping of its shape; None loads the default policies:
            `$RESILIENCE_POLICIES`, else `resilience.yaml` in the working directory, else the built-ins.
        clock: measures deadlines and waits; a new `FakeClock` by default.

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
    clock = FakeClock() if clock is None else clock
    if source is None:
        policies = configured.default_policies(clock=clock)
    elif isinstance(source, Mapping):
        policies = Policies.from_mapping(source, clock=clock)
    else:
        policies = Policies.load(source, clock=clock)
    before = configured.set_configured(policies)
    try:
        yield policies
    finally:
        configured.set_configured(before)
