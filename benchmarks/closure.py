"""The lower bound of the cost: the same work written by hand for one function, in one closure without a lock.

On the success path it does what a policy with everything on does: one clock read, a deadline that nested calls inherit,
the check of a failure-rate breaker, the deposit of a retry budget, the window of a quota, the attempt timeout, a
context for the transport, a check of the result, and a count of the success in the breaker's window. A failure goes to
a slow loop that is not measured.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from itertools import count
from typing import Any

CONTEXT: ContextVar[Any] = ContextVar("closure_context", default=None)
PLAIN_TYPES = frozenset({type(None), bool, int, float, str, bytes, list, tuple, set})
DEADLINE, ATTEMPT, ATTEMPTS, RATIO, SPAN, MIN_CALLS, RATE = 30.0, 8.0, 3, 0.2, 10.0, 20, 0.8
BURST, QUOTA_SPAN = 10_000, 0.01  # as in `ours.py`: so large that it never delays a benchmark


class Counts:
    """Counts calls, failures and retries of the last ten seconds, in slices of one second."""

    def __init__(self) -> None:
        self.next = count(1).__next__
        self.seen = self.failed = 0
        self.end = 0.0
        self.marks: deque[tuple[float, int, int]] = deque([(0.0, 0, 0)], maxlen=12)

    def close_slice(self, now: float) -> None:
        self.marks.append((now, self.seen, self.failed))
        self.end = now + SPAN / 10

    def last(self, now: float) -> tuple[int, int]:
        seen = failed = 0
        for when, calls, failures in self.marks:
            if when > now - SPAN:
                break
            seen, failed = calls, failures
        return self.seen - seen, self.failed - failed


class Breaker:
    """The breaker's state; a truthy `open_until` rejects."""

    def __init__(self) -> None:
        self.open_until = 0.0
        self.counts = Counts()

    def failed(self, now: float) -> None:
        self.counts.failed += 1
        succeeded, failed = self.counts.last(now)
        if succeeded + failed >= MIN_CALLS and failed >= RATE * (succeeded + failed):
            self.open_until = now + 1.0


def delay(attempt: int) -> float:
    return min(0.2 * 2 ** (attempt - 1), 5.0) * random.random()


def closure(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return `fn` with everything on."""
    now, breaker, deposits = time.monotonic, Breaker(), Counts()
    outcomes = breaker.counts
    sends: deque[float] = deque([-1e9] * BURST, maxlen=BURST)
    record_send, get_context, set_context, reset_context = sends.append, CONTEXT.get, CONTEXT.set, CONTEXT.reset

    def call(*args: Any, **kwargs: Any) -> Any:
        started = now()
        outer = get_context()
        deadline = started + DEADLINE
        if outer is not None and outer[0] < deadline:
            deadline = outer[0]
        if breaker.open_until and started < breaker.open_until:
            raise ConnectionRefusedError("open")
        if sends[0] + QUOTA_SPAN > started:
            time.sleep(sends[0] + QUOTA_SPAN - started)  # a quota has to wait
        record_send(started)
        if started >= deposits.end:
            deposits.close_slice(started)
        deposits.seen = deposits.next()
        until = started + ATTEMPT
        if until > deadline:
            until = deadline
        token = set_context((deadline, until, 1))
        try:
            result = fn(*args, **kwargs)
            error = None if result.__class__ in PLAIN_TYPES else _error_in(result)
        except Exception as raised:
            error = raised
        finally:
            reset_context(token)
        if error is None:
            if started >= outcomes.end:
                outcomes.close_slice(started)
            outcomes.seen = outcomes.next()
            return result
        return handle_failure(error, deadline, fn, args, kwargs)

    def handle_failure(error: Any, deadline: float, fn: Any, args: Any, kwargs: Any) -> Any:
        for attempt in range(1, ATTEMPTS + 1):
            breaker.failed(now())
            calls, retries = deposits.last(now())
            if attempt == ATTEMPTS or retries + 1 > max(RATIO * calls, SPAN) or now() > deadline:
                raise error
            deposits.failed += 1
            time.sleep(delay(attempt))  # a backoff has to wait
            try:
                return fn(*args, **kwargs)
            except Exception as raised:
                error = raised
        raise error

    return call


def async_closure(fn: Callable[..., Any], *, cut: bool) -> Callable[..., Any]:
    """Return async `fn` with everything on; `cut` interrupts an attempt at its timeout with one timer."""
    now, breaker, deposits = time.monotonic, Breaker(), Counts()
    outcomes = breaker.counts
    sends: deque[float] = deque([-1e9] * BURST, maxlen=BURST)
    record_send, get_context, set_context, reset_context = sends.append, CONTEXT.get, CONTEXT.set, CONTEXT.reset

    async def call(*args: Any, **kwargs: Any) -> Any:
        started = now()
        outer = get_context()
        deadline = started + DEADLINE
        if outer is not None and outer[0] < deadline:
            deadline = outer[0]
        if breaker.open_until and started < breaker.open_until:
            raise ConnectionRefusedError("open")
        if sends[0] + QUOTA_SPAN > started:
            await asyncio.sleep(sends[0] + QUOTA_SPAN - started)
        record_send(started)
        if started >= deposits.end:
            deposits.close_slice(started)
        deposits.seen = deposits.next()
        until = started + ATTEMPT
        if until > deadline:
            until = deadline
        token = set_context((deadline, until, 1))
        try:
            if cut:
                task: Any = asyncio.current_task()
                timer = asyncio.get_running_loop().call_later(until - started, task.cancel)
                try:
                    result = await fn(*args, **kwargs)
                except asyncio.CancelledError:
                    if now() < until or task.uncancel():
                        raise
                    raise TimeoutError from None
                finally:
                    timer.cancel()
            else:
                result = await fn(*args, **kwargs)
            error = None if result.__class__ in PLAIN_TYPES else _error_in(result)
        except Exception as raised:
            error = raised
        finally:
            reset_context(token)
        if error is None:
            if started >= outcomes.end:
                outcomes.close_slice(started)
            outcomes.seen = outcomes.next()
            return result
        return await handle_failure(error, deadline, fn, args, kwargs)

    async def handle_failure(error: Any, deadline: float, fn: Any, args: Any, kwargs: Any) -> Any:
        for attempt in range(1, ATTEMPTS + 1):
            breaker.failed(now())
            calls, retries = deposits.last(now())
            if attempt == ATTEMPTS or retries + 1 > max(RATIO * calls, SPAN) or now() > deadline:
                raise error
            deposits.failed += 1
            await asyncio.sleep(delay(attempt))
            try:
                return await fn(*args, **kwargs)
            except Exception as raised:
                error = raised
        raise error

    return call


def _error_in(result: Any) -> Any:
    return result.get("error") if isinstance(result, dict) else None
