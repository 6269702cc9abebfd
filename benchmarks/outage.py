"""What an outage and brownouts make of clients: the real pipeline and its peers on virtual time.

    python -m benchmarks.outage [--clients N] [--seed N] [--alternatives] [--write]

200 clients of 10 requests a second each, each with a state of its own, call a service of 3,000 a second
that hangs for 60 seconds. Brownouts are run with a quarter of the clients and of the service.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from resilience import Policies
from resilience._core.policy import Policy
from resilience.simulate import Client, Scenario, Trouble, governed, simulate

from .outage_peers import PEERS, on_virtual_time
from .rounds import at_least, at_most, demands, report, table

BEGIN, END = 15.0, 75.0
WATCHED = 60.0  # how long after the return
BROWNOUTS = (0.9, 0.5, 0.25)
COLUMNS = (
    "attempts a request in the outage", "seconds a request to fail", "95 % good after return, s: shedding",
    "queueing", "success at 90 %", "50 %", "25 % failing",
)  # fmt: skip
BUILT_IN = "**resilience, built-in policy**"


@dataclass(frozen=True, slots=True)
class Row:
    """What one kind of clients made of it; None: never, as far as the run went."""

    attempts: float
    to_fail: float
    shedding: float | None
    queueing: float | None
    brownouts: tuple[float, ...]

    def cells(self) -> list[str]:
        back = [f"> {WATCHED:g}" if one is None else f"{one:.1f}" for one in (self.shedding, self.queueing)]
        return [f"{self.attempts:.2f}", f"{self.to_fail:.2f}", *back, *(f"{one:.0%}" for one in self.brownouts)]


def measured(client: Client, clients: int, seed: int) -> Row:
    """Run the outage with both kinds of service, and the brownouts."""
    run = partial(_run, client=client, seed=seed)
    shedding = run(_outage(clients, "shed"))
    queueing = run(_outage(clients // 4, "queue"))
    brown = [run(_brownout(clients // 4, share)) for share in BROWNOUTS]
    return Row(
        shedding.attempts_a_request(BEGIN, END),
        shedding.seconds_to_fail(BEGIN, END),
        shedding.recovery(END),
        queueing.recovery(END),
        tuple(one.success(20, 40) for one in brown),
    )


def _run(scenario: Scenario, *, client: Client, seed: int) -> Any:
    random.seed(seed)  # the peers draw from the module
    return simulate(scenario, client, seed=seed)


def _outage(clients: int, overload: Any) -> Scenario:
    return Scenario(
        clients=clients,
        capacity=15.0 * clients,
        overload=overload,
        troubles=(Trouble(start=BEGIN, end=END),),
        lasts=END + WATCHED,
        settled=5,
    )


def _brownout(clients: int, share: float) -> Scenario:
    trouble = Trouble(start=10, end=60, share=share, kind="error")
    return Scenario(clients=clients, capacity=15.0 * clients, troubles=(trouble,), lasts=50)


def policy(**changes: Any) -> Policy:
    """Return the built-in policy with parts of it changed."""
    parts = {"deadline": "30s", "attempt_timeout": "8s", "retry": {"max_attempts": 3}, "budget": {"ratio": "20%"}}
    breaker = {"failure_rate": "80%", "window": "10s", "min_calls": 20, "open_for": "1s"}
    breaker |= changes.pop("breaker", {}) or {}
    return Policy(**{**parts, "breaker": breaker, **changes})


def built_in() -> Policy:
    return Policies.builtin().pipeline("default").policy


def alternatives() -> Iterator[tuple[str, Policy]]:
    """Give the policies among which the built-in one was chosen."""
    yield "retry alone", Policy(deadline="30s", retry={"max_attempts": 3})
    yield "budget 20 %, no breaker", Policy(deadline="30s", retry={"max_attempts": 3}, budget={"ratio": "20%"})
    for rate in ("50%", "65%", "80%", "90%"):
        yield f"rate {rate}, open 1 s", policy(breaker={"failure_rate": rate, "growth": 1})
    for open_for, growth, most in (
        ("500ms", 1, "1s"), ("2s", 1, "2s"), ("5s", 1, "5s"), ("1s", 2, "2s"), ("1s", 2, "5s"), ("1s", 2, "30s")
    ):  # fmt: skip
        yield (
            f"rate 80 %, open {open_for}, growth {growth} to {most}",
            policy(breaker={"open_for": open_for, "growth": growth, "open_max": most}),
        )
    for calls in (5, 10, 50):
        yield f"rate 80 %, open 1 s, min_calls {calls}", policy(breaker={"min_calls": calls, "growth": 1})
    for window in ("5s", "30s"):
        yield f"rate 80 %, open 1 s, window {window}", policy(breaker={"window": window, "growth": 1})
    for ratio in ("10%", "25%", "30%", "50%"):
        yield f"rate 80 %, open 1 s, budget {ratio}", policy(budget={"ratio": ratio}, breaker={"growth": 1})
    yield (
        "rate 80 %, open 1 s, 3 permits",
        policy(breaker={"growth": 1, "half_open": {"permits": 3, "successes": 1}}),
    )
    yield (
        "5 failures in a row, open 60 s",
        policy(breaker={"failure_rate": None, "consecutive": 5, "open_for": "60s", "open_max": "60s", "growth": 1}),
    )


def kinds(tried: bool) -> dict[str, Client]:
    """Return the rows of the table: the peers, or the policies that were tried, and the built-in one."""
    others = {name: governed(one) for name, one in alternatives()} if tried else PEERS
    return {**others, BUILT_IN: governed(built_in())}


def row(name: str, given: argparse.Namespace) -> Row:
    """Measure one row, in a process of its own."""
    on_virtual_time()
    return measured(kinds(given.alternatives)[name], given.clients, given.seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--alternatives", action="store_true", help="the policies that were tried instead of peers")
    parser.add_argument("--only", default="", help="rows whose name holds this text")
    parser.add_argument("--write", action="store_true", help="also write the tables to benchmarks/results/")
    given = parser.parse_args()
    rows = {}
    names = [name for name in kinds(given.alternatives) if given.only in name]
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        for name, one in zip(names, processes.map(partial(row, given=given), names), strict=True):
            rows[name] = one
            print(f"{name}: {', '.join(one.cells())}", file=sys.stderr, flush=True)
    name = "outage_alternatives" if given.alternatives else "outage"
    report(name, "An outage and brownouts", *_told(rows, given.clients, given.seed), write=given.write)


def _told(rows: dict[str, Row], clients: int, seed: int) -> Iterator[str]:
    yield (
        f"{clients} clients of 10 requests a second, each with its own state; a service of {15 * clients:,} a second, "
        "50 ms an answer, hangs for 60 s; the clients' own timeout is 1 s. Good: answered within 2 s of the request's "
        "beginning. The queueing service and the brownouts (503 for a share of the requests) have a quarter of both. "
        f"All on virtual time, seed {seed}."
    )
    yield table(("policy", *COLUMNS), [(name, *row.cells()) for name, row in rows.items()])
    ours = rows.get(BUILT_IN)
    if ours is not None:
        yield "## Demanded and measured\n\n" + demands(
            [
                at_most("attempts a request in the outage", 0.3, ours.attempts),
                at_least("success kept at 50 % failing, in per cent", 60, 100 * ours.brownouts[1]),
                at_most("95 % good after return, s", 2, 1e9 if ours.shedding is None else ours.shedding),
            ]
        )


if __name__ == "__main__":
    main()
