"""Interrupts sync calls by exceptions of a signal handler, and counts what they leave behind.

    python -m benchmarks.interrupts [--interrupts 10000] [--seed 7] [--json] [--points]

Each scenario is a call that takes something: a context, a slot, a trial of a half-open breaker, a turn in a quota's
queue, a key, an open write. A timer's signal arrives at a random moment of it, and its handler raises what Ctrl-C
raises. Afterwards nothing may be taken. With `--points` no time decides: each scenario is run once for every point at
which CPython looks for signals in the code of the library, and the exception is raised there; `tests/drivers` does the
same.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from resilience import NOT_FOUND, Found, Pipeline, Policy
from resilience._core.call.context import CONTEXT
from resilience._core.call.open_writes import OPEN_WRITES
from resilience._core.call.operation_info import OperationInfo
from resilience._pipeline.keys_in_use import _HELD
from resilience._pipeline.shared_state import SharedState
from resilience.testing import FakeClock

from .interrupt_points import each_opcode, looks_for_signals

__all__ = ["SCENARIOS", "Interrupted", "Scenario", "at_every_point", "leaks"]

_RETRY = {"max_attempts": 3, "backoff": {"initial": "1s", "jitter": "none"}}
_ONE_FAILURE = {"consecutive": 1, "failure_rate": None, "open_for": "5s"}


class Interrupted(KeyboardInterrupt):
    """What the handler of the signal raises."""


class Scenario:
    """A call under one policy, which can be made again and again, and what it may leave behind."""

    def __init__(self, name: str, outcomes: tuple[Any, ...] = ("done",), **settings: Any) -> None:
        """Build the pipeline.

        Args:
            name: name of the scenario.
            outcomes: what the attempts of a call return or raise, in turn.
            settings: of the policy; `key` and `reconcile` are of the operation.
        """
        self.name = name
        self.clock = FakeClock(start=100.0)
        self.shared = SharedState(self.clock)
        operation = {word: settings.pop(word) for word in ("key", "reconcile") if word in settings}
        policy = Policy(name=name, deadline="90s", **settings)
        self.pipeline = Pipeline(policy, clock=self.clock, shared=self.shared, operation="op", **operation)
        self._outcomes, self._sent = outcomes, 0
        # Another call inside: an outer context is restored, and a key is claimed by both.
        inner = Pipeline(Policy(name="inner"), clock=self.clock, shared=self.shared, idempotent=True)
        self._inner = inner.compile(len)
        self._call = self.pipeline.compile(self._send)
        self._plan = self.pipeline.plan(self._send, OperationInfo(operation="op"))

    def run(self) -> Any:
        """Make the call once, after every trial and every wait that an earlier one has left."""
        self._sent = 0
        self.clock.advance(20.0)
        if self._plan.breaker is not None:
            self._plan.breaker.open()
            self.clock.advance(6.0)
        return self._call("client-1")

    def _send(self, client_id: str) -> Any:
        self._inner(client_id)
        outcome = self._outcomes[min(self._sent, len(self._outcomes) - 1)]
        self._sent += 1
        if isinstance(outcome, Exception):
            raise type(outcome)(*outcome.args)
        return outcome

    def leaks(self) -> Counter[str]:
        """Return how many of each kind are taken although no call is under way, and take them back."""
        plan, found = self._plan, Counter[str]()
        found["contexts"] = int(CONTEXT.get() is not None) + int(_HELD.get() != ())
        found["keys"] = sum(not holder.ended for holder in self.shared.keys_in_use.holders.values())
        found["open writes"] = len(OPEN_WRITES)
        if plan.gate.admission is not None:
            found["slots"] = len(plan.gate.admission.running)
            plan.gate.admission.running.clear()
        if plan.breaker is not None:
            found["permits"] = len(plan.breaker.permits)
            plan.breaker.permits.clear()
        if plan.gate.quotas is not None:
            windows = [quota.common for quota in plan.gate.quotas.entries]
            found["turns"] = sum(not ticket.gone for window in windows for ticket in window._tickets)
        CONTEXT.set(None)
        _HELD.set(())
        OPEN_WRITES.handles.clear()
        self.shared.keys_in_use.holders.clear()
        return +found


def _lookups() -> Callable[..., Any]:
    answers: list[Any] = [NOT_FOUND, Found("placed")]

    def look_up(_call: Any) -> Any:
        answers.reverse()
        return answers[0]

    return look_up


_SLOTS = {"max_concurrent": 2}
_QUOTAS: Any = [{"rate": "1/s", "burst": 1}]
SCENARIOS: dict[str, Callable[[], Scenario]] = {
    "context": lambda: Scenario("context"),
    "slot": lambda: Scenario("slot", admission=_SLOTS),
    "trial": lambda: Scenario("trial", breaker=_ONE_FAILURE),
    "slot and trial, retried": lambda: Scenario(
        "retried", (ConnectionRefusedError("no"), "done"), admission=_SLOTS, retry=_RETRY
    ),
    "failed trial": lambda: Scenario("failed", (ConnectionRefusedError("no"),), breaker=_ONE_FAILURE, retry=_RETRY),
    "turn in a quota": lambda: Scenario("quota", (ConnectionRefusedError("no"), "done"), quota=_QUOTAS, retry=_RETRY),
    "all at once": lambda: Scenario(
        "all", admission=_SLOTS, breaker=_ONE_FAILURE, quota=[*_QUOTAS, {"rate": "50/m"}], key="client_id"
    ),
    "key, looked up": lambda: Scenario(
        "key", (TimeoutError("late"), "done"), key="client_id", reconcile=_lookups(), retry=_RETRY, admission=_SLOTS
    ),
}


def leaks(scenario: Scenario) -> Counter[str]:
    """Return what is taken although no call is under way; see `Scenario.leaks`."""
    return scenario.leaks()


# --- at every point -------------------------------------------------------------------------------


def at_every_point(scenario: Scenario, *, step: int = 1, first: int = 0) -> tuple[int, list[str]]:
    """Interrupt a scenario at each point at which CPython looks for signals in our code, one run for each.

    Args:
        scenario: what is run.
        step: only every so many points.
        first: begin with this point.

    Returns:
        The number of interrupts, and for each that left something behind the place and what it is.
    """
    with suppress(ConnectionRefusedError):  # what is loaded at the first failure is loaded
        scenario.run()
    scenario.leaks()
    number, problems = first, []
    while True:
        place = _interrupt(scenario, number)
        found = scenario.leaks()
        if place is None:
            return (number - first) // step, problems
        if found:
            problems.append(f"{place}: {dict(found)}")
        number += step


def _interrupt(scenario: Scenario, number: int) -> str | None:
    """Run a scenario, interrupt it at this point, and return where that is; None where it has no such point."""
    passed, place, last = [0], list[str](), dict[FrameType, int]()

    def on_opcode(frame: FrameType, offset: int) -> None:
        before, last[frame] = last.get(frame), offset
        if place or before is None or not looks_for_signals(frame.f_code, before, offset):
            return
        passed[0] += 1
        if passed[0] > number:
            code = frame.f_code
            place.append(f"{Path(code.co_filename).name}:{frame.f_lineno} {code.co_qualname}")
            raise Interrupted

    try:
        with each_opcode(on_opcode):
            scenario.run()
    except (Interrupted, ConnectionRefusedError):
        pass  # a failed trial fails
    return place[0] if place else None


# --- at random moments ----------------------------------------------------------------------------


def at_random(scenario: Scenario, interrupts: int, seed: int) -> Counter[str]:
    """Interrupt a scenario so many times by a timer's signal, and return what was left behind in all."""
    draws, active, found = random.Random(seed), [False], Counter[str]()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if active[0]:
            active[0] = False
            raise Interrupted

    with suppress(ConnectionRefusedError):
        scenario.run()  # what is loaded at the first failure is loaded: no import is interrupted
    previous = signal.signal(signal.SIGALRM, on_signal)
    try:
        for _ in range(interrupts):
            try:
                active[0] = True
                signal.setitimer(signal.ITIMER_REAL, draws.uniform(0.00002, 0.0005))
                while True:  # a tight loop, so that the signal comes inside a call
                    with suppress(ConnectionRefusedError):  # a failed trial fails
                        scenario.run()
            except Interrupted:
                found.update(scenario.leaks())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    return found


def main() -> None:
    """Run all scenarios and print what they left behind; the exit status is 1 if that is anything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.interrupts", description=__doc__)
    parser.add_argument("--interrupts", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--points", action="store_true", help="at every point of the code instead of at random")
    options = parser.parse_args()
    results: dict[str, Any] = {}
    for name, make in SCENARIOS.items():
        if options.points:
            number, problems = at_every_point(make())
            results[name] = {"interrupts": number, "left": len(problems), "places": problems}
        else:
            number = -(-options.interrupts // len(SCENARIOS))
            results[name] = {"interrupts": number, "left": dict(at_random(make(), number, options.seed))}
    total = sum(result["interrupts"] for result in results.values())
    bad = any(result["left"] for result in results.values())
    version = ".".join(map(str, sys.version_info[:3]))
    if options.json:
        print(json.dumps({"python": version, "interrupts": total, "scenarios": results}, indent=2))
    else:
        for name, result in results.items():
            print(f"{name}: {result['interrupts']:,} interrupts, left behind: {result['left'] or 'nothing'}")
            for place in result.get("places", ())[:20]:
                print(f"    {place}")
        print(f"CPython {version}: {total:,} interrupts, {'DAMAGE' if bad else 'no damage'}")
    sys.exit(bad)


if __name__ == "__main__":
    main()
