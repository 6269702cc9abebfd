"""Measures the cost of a call that succeeds, beside the bare call, a hand-written closure and peers.

python -m benchmarks.success [--rounds N] [--write]
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from resilience import resilient

from .closure import async_closure, closure
from .ours import EVERYTHING, compiled, without
from .peers import ASYNC, SYNC, installed
from .rounds import Times, async_rounds, at_most, parse_options, report, sync_rounds, table, target_table

BARE, FLOOR, OURS = "bare call", "hand-written closure, same duties", "**resilience, everything on**"
CUT, UNCUT = f"{OURS}, deadline interrupts", f"{OURS}, no deadline"


def nothing() -> int:
    return 1


async def nothing_async() -> int:
    return 1


def sync_rows() -> dict[str, Callable[[], Any]]:
    return {
        BARE: nothing,
        FLOOR: closure(nothing),
        OURS: compiled(nothing, **EVERYTHING),
        "resilience, @resilient with the built-in policy": resilient(idempotent=True)(nothing),
        "resilience, everything but the breaker": compiled(nothing, **without("breaker")),
        "resilience, everything but the budget": compiled(nothing, **without("budget")),
        "resilience, retry alone": compiled(nothing, retry=EVERYTHING["retry"]),
        **dict(installed(SYNC, nothing)),
    }


def async_rows() -> dict[str, Callable[[], Any]]:
    return {
        BARE: nothing_async,
        "hand-written closure, no deadline": async_closure(nothing_async, cut=False),
        "hand-written closure, deadline by a raw timer": async_closure(nothing_async, cut=True),
        UNCUT: compiled(nothing_async, **without("deadline", "attempt_timeout")),
        CUT: compiled(nothing_async, **EVERYTHING),
        "resilience, @resilient with the built-in policy": resilient(idempotent=True)(nothing_async),
        "resilience, retry alone": compiled(nothing_async, retry=EVERYTHING["retry"]),
        "asyncio.timeout alone": _timeout,
        **dict(installed(ASYNC, nothing_async)),
    }


async def _timeout() -> int:
    async with asyncio.timeout(8):
        return await nothing_async()


def ours_over(times: dict[str, Times], ours: str, other: str) -> float:
    """Return the cost that ours adds to the bare call, as a fraction of what the other adds, or NaN."""
    if other not in times:
        return float("nan")
    return times[ours].above(times[BARE]).ratio(times[other].above(times[BARE]))


def cost_table(times: dict[str, Times], ours: str) -> str:
    """Return a table of added nanoseconds, and of ours as a fraction of each row."""
    added = {name: row.above(times[BARE]) for name, row in times.items() if name != BARE}
    rows = [
        (name, f"{row.minimum:,.0f}", f"{row.median:,.0f}", _share(added[ours].ratio(row)))
        for name, row in sorted(added.items(), key=lambda item: item[1].median)
    ]
    bare = f"The bare call takes {times[BARE].median:.0f} ns; rows show the cost that is added to it."
    return f"{bare}\n\n" + table(("", "minimum, ns", "median, ns", "ours / this"), rows)


def _share(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio > 0.2 else f"1/{1 / ratio:.0f}"


def targets(sync: dict[str, Times], async_times: dict[str, Times]) -> str:
    sync_peer, rival = "pybreaker(tenacity(f))", "pyresilience retry + breaker"
    return target_table(
        [
            at_most(f"sync, against {sync_peer}", 1 / 20, ours_over(sync, OURS, sync_peer), "1/20, aim 1/30"),
            at_most(f"sync, against {rival}", 0.4, ours_over(sync, OURS, rival)),
            at_most("sync, against the hand-written closure", 2, ours_over(sync, OURS, FLOOR)),
            at_most(
                "async without a deadline, against tenacity", 1 / 30, ours_over(async_times, UNCUT, "tenacity"), "1/30"
            ),
            at_most(
                "async with a deadline, against tenacity",
                1 / 8,
                ours_over(async_times, CUT, "tenacity"),
                "1/8, aim 1/15",
            ),
        ]
    )


def main() -> None:
    options = parse_options(__doc__, rounds=200)
    sync = sync_rounds(sync_rows(), rounds=options.rounds)
    async_times = async_rounds(async_rows(), rounds=options.rounds)
    report(
        "success",
        "The success path",
        "Everything on: retry, budget, a breaker by failure rate, quota, deadline, attempt limit, context, events "
        f"without subscribers. {options.rounds} interleaved rounds, the collector off.",
        "## Targets and measured figures\n\n" + targets(sync, async_times),
        "## Sync\n\n" + cost_table(sync, OURS),
        "## Async\n\n" + cost_table(async_times, CUT),
        write=options.write,
        by_version=True,
    )


if __name__ == "__main__":
    main()
