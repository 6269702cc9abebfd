"""Settles the open rows of an outbox, several at once: most of the time goes by with waiting for fences and answers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from .._core.base.routine import Invocation, Routine
from .._drivers.at_once import run_at_once, run_at_once_async
from .._drivers.routine_runner import routine_function
from .._drivers.system_clock import SystemClock
from .resumable import begin_resume, check_wrapped, turn_of
from .resume import ResumedWrite
from .row import Row
from .row_match import resolve_row
from .store_waits import LONGEST_WAIT, apoll, in_event_loop, poll
from .write_recorder import WriteRecorder

__all__ = ["settle_rows", "settle_rows_async"]

_AT_ONCE = 8  # rows; enough to wait for many fences at a time, and few enough for the rate limit of a lookup


def settle_rows(
    recorder: WriteRecorder, rows: Callable[[], list[Row]], client: Any, *, resend: bool, adopt: bool
) -> list[ResumedWrite]:
    """Settle open rows with a client whose calls block, each in a thread if there are several.

    A client that may not be one for threads gets its requests one at a time; see `turn_of`.

    Args:
        recorder: the recorder of the outbox.
        rows: lists them.
        client: the wrapped client.
        resend: whether to send a write again if it provably was not executed.
        adopt: they are another owner's, whose lease has ended.

    Returns:
        The outcomes, in the order of the rows, without those of writes that a call has.
    """
    check_wrapped(client)
    clock, wait = SystemClock(), 0.0 if in_event_loop() else LONGEST_WAIT

    def patiently(step: Callable[[], Any]) -> Any:
        return poll(step, clock, clock.monotonic() + wait)

    begin = partial(begin_resume, recorder, client, resend=resend, adopt=adopt, turn=turn_of(client))
    settle = routine_function(_settle, asynchronous=False)
    listed = patiently(rows)
    jobs = [partial(settle, partial(begin, row), patiently) for row in listed]
    return [write for write in run_at_once(jobs, _count_at_once(client, listed)) if write is not None]


async def settle_rows_async(
    recorder: WriteRecorder, rows: Callable[[], list[Row]], client: Any, *, resend: bool, adopt: bool
) -> list[ResumedWrite]:
    """Do as `settle_rows` with a client whose calls are awaited, each row in a task."""
    check_wrapped(client)
    clock = SystemClock()

    async def patiently(step: Callable[[], Any]) -> Any:
        return await apoll(step, clock, clock.monotonic() + LONGEST_WAIT)

    begin = partial(begin_resume, recorder, client, resend=resend, adopt=adopt)
    settle = routine_function(_settle, asynchronous=True)
    listed = await patiently(rows)
    jobs = [partial(settle, partial(begin, row), patiently) for row in listed]
    return [write for write in await run_at_once_async(jobs, _count_at_once(client, listed)) if write is not None]


def _count_at_once(client: Any, listed: list[Row]) -> int:
    """Return how many rows are settled at once: one where a test moves the clock, because such waits add up."""
    for row in listed:
        with suppress(Exception):  # a row that cannot be resumed is reported by its own job
            return 1 if hasattr(resolve_row(client, row).pipeline.clock, "advance") else _AT_ONCE
    return 1


def _settle(begin: Callable[[], Any], patiently: Callable[..., Any]) -> Routine[ResumedWrite | None]:
    # A row is claimed and taken only when its turn has come: its owner keeps it until then.
    step = yield Invocation(patiently, (begin,))
    if step is None or isinstance(step, ResumedWrite):
        return step
    settled: ResumedWrite = yield Invocation(step)
    return settled
