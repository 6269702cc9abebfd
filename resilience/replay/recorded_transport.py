"""Plays the part of the API during a replay: attempts, lookups and random waits go as they were recorded.

The replayed call of the running task is in a context variable, because a pipeline calls its transport without
arguments.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from .._core.base.context_variables import reset_variable
from .._core.base.event import Event
from .._core.call.lookup_answer import NOT_FOUND, Found
from .._core.policy.backoff import bounds
from .._core.policy.policy import Policy
from .recorded_calls import RecordedCall

__all__ = ["NotRecorded", "ReplayedCall", "draw", "look_up", "note_event", "replaying", "send"]

_MIDDLE = 0.5  # of a wait's range, for waits that the log does not have
_ROUNDED = 0.005  # seconds by which a line may differ from what was waited


class NotRecorded(BaseException):
    """The pipeline made an attempt that the log does not have. A BaseException, so that no pipeline retries it."""


@dataclass(slots=True)
class ReplayedCall:
    """A recorded call and what happened to it under the changed policies.

    Attributes:
        recorded: the call as the log has it.
        policy: name of its policy under the changed file; None if the file has no policy of that name.
        settings: the settings of that policy.
        attempts: attempts made; one more than were recorded if the pipeline would have tried again.
        waited: seconds waited between attempts.
        outcome: as in the log, or `not recorded` (an attempt that the log does not have), or `not judged`.
        failures: (category, code, registry) of each failed attempt, by the changed tables.
        executed: whether the call may have taken effect: `no`, `maybe` or None.
        rejected_by: class of the rejection.
    """

    recorded: RecordedCall
    policy: str | None = None
    settings: Policy | None = None
    attempts: int = 0
    waited: float = 0.0
    outcome: str = "not judged"
    failures: list[tuple[str | None, str | None, str | None]] = field(default_factory=list)
    executed: str | None = None
    rejected_by: str | None = None


_CURRENT: ContextVar[ReplayedCall | None] = ContextVar("resilience_replayed", default=None)


@contextmanager
def replaying(call: ReplayedCall) -> Iterator[None]:
    """Make this the call whose attempts the running task replays."""
    token = _CURRENT.set(call)
    try:
        yield
    finally:
        reset_variable(_CURRENT, token)


async def send() -> Any:
    """Take as long as the recorded attempt of this number, then fail as it failed.

    Raises:
        NotRecorded: the log has no such attempt.
    """
    call = _CURRENT.get()
    if call is None:
        return None  # one of the successful calls that the log does not have
    attempts, call.attempts = call.recorded.attempts, call.attempts + 1
    if call.attempts <= len(attempts):
        attempt = attempts[call.attempts - 1]
        # Virtual time: the attempt takes as long as the recorded one.
        await asyncio.sleep(attempt.duration)
        raise attempt.error()
    if call.recorded.outcome == "recovered" and call.attempts == len(attempts) + 1:
        return None
    raise NotRecorded


async def look_up(context: Any) -> Any:
    """Answer a lookup: found where the log says that the call was reconciled, otherwise not found."""
    call = _CURRENT.get()
    assert call is not None
    # The recorded lookup found it after the last failed attempt; earlier ones found nothing.
    if call.recorded.outcome == "reconciled" and context.attempt >= len(call.recorded.attempts):
        return Found(None)
    return NOT_FOUND


def draw() -> float:
    """Return the random number that gives the recorded wait, if the changed policy could have waited so long.

    A wait is `least + draw * (most - least)`. The formula is solved for the draw.
    """
    call = _CURRENT.get()
    if call is None or call.settings is None or call.settings.retry is None:
        return _MIDDLE
    recorded = call.recorded.waits.get(call.attempts)
    if recorded is None:
        return _MIDDLE
    least, most = bounds(call.settings.retry.backoff, call.attempts)
    if most <= least or not least - _ROUNDED <= recorded <= most + _ROUNDED:
        return _MIDDLE
    return min(1.0, max(0.0, (recorded - least) / (most - least)))


def note_event(event: Event) -> None:
    """Note what an event says about the call of the running task."""
    call = _CURRENT.get()
    if call is None:
        return
    if event.name == "attempt_failed":
        call.failures.append((event.category, event.code, event.registry))
    elif event.name == "call_reconciled":
        call.outcome = "reconciled"
    if event.waited_so_far is not None:
        call.waited = event.waited_so_far
    call.executed = event.executed or call.executed
