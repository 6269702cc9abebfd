"""Who calls the service: clients of one kind, each with a state of its own, each a process in the real world."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from .._core.policy import Policy
from .._pipeline import Pipeline
from .._shared import Shared
from .loop import VirtualClock

__all__ = ["Call", "Client", "governed"]

Call = Callable[[], Awaitable[Any]]
Client = Callable[[Call, VirtualClock, Random], Call]
"""Puts one client's way of calling around the transport: (send, clock, random) → call."""


def governed(policy: Policy) -> Client:
    """Return clients whose calls are harmless to repeat and go through the real pipeline under this policy."""

    def client(send: Call, clock: VirtualClock, random: Random) -> Call:
        shared = Shared(clock, random=random.random)
        return Pipeline(policy, idempotent=True, shared=shared).compile(send)

    return client
