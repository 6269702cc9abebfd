"""What a call that succeeds costs beside the bare call: ours, the hand-written floor, and peers, sync and async.

python -m benchmarks.success [--rounds N] [--write]
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from resilience import resilient

from .closure import aclosure, closure
from .ours import EVERYTHING, compiled, without
from .peers import ASYNC, SYNC, installed
from .rounds import Times, async_rounds, at_most, demands, options, report, sync_rounds, table

BARE, FLOOR, OURS = "bare call", "hand-written closure, same duties", "**resilience, everything on**"
CUT, UNCUT = f"{OURS}, deadline interrupts", f"{OURS}, no deadline"


def nothing() -> int:
    return 1


async def anothing() -> int:
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
        BARE: anothing,
        "hand-written closure, no deadline": aclosure(anothing, cut=False),
        "hand-written closure, deadline by a raw timer": aclosure(anothing, cut=True),
        UNCUT: compiled(anothing, **without("deadline", "attempt_timeout")),
        CUT: compiled(anothing, **EVERYTHING),
        "resilience, @resilient with the built-in policy": resilient(idempotent=True)(anothing),
        "resilience, retry alone": compiled(anothing, retry=EVERYTHING["retry"]),
        "asyncio.timeout alone": _timeout,
        **dict(installed(ASYNC, anothing)),
    }


async def _timeout() -> int:
    async with asyncio.timeout(8):
        return await anothing()


def ours_over(times: dict[str, Times], ours: str, other: str) -> float:
    """Return what ours adds to the bare call as a share of what the other adds; NaN where there is no such row."""
    if other not in times:
        return float("nan")
    return times[ours].above(times[BARE]).ratio(times[other].above(times[BARE]))


def shown(times: dict[str, Times], ours: str) -> str:
    """Return the table: added nanoseconds, and ours as a share of each row."""
    added = {name: one.above(times[BARE]) for name, one in times.items() if name != BARE}
    rows = [
        (name, f"{one.least:,.0f}", f"{one.median:,.0f}", _share(added[ours].ratio(one)))
        for name, one in sorted(added.items(), key=lambda item: item[1].median)
    ]
    bare = f"The bare call takes {times[BARE].median:.0f} ns; rows show what is added to it."
    return f"{bare}\n\n" + table(("", "least, ns", "median, ns", "ours / this"), rows)


def _share(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio > 0.2 else f"1/{1 / ratio:.0f}"


def demanded(sync: dict[str, Times], asyn: dict[str, Times]) -> str:
    sync_peer, rival = "pybreaker(tenacity(f))", "pyresilience retry + breaker"
    return demands(
        [
            at_most(f"sync, against {sync_peer}", 1 / 20, ours_over(sync, OURS, sync_peer), "1/20, aim 1/30"),
            at_most(f"sync, against {rival}", 1 / 3, ours_over(sync, OURS, rival), "1/3"),
            at_most("sync, against the hand-written closure", 2, ours_over(sync, OURS, FLOOR)),
            at_most("async without a deadline, against tenacity", 1 / 30, ours_over(asyn, UNCUT, "tenacity"), "1/30"),
            at_most(
                "async with a deadline, against tenacity", 1 / 8, ours_over(asyn, CUT, "tenacity"), "1/8, aim 1/15"
            ),
        ]
    )


def main() -> None:
    given = options(__doc__, rounds=200)
    sync = sync_rounds(sync_rows(), rounds=given.rounds)
    asyn = async_rounds(async_rows(), rounds=given.rounds)
    report(
        "success",
        "The success path",
        "Everything on: retry, budget, a breaker by failure rate, quota, deadline, attempt limit, context, events that "
        f"nobody listens to. {given.rounds} interleaved rounds, the collector off.",
        "## Demanded and measured\n\n" + demanded(sync, asyn),
        "## Sync\n\n" + shown(sync, OURS),
        "## Async\n\n" + shown(asyn, CUT),
        write=given.write,
    )


if __name__ == "__main__":
    main()
