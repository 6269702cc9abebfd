"""The floor: what one would write by hand for one function, in one closure without a lock.

It has the same duties on the success path as a policy with everything on: one clock read, a deadline that
nested calls inherit, a rate breaker's gate, a retry budget's deposit, a quota's window, the attempt's
limit, a context that a transport can read, a check of the result, and a count of the success in the
breaker's window. A failure goes to a loop that is slow and that nobody times.

There is no way to do less and still do these; what a library costs beyond it is its own.
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

PLACE: ContextVar[Any] = ContextVar("closure_place", default=None)
PLAIN = frozenset({type(None), bool, int, float, str, bytes, list, tuple, set})
DEADLINE, ATTEMPT, ATTEMPTS, RATIO, SPAN, MIN_CALLS, RATE = 30.0, 8.0, 3, 0.2, 10.0, 20, 0.8
BURST, QUOTA_SPAN = 10_000, 0.01  # as in `ours.py`: never in the way of a benchmark


class Counts:
    """Calls, failures and retries of the last ten seconds; a slice is closed once a second."""

    def __init__(self) -> None:
        self.next = count(1).__next__
        self.seen = self.failed = 0
        self.end = 0.0
        self.marks: deque[tuple[float, int, int]] = deque([(0.0, 0, 0)], maxlen=12)

    def turn(self, now: float) -> None:
        self.marks.append((now, self.seen, self.failed))
        self.end = now + SPAN / 10

    def last(self, now: float) -> tuple[int, int]:
        seen = failed = 0
        for at, one, other in self.marks:
            if at > now - SPAN:
                break
            seen, failed = one, other
        return self.seen - seen, self.failed - failed


class Gate:
    """The breaker's state: a truthy `open_until` refuses."""

    def __init__(self) -> None:
        self.open_until = 0.0
        self.counts = Counts()

    def failed(self, now: float) -> None:
        self.counts.failed += 1
        good, bad = self.counts.last(now)
        if good + bad >= MIN_CALLS and bad >= RATE * (good + bad):
            self.open_until = now + 1.0


def delay(attempt: int) -> float:
    return min(0.2 * 2 ** (attempt - 1), 5.0) * random.random()


def closure(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return `fn` with everything on."""
    now, gate, deposits = time.monotonic, Gate(), Counts()
    goods = gate.counts
    sends: deque[float] = deque([-1e9] * BURST, maxlen=BURST)
    pay, here, enter, leave = sends.append, PLACE.get, PLACE.set, PLACE.reset

    def call(*args: Any, **kwargs: Any) -> Any:
        started = now()
        outer = here()
        deadline = started + DEADLINE
        if outer is not None and outer[0] < deadline:
            deadline = outer[0]
        if gate.open_until and started < gate.open_until:
            raise ConnectionRefusedError("open")
        if sends[0] + QUOTA_SPAN > started:
            time.sleep(sends[0] + QUOTA_SPAN - started)  # the duty of a quota
        pay(started)
        if started >= deposits.end:
            deposits.turn(started)
        deposits.seen = deposits.next()
        until = started + ATTEMPT
        if until > deadline:
            until = deadline
        token = enter((deadline, until, 1))
        try:
            result = fn(*args, **kwargs)
            error = None if result.__class__ in PLAIN else _error_in(result)
        except Exception as raised:
            error = raised
        finally:
            leave(token)
        if error is None:
            if started >= goods.end:
                goods.turn(started)
            goods.seen = goods.next()
            return result
        return again(error, deadline, fn, args, kwargs)

    def again(error: Any, deadline: float, fn: Any, args: Any, kwargs: Any) -> Any:
        for attempt in range(1, ATTEMPTS + 1):
            gate.failed(now())
            calls, retries = deposits.last(now())
            if attempt == ATTEMPTS or retries + 1 > max(RATIO * calls, SPAN) or now() > deadline:
                raise error
            deposits.failed += 1
            time.sleep(delay(attempt))  # the duty of a backoff
            try:
                return fn(*args, **kwargs)
            except Exception as raised:
                error = raised
        raise error

    return call


def aclosure(fn: Callable[..., Any], *, cut: bool) -> Callable[..., Any]:
    """Return async `fn` with everything on; `cut` interrupts an attempt at its limit by one timer."""
    now, gate, deposits = time.monotonic, Gate(), Counts()
    goods = gate.counts
    sends: deque[float] = deque([-1e9] * BURST, maxlen=BURST)
    pay, here, enter, leave = sends.append, PLACE.get, PLACE.set, PLACE.reset

    async def call(*args: Any, **kwargs: Any) -> Any:
        started = now()
        outer = here()
        deadline = started + DEADLINE
        if outer is not None and outer[0] < deadline:
            deadline = outer[0]
        if gate.open_until and started < gate.open_until:
            raise ConnectionRefusedError("open")
        if sends[0] + QUOTA_SPAN > started:
            await asyncio.sleep(sends[0] + QUOTA_SPAN - started)
        pay(started)
        if started >= deposits.end:
            deposits.turn(started)
        deposits.seen = deposits.next()
        until = started + ATTEMPT
        if until > deadline:
            until = deadline
        token = enter((deadline, until, 1))
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
            error = None if result.__class__ in PLAIN else _error_in(result)
        except Exception as raised:
            error = raised
        finally:
            leave(token)
        if error is None:
            if started >= goods.end:
                goods.turn(started)
            goods.seen = goods.next()
            return result
        return await again(error, deadline, fn, args, kwargs)

    async def again(error: Any, deadline: float, fn: Any, args: Any, kwargs: Any) -> Any:
        for attempt in range(1, ATTEMPTS + 1):
            gate.failed(now())
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
