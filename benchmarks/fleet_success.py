"""Compares a success with everything on and a shared quota with the same success where nothing is shared.

    python -m benchmarks.fleet_success [--rounds 40]

CPU time of the whole process, the link's thread included. The two take turns, and the ratio is that of their minima,
because other programs on the machine disturb both.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import time
from collections.abc import Callable
from typing import Any

from resilience import Policies

from .fleet_stores import running_site

CALLS = 20_000
POLICY: dict[str, Any] = {
    "retry": {"max_attempts": 3},
    "budget": {"ratio": "20%"},
    "breaker": {"failure_rate": "50%", "window": "10s"},
    "deadline": "20s",
    "quota": [{"name": "all", "rate": "1000000/s", "burst": 1000000}],
}


def policies(url: str | None) -> Policies:
    """Return policies whose quota is shared through a store, or is not."""
    shared = {"url": url, "processes": 1, "patience": "1s", "share": ["quota"]}
    return Policies.from_mapping({"policies": {"p": POLICY}, **({"shared": shared} if url else {})})


def nothing() -> int:
    """Do nothing."""
    return 1


async def nothing_async() -> int:
    """Do nothing."""
    return 1


def spin(call: Callable[[], Any]) -> float:
    """Return the seconds of CPU time of a call."""
    begin = time.process_time()
    for _ in range(CALLS):
        call()
    return (time.process_time() - begin) / CALLS


def spin_async(call: Callable[[], Any]) -> float:
    """Return the seconds of CPU time of an awaited call."""

    async def run() -> float:
        begin = time.process_time()
        for _ in range(CALLS):
            await call()
        return (time.process_time() - begin) / CALLS

    return asyncio.run(run())


def compare(url: str, rounds: int, fn: Callable[[], Any], measure: Callable[[Callable[[], Any]], float]) -> str:
    """Return a line with both times and their ratio."""
    calls = [policies(place).pipeline("p").compile(fn) for place in (None, url)]
    end = time.monotonic() + 3.0  # a store that is new grants nothing for a second
    while time.monotonic() < end:
        measure(calls[1])
    times: tuple[list[float], list[float]] = [], []
    for _ in range(rounds):
        for index, call in enumerate(calls):
            times[index].append(measure(call))
    alone, leased = (min(row) * 1e9 for row in times)
    return f"unshared {alone:.0f} ns, leased {leased:.0f} ns, ratio {leased / alone:.3f}"


def main() -> None:
    """Print both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    args = parser.parse_args()
    gc.disable()
    with running_site() as site:
        url = f"redis://127.0.0.1:{site.port}"
        print("sync:", compare(url, args.rounds, nothing, spin))
        print("async:", compare(url, args.rounds, nothing_async, spin_async))


if __name__ == "__main__":
    main()
