"""What an outage and brownouts make of clients: the real pipeline and its peers on virtual time.

    python -m benchmarks.outage [--clients N] [--seed N] [--alternatives] [--write]

200 clients of 10 requests a second each, each with a state of its own, call a service of 3,000 a second
that hangs for 60 seconds. Brownouts, and the service that queues, are run with a quarter of clients and service;
peers with a fifth (theirs cost up to 50 times the time, and a client's fate does not depend on how many there are).
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
from .rounds import at_least, at_most, demands, report, table

BEGIN, END = 15.0, 75.0
WATCHED = 60.0  # how long after the return
BROWNOUTS = (0.9, 0.5, 0.25)
COLUMNS = (
    "attempts a request in the outage", "seconds a request to fail", "95 % good after return, s: shedding",
    "queueing", "success at 90 %", "50 %", "25 % failing",
)  # fmt: skip
BUILT_IN = "**resilience, built-in policy**"


def back(seconds: float | None) -> str:
    return "not seen" if seconds is None else f"{seconds:.1f}"


@dataclass(frozen=True, slots=True)
class Row:
    """What one kind of clients made of it; None: never, as far as the run went."""

    attempts: float
    to_fail: float
    shedding: float | None
    queueing: float | None
    brownouts: tuple[float, ...]

    def cells(self) -> list[str]:
        return [
            f"{self.attempts:.2f}",
            f"{self.to_fail:.2f}",
            back(self.shedding),
            back(self.queueing),
            *(f"{one:.0%}" for one in self.brownouts),
        ]


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


def _run(scenario: Scenario, client: Client, seed: int) -> Outcome:
    random.seed(seed)  # the peers draw from the module
    return simulate(scenario, client, seed=seed)


def _outage(clients: int, overload: Any) -> Scenario:
    return Scenario(
        clients=clients,
        capacity=15.0 * clients,
        overload=overload,
        troubles=(Incident(start=BEGIN, end=END),),
        lasts=END + WATCHED,
        settled=7,
    )


def _brownout(clients: int, share: float) -> Scenario:
    trouble = Incident(start=10, end=60, share=share, kind="error")
    return Scenario(clients=clients, capacity=15.0 * clients, troubles=(trouble,), lasts=50)


def other_outages(client: Client, clients: int, seed: int) -> list[tuple[str, Outcome]]:
    """Run outages of other kinds; they last as long."""
    kinds: tuple[tuple[str, Any, float], ...] = (
        ("hangs; the client gives up after 1 s", "hang", 1.0),
        ("hangs; only the attempt's limit ends it", "hang", 60.0),
        ("answers 503 after 50 ms", "error", 1.0),
        ("refuses the connection at once", "refuse", 1.0),
    )
    plain = replace(_outage(clients, "shed"), lasts=END + 25)
    return [
        (name, _run(replace(plain, patience=patience, troubles=(replace(plain.troubles[0], kind=kind),)), client, seed))
        for name, kind, patience in kinds
    ]


def kinds(tried: bool) -> dict[str, Client]:
    """Return the rows of the table: the peers, or the policies that were tried, and the built-in one."""
    others = {name: policy_client(one) for name, one in alternatives()} if tried else PEERS
    return {**others, BUILT_IN: policy_client(built_in())}


def row(name: str, given: argparse.Namespace) -> Row:
    """Measure one row, in a process of its own."""
    on_virtual_time()
    clients = given.clients if name == BUILT_IN or given.alternatives else max(8, given.clients // 5)
    return measured(kinds(given.alternatives)[name], clients, given.seed)


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
    report(
        name,
        "An outage and brownouts" + (": policies that were tried" if given.alternatives else ""),
        *_told(rows, given.clients, given.seed, tried=given.alternatives),
        write=given.write,
        command=f"outage --clients {given.clients}" + (" --alternatives" if given.alternatives else ""),
    )


def _told(rows: dict[str, Row], clients: int, seed: int, *, tried: bool) -> Iterator[str]:
    yield (
        f"{clients} clients of 10 requests a second, each with its own state; a service of {15 * clients:,} a second, "
        "50 ms an answer, hangs for 60 s; the clients' own timeout is 1 s. Good: answered within 2 s of the request's "
        "beginning. The queueing service and the brownouts (503 for a share of the requests) have a quarter of both, "
        "and the runs of peers a fifth. "
        f"All on virtual time, seed {seed}. Not seen: not within {WATCHED:g} s of the return."
    )
    yield table(("policy", *COLUMNS), [(name, *row.cells()) for name, row in rows.items()])
    if BUILT_IN in rows:
        yield "## Demanded and measured\n\n" + _demanded(rows[BUILT_IN])
    if BUILT_IN in rows and not tried:
        yield "## The built-in policy in outages of other kinds\n\n" + table(
            ("the service", COLUMNS[0], COLUMNS[1], "95 % good after return, s"),
            [
                (
                    name,
                    f"{one.attempts_a_request(BEGIN, END):.2f}",
                    f"{one.seconds_to_fail(BEGIN, END):.2f}",
                    back(one.recovery(END)),
                )
                for name, one in other_outages(policy_client(built_in()), clients // 4, seed)
            ],
        )


def _demanded(ours: Row) -> str:
    return demands(
        [
            at_most("attempts a request in the outage", 0.3, ours.attempts),
            at_least("success kept at 50 % failing, in per cent", 60, 100 * ours.brownouts[1]),
            at_most("95 % good after return, s", 2, inf if ours.shedding is None else ours.shedding),
        ]
    )


if __name__ == "__main__":
    main()
