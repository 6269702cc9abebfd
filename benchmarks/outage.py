"""Simulates clients in an outage and in brownouts: the real pipeline and its peers, on virtual time.

    python -m benchmarks.outage [--clients N] [--seed N] [--alternatives] [--write]

200 clients with a state of their own make 10 requests per second each. The service answers 3,000 per second and hangs
for 60 seconds. Brownouts, and the service that queues, run with a quarter of the clients and the capacity. Peers run
with a fifth: theirs take up to 50 times as long to simulate, and the number of clients does not change the figures.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from typing import Any

from resilience.simulate import Client, Incident, Outcome, Scenario, policy_client, simulate

from .outage_peers import PEERS, on_virtual_time
from .outage_policies import alternatives, built_in
from .rounds import at_least, at_most, report, table, target_table

BEGIN, END = 15.0, 75.0
WATCHED = 60.0  # seconds simulated after the return
BROWNOUTS = (0.9, 0.5, 0.25)
COLUMNS = (
    "attempts per request in the outage", "seconds until a request fails", "95 % good after return, s: shedding",
    "queueing", "success at 90 %", "50 %", "25 % failing",
)  # fmt: skip
BUILT_IN = "**resilience, built-in policy**"


def recovery_text(seconds: float | None) -> str:
    return "not seen" if seconds is None else f"{seconds:.1f}"


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one kind of client; None means not within the run."""

    attempts: float
    to_fail: float
    shedding: float | None
    queueing: float | None
    brownouts: tuple[float, ...]

    def cells(self) -> list[str]:
        return [
            f"{self.attempts:.2f}",
            f"{self.to_fail:.2f}",
            recovery_text(self.shedding),
            recovery_text(self.queueing),
            *(f"{share:.0%}" for share in self.brownouts),
        ]


def measure(client: Client, clients: int, seed: int) -> Row:
    """Run the outage with both kinds of service, and the brownouts."""
    run = partial(_run, client=client, seed=seed)
    shedding = run(_outage(clients, "shed"))
    queueing = run(_outage(clients // 4, "queue"))
    brown = [run(_brownout(clients // 4, share)) for share in BROWNOUTS]
    return Row(
        shedding.attempts_per_request(BEGIN, END),
        shedding.seconds_to_fail(BEGIN, END),
        shedding.recovery(END),
        queueing.recovery(END),
        tuple(outcome.success(20, 40) for outcome in brown),
    )


def _run(scenario: Scenario, client: Client, seed: int) -> Outcome:
    random.seed(seed)  # the peers use the module's generator
    return simulate(scenario, client, seed=seed)


def _outage(clients: int, overload: Any) -> Scenario:
    return Scenario(
        clients=clients,
        capacity=15.0 * clients,
        overload=overload,
        incidents=(Incident(start=BEGIN, end=END),),
        lasts=END + WATCHED,
        settled=7,
    )


def _brownout(clients: int, share: float) -> Scenario:
    trouble = Incident(start=10, end=60, share=share, kind="error")
    return Scenario(clients=clients, capacity=15.0 * clients, incidents=(trouble,), lasts=50)


def other_outages(client: Client, clients: int, seed: int) -> list[tuple[str, Outcome]]:
    """Simulate outages of other kinds and the same length."""
    kinds: tuple[tuple[str, Any, float], ...] = (
        ("hangs; the client gives up after 1 s", "hang", 1.0),
        ("hangs; only the attempt timeout ends it", "hang", 60.0),
        ("answers 503 after 50 ms", "error", 1.0),
        ("refuses the connection at once", "refuse", 1.0),
    )
    plain = replace(_outage(clients, "shed"), lasts=END + 25)
    return [
        (
            name,
            _run(replace(plain, patience=patience, incidents=(replace(plain.incidents[0], kind=kind),)), client, seed),
        )
        for name, kind, patience in kinds
    ]


def clients_by_name(tried: bool) -> dict[str, Client]:
    """Return the clients of the rows: the peers, or the policies that were tried, and the built-in policy."""
    others = {name: policy_client(policy) for name, policy in alternatives()} if tried else PEERS
    return {**others, BUILT_IN: policy_client(built_in())}


def row(name: str, options: argparse.Namespace) -> Row:
    """Measure one row, in a process of its own."""
    on_virtual_time()
    # Never fewer than 8, or single draws would decide the figures.
    clients = options.clients if name == BUILT_IN or options.alternatives else max(8, options.clients // 5)
    return measure(clients_by_name(options.alternatives)[name], clients, options.seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=200, metavar="N", help="clients (200)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="seed of the requests (1)")
    parser.add_argument("--alternatives", action="store_true", help="policies that were tried, instead of peers")
    parser.add_argument("--only", default="", help="only rows whose name contains this text")
    parser.add_argument("--write", action="store_true", help="also write the tables to benchmarks/results/")
    options = parser.parse_args()
    rows = {}
    names = [name for name in clients_by_name(options.alternatives) if options.only in name]
    # Processes, because the peers' clocks are replaced per process.
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        for name, figures in zip(names, processes.map(partial(row, options=options), names), strict=True):
            rows[name] = figures
            print(f"{name}: {', '.join(figures.cells())}", file=sys.stderr, flush=True)
    name = "outage_alternatives" if options.alternatives else "outage"
    report(
        name,
        "An outage and brownouts" + (": policies that were tried" if options.alternatives else ""),
        *_report_parts(rows, options.clients, options.seed, tried=options.alternatives),
        write=options.write,
        command=f"outage --clients {options.clients}" + (" --alternatives" if options.alternatives else ""),
    )


def _report_parts(rows: dict[str, Row], clients: int, seed: int, *, tried: bool) -> Iterator[str]:
    yield (
        f"{clients} clients make 10 requests per second each, each with its own state; the service answers "
        f"{15 * clients:,} per second, each in 50 ms, and hangs for 60 s; the clients' own timeout is 1 s. Good: "
        "answered within 2 s of the start of the request. The queueing service and the brownouts (503 for a share of "
        "the requests) run with a quarter of both, and the peers with a fifth. "
        f"All on virtual time, seed {seed}. Not seen: not within {WATCHED:g} s of the return."
    )
    yield table(("policy", *COLUMNS), [(name, *row.cells()) for name, row in rows.items()])
    if BUILT_IN in rows:
        yield "## Targets and measured figures\n\n" + _targets(rows[BUILT_IN])
    if BUILT_IN in rows and not tried:
        yield "## The built-in policy in outages of other kinds\n\n" + table(
            ("the service", COLUMNS[0], COLUMNS[1], "95 % good after return, s"),
            [
                (
                    name,
                    f"{outcome.attempts_per_request(BEGIN, END):.2f}",
                    f"{outcome.seconds_to_fail(BEGIN, END):.2f}",
                    recovery_text(outcome.recovery(END)),
                )
                for name, outcome in other_outages(policy_client(built_in()), clients // 4, seed)
            ],
        )


def _targets(ours: Row) -> str:
    return target_table(
        [
            at_most("attempts per request in the outage", 0.3, ours.attempts),
            at_least("success at 50 % failing, in per cent", 60, 100 * ours.brownouts[1]),
            at_most("95 % good after return, s", 2, inf if ours.shedding is None else ours.shedding),
        ]
    )


if __name__ == "__main__":
    main()
