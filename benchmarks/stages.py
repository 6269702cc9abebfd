"""Measures what users meet on the success path: real answers, further stages, many keys, limits that an API reports.

    python -m benchmarks.stages [--rounds N] [--write]

REF is our success path with everything on, as in `benchmarks.success`. A row's cost is what it adds to the bare call.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from resilience import Pipeline, Policy, current_call

from .ours import EVERYTHING, compiled
from .peers import SYNC, installed
from .rounds import Times, at_most, parse_options, report, sync_rounds, table, target_table

REF, BARE = "**REF**: everything on", "bare call"
STACK = "pyresilience retry + breaker + quota + bulkhead"
CODES = ["bitget", "ccxt", "http"]
KEYS = 20_000
QUOTA = EVERYTHING["quota"][0]
_ROW = {"orderId": "1234567890123456789", "symbol": "BTCUSDT", "size": "0.01", "price": "60000", "side": "buy"}


BREAKER_KEYS = """A call finds its breaker by its key, and nothing is compiled for a key. With a known key a call
costs a third more than REF. In this row each call has a key whose breaker was forgotten since, because 1,024 are
kept: beside the call itself (1.4 of REF) it makes a breaker (about 1), keeps it (1), and pays its share of the
search for idle ones (1). A breaker that has never failed takes 0.5 kB. Policies with a fallback, a cache or
hedging, which keep answers and durations by key, still compile a call for each key, and so do quotas whose key is
a function."""


def nothing() -> int:
    return 1


def answering(data: Any) -> Callable[[], Any]:
    """Return a function that returns Bitget's answer with this data."""
    answer = {"code": "00000", "msg": "success", "requestTime": 1695808949356, "data": data}
    return lambda: answer


def written(fn: Callable[..., Any], **settings: Any) -> Callable[..., Any]:
    """Return a write under everything, with Bitget's codes; batches among its answers are looked through."""
    call: Callable[..., Any] = Pipeline(Policy(codes=CODES, **settings), log=False).compile(fn)
    return call


def keyed_write() -> Callable[[], Any]:
    def order(client_id: str) -> int:
        return len(client_id)

    write: Any = Pipeline(Policy(**EVERYTHING), key="client_id", log=False).compile(order)
    return lambda: write("client-1")


def by_key() -> Callable[[], Any]:
    """Return a call whose breaker has another key each time, of very many."""
    keys = [f"key-{number}" for number in range(KEYS)]
    fetch = compiled(len, **{**EVERYTHING, "breaker": {**EVERYTHING["breaker"], "key": lambda key: key}})
    numbers = count()
    return lambda: fetch(keys[next(numbers) % KEYS])


def reporting(burst: int) -> Callable[[], Any]:
    """Return a call whose answer says how much of the limit is left."""

    def fetch() -> int:
        call = current_call()
        assert call is not None
        call.report_limits(remaining=burst)
        return 1

    return compiled(fetch, **{**EVERYTHING, "quota": [{"rate": 1_000_000, "burst": burst}]})


def rows() -> dict[str, Callable[[], Any]]:
    thousand = answering([dict(_ROW) for _ in range(1000)])
    settings = {**EVERYTHING, "codes": CODES}
    slow = {**EVERYTHING["breaker"], "slow_after": "5s", "slow_rate": "80%"}
    return {
        BARE: nothing,
        REF: compiled(nothing, **EVERYTHING),
        "an order's answer": written(answering({"orderId": "1", "clientOid": "client-1"}), **EVERYTHING),
        "an answer of 1,000 rows": compiled(thousand, **settings),
        "a batch of 20 orders": written(answering([{"orderId": "1", "clientOid": "a"}] * 20), **EVERYTHING),
        "slow_after": compiled(nothing, **{**EVERYTHING, "breaker": slow}),
        "admission": compiled(nothing, **EVERYTHING, admission={"max_concurrent": 100}),
        "second quota window": compiled(nothing, **{**EVERYTHING, "quota": [QUOTA, {**QUOTA, "rate": 900_000}]}),
        "keyed write": keyed_write(),
        f"{KEYS:,} breaker keys in turn": by_key(),
        "limits reported, burst 10": reporting(10),
        "limits reported, burst 6,000": reporting(6000),
        **{name: call for name, call in installed(SYNC, nothing) if name == STACK},
    }


def targets(times: dict[str, Times]) -> str:
    added = {name: row.above(times[BARE]) for name, row in times.items() if name != BARE}
    limits = [
        ("an order's answer", 3.5, REF),
        ("an answer of 1,000 rows", 4, REF),
        ("slow_after", 1.3, REF),
        ("admission", 4, REF),
        ("admission", 0.7, STACK),
        ("limits reported, burst 6,000", 2, "limits reported, burst 10"),
        ("second quota window", 1.4, REF),
        ("keyed write", 5, REF),
        (f"{KEYS:,} breaker keys in turn", 5, REF),
    ]
    return target_table(
        [
            at_most(f"{name}, against {other}", limit, added[name].ratio(added[other]))
            for name, limit, other in limits
            if other in added
        ]
    )


def main() -> None:
    options = parse_options(__doc__, rounds=200)
    times = sync_rounds(rows(), rounds=options.rounds)
    added = {name: row.above(times[BARE]) for name, row in times.items() if name != BARE}
    report(
        "stages",
        "Answers, stages and keys on the success path",
        f"{options.rounds} interleaved rounds, processor time of the thread, the collector off.",
        "## Targets and measured figures\n\n" + targets(times),
        f"## Keys of a breaker\n\n{BREAKER_KEYS}",
        "## Each row\n\n"
        + table(
            ("", "minimum, ns", "median, ns", "x REF"),
            [
                (name, f"{row.minimum:,.0f}", f"{row.median:,.0f}", f"{row.ratio(added[REF]):.2f}")
                for name, row in sorted(added.items(), key=lambda item: item[1].median)
            ],
        ),
        write=options.write,
        by_version=True,
    )


if __name__ == "__main__":
    main()
