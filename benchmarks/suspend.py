"""Puts the machine to sleep during the waits of calls, and counts what is sent after a deadline.

    python -m benchmarks.suspend [--calls 2000] [--seed 7]

A fake clock plays a laptop: during some waits it sleeps for minutes or hours, and then either both clocks have moved on
or the wall clock alone. Some listeners of events are slow, too. Deadlines mean the time of the world: no attempt and no
lookup may begin after one. Steps of a time server, below a second, must refuse nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

from resilience import NOT_FOUND, Pipeline, Policy, RejectedError
from resilience.testing import FakeClock

__all__ = ["RULES", "Laptop", "run"]

DEADLINE = 60.0
_RETRY = {"max_attempts": 4, "backoff": {"initial": "2s", "jitter": "none"}}
RULES: dict[str, dict[str, Any]] = {
    "backoff": {"retry": _RETRY},
    "breaker, retries wait": {
        "retry": _RETRY,
        "breaker": {"consecutive": 1, "failure_rate": None, "open_for": "3s", "when_open": "wait_retries"},
    },
    "breaker, all wait": {
        "breaker": {"consecutive": 1, "failure_rate": None, "open_for": "3s", "when_open": "wait"},
    },
    "quota": {"quota": [{"rate": "1/s", "burst": 1}]},
    "lookups": {"retry": _RETRY, "reconcile": {"window": "3s"}},
}


class Laptop(FakeClock):
    """A clock that during some waits sleeps. `world` is the time that has really passed.

    Attributes:
        draw: returns how many seconds it sleeps during a wait.
        is_counted: whether its monotonic clock counts them.
        slept: how often it slept.
        world: the real time, in seconds.
    """

    def __init__(self, draw: Callable[[], float], *, is_counted: bool) -> None:
        super().__init__()
        self.draw, self.is_counted, self.world, self.slept = draw, is_counted, 0.0, 0

    def pass_time(self, seconds: float) -> None:
        """Let the machine sleep, or a time server set the wall clock by less than a second."""
        if seconds < 1.0:
            self.step_wall(seconds)
            return
        self.world += seconds
        self.slept += 1
        self.advance(seconds) if self.is_counted else self.step_wall(seconds)

    def sleep(self, seconds: float) -> None:
        """Wait, and perhaps sleep meanwhile."""
        super().sleep(seconds)
        self.world += seconds
        self.pass_time(self.draw())


def run(rules: dict[str, Any], calls: int, seed: int, *, is_counted: bool, kind: str = "sync") -> Counter[str]:
    """Make calls and return how many attempts and lookups there were, and how many of them began too late.

    Args:
        rules: of the policy.
        calls: how many calls.
        seed: of all draws.
        is_counted: whether the monotonic clock counts sleep.
        kind: sync, asyncio or trio.
    """
    draws, seen, began = random.Random(seed), Counter[str](), [0.0]

    def draw() -> float:
        return draws.choice((0.0, 0.0, 0.0, 0.4, 5.0, 300.0, 8 * 3600.0))

    clock = Laptop(draw, is_counted=is_counted)

    def note(what: str) -> None:
        seen[what] += 1
        seen[f"late {what}"] += clock.world - began[0] > DEADLINE

    def listen(_event: Any) -> None:
        if draws.random() < 0.02:
            clock.pass_time(200.0)  # a listener that was not quick

    def send() -> str:
        note("attempts")
        if draws.random() < 0.6:
            raise TimeoutError if looked_up else ConnectionRefusedError
        return "done"

    def look_up(_call: Any) -> Any:
        note("lookups")
        return NOT_FOUND

    async def asend() -> str:
        return send()

    async def alook_up(_call: Any) -> Any:
        return look_up(_call)

    looked_up = "reconcile" in rules
    reconcile: Any = (look_up if kind == "sync" else alook_up) if looked_up else None
    policy = Policy(name="p", deadline=DEADLINE, **rules)
    pipeline = Pipeline(policy, clock=clock, listeners=[listen], reconcile=reconcile, log=False)
    call = pipeline.compile(send if kind == "sync" else asend)
    for _ in range(calls):
        began[0] = clock.world
        seen["calls"] += 1
        try:
            _make(call, kind)
        except RejectedError:
            seen["refused"] += 1
        except OSError:
            seen["failed"] += 1
        clock.advance(0.5)
        clock.world += 0.5
    seen["slept"] = clock.slept
    return seen


def _make(call: Callable[[], Any], kind: str) -> Any:
    if kind == "sync":
        return call()
    if kind == "asyncio":
        return asyncio.run(call())
    import trio

    return trio.run(call)


def main() -> None:
    """Run all waits and print the figures; the exit status is 1 if anything was sent too late."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.suspend", description=__doc__)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    late = 0
    for name, rules in RULES.items():
        for is_counted in (True, False):
            clocks = "both clocks" if is_counted else "the wall clock alone"
            for kind in ("sync", "asyncio", "trio"):
                calls = options.calls if kind == "sync" else options.calls // 5
                seen = run(rules, calls, options.seed, is_counted=is_counted, kind=kind)
                late += seen["late attempts"] + seen["late lookups"]
                print(
                    f"{name}, {clocks}, {kind}: {seen['calls']:,} calls, {seen['slept']:,} sleeps, "
                    f"{seen['attempts']:,} attempts, {seen['late attempts']} late, "
                    f"{seen['lookups']:,} lookups, {seen['late lookups']} late, {seen['refused']:,} refused"
                )
    print(f"{late} began after their deadline")
    sys.exit(late > 0)


if __name__ == "__main__":
    main()
