"""Measures the memory of calls that wait: in the backoff of a retry, for a quota, and for a slot.

python -m benchmarks.waiting_calls [--calls N] [--write]
"""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Any

from .ours import EVERYTHING, compiled
from .rounds import at_most, parse_options, report, table, target_table

LIMIT = 4_000
BACKOFF = "**resilience**, in backoff"
RETRY: dict[str, Any] = {
    "max_attempts": 2,
    "backoff": {"kind": "constant", "initial": "60s", "max": "60s", "jitter": "none"},
}


NOT_MET = """Fewer coroutines around a wait took 1.0 kB off a call in backoff, a set that is nearly always empty 0.2 kB,
and what is made when it is needed, or dropped before the wait, 0.4 kB (tenacity's state, the permit of a trial, the
timer, the step). On CPython 3.13 the rest is, by `tracemalloc`: 1.1 kB the task and its sleep; 1.2 kB our coroutine and
the frame object that the error's traceback makes of it (16 bytes for each of its 53 variables and places on the stack);
0.5 kB the error with its own frame; 0.6 kB the coroutine and the generator of the recovery; 1.3 kB eleven objects of
the recovery; 0.3 kB small numbers and tuples. Were the eleven one, 0.5 kB would go. To take our entry off the traceback
would free 72 bytes, because the frame object lives as long as the coroutine. So 4,000 need a smaller hot path."""


async def failing() -> int:
    raise ConnectionRefusedError("no")


async def answering() -> int:
    await asyncio.sleep(60.0)
    return 1


def ours(fn: Callable[..., Awaitable[Any]], **settings: Any) -> Callable[[], Awaitable[Any]]:
    ample = {"budget": None, "breaker": {"failure_rate": "100%", "min_calls": 1_000_000}, "deadline": "90s"}
    call: Callable[[], Awaitable[Any]] = compiled(fn, **{**EVERYTHING, **ample, **settings})
    return call


def tenacity_in_backoff() -> Callable[[], Awaitable[Any]]:
    from tenacity import retry, stop_after_attempt, wait_fixed

    call: Callable[[], Awaitable[Any]] = retry(stop=stop_after_attempt(3), wait=wait_fixed(60), reraise=True)(failing)
    return call


def semaphore() -> Callable[[], Awaitable[Any]]:
    async def call() -> int:
        async with slots:
            return await answering()

    slots = asyncio.Semaphore(1)
    return call


def rows() -> dict[str, Callable[[], Callable[[], Awaitable[Any]]]]:
    """Return what makes the call of each row, in the loop in which it is made."""
    return {
        BACKOFF: lambda: ours(failing, retry=RETRY),
        "**resilience**, for a quota": lambda: ours(answering, quota=[{"rate": 1000, "burst": 1}]),
        "**resilience**, for a slot": lambda: ours(
            answering, admission={"max_concurrent": 1, "max_queue": 100_000, "queue_timeout": "80s"}
        ),
        "tenacity, in backoff": tenacity_in_backoff,
        "asyncio.Semaphore": semaphore,
        "asyncio.sleep alone": lambda: answering,
    }


async def bytes_per_call(make: Callable[[], Callable[[], Awaitable[Any]]], calls: int) -> float:
    """Return the bytes that are allocated for each of so many calls while all of them wait."""
    call = make()
    first = asyncio.ensure_future(call())  # what is loaded at the first failure is loaded
    await asyncio.sleep(0.05)
    gc.collect()
    tracemalloc.start()
    tasks = [asyncio.ensure_future(call()) for _ in range(calls)]
    for _ in range(5):
        await asyncio.sleep(0)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    for task in (first, *tasks):
        task.cancel()
    await asyncio.gather(first, *tasks, return_exceptions=True)
    return used / calls


def main() -> None:
    options = parse_options(__doc__, calls=10_000)
    measured = {name: asyncio.run(bytes_per_call(make, options.calls)) for name, make in rows().items()}
    report(
        "waiting_calls",
        "The memory of waiting calls",
        f"{options.calls:,} tasks of asyncio wait at the same time. Bytes a call by `tracemalloc`, the task included.",
        "## Targets and measured figures\n\n"
        + target_table([at_most("a call in backoff, bytes", LIMIT, measured[BACKOFF])]),
        f"## What is not met\n\n{NOT_MET}",
        "## Each row\n\n" + table(("", "bytes a call"), [(name, f"{size:,.0f}") for name, size in measured.items()]),
        write=options.write,
        by_version=True,
    )


if __name__ == "__main__":
    main()
