"""Order drills: scripts of faults, one for each clause of the exactly-once rule, and the report that is correct.

A drill is one order whose attempts meet the faults of a script. `python -m benchmarks.mutations` shows that at least
one drill protects each clause; `tests/drills` runs all drills through every client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack
from typing import Any, NamedTuple

from resilience.sandbox import Sandbox

from .clients import Client
from .orders import report_of
from .sandbox_address import SandboxAddress

__all__ = ["DRILLS", "WINDOW", "Drill", "find_problems", "run"]

WINDOW = 0.8  # seconds; short, so that fences are short


class Drill(NamedTuple):
    """One order.

    Attributes:
        name: what happens to it.
        script: the fault of each attempt; an empty one and attempts after the last have none.
        kind: market or limit.
        expected: the correct report: done, unknown or failed.
        executions: how often the exchange must have accepted it in the end.
        clock: by how many windows the client's clock is ahead of the exchange's.
        blind: queries find nothing until this attempt at the order has arrived.
        failing: how many of the first queries are answered with a bare 500 or dropped, in turn.
        planted: whether a foreign order is inserted under the key just before the first attempt.
        markets: the markets in which the drill is possible.
    """

    name: str
    script: tuple[str, ...]
    kind: str = "market"
    expected: str = "done"
    executions: int = 1
    clock: float = 0.0
    blind: int = 0
    failing: int = 0
    planted: bool = False
    markets: tuple[str, ...] = ("spot", "mix", "plain")


BITGET = ("spot", "mix")
DRILLS = (
    Drill("never arrives", ("lose",)),
    Drill("never arrives, limit", ("lose",), kind="limit", markets=BITGET),
    Drill("never arrives, twice", ("lose", "lose")),
    Drill("accepted, connection dropped", ("accept_drop",)),
    Drill("accepted, connection dropped, limit", ("accept_drop",), kind="limit", markets=BITGET),
    Drill("accepted, answer cut in its middle", ("cut",)),
    Drill("accepted, answered with a bare 500", ("accept_500",)),
    Drill("accepted, and hangs", ("accept_hang",)),
    Drill("accepted, answered with 40725", ("accept_40725",), markets=BITGET),
    Drill("refused, answered with 40725", ("refuse_40725",), markets=BITGET),
    Drill("accepted, answer truncated", ("truncated_json",), markets=BITGET),
    Drill("refused with a bare 503", ("refuse_503",)),
    Drill("refused with 429", ("refuse_429",)),
    Drill("accepted late in its window", ("accept_late:0.9",)),
    Drill("accepted late, limit", ("accept_late:0.9",), kind="limit", markets=BITGET),
    Drill("lost, then accepted late", ("lose", "accept_late:0.95")),
    Drill("accepted, seen late", ("lag",)),
    Drill("accepted late by a clock that is ahead", ("accept_late:0.9",), clock=0.8, markets=BITGET),
    Drill("accepted late by a clock that is behind", ("accept_late:0.1",), clock=-0.8, markets=BITGET),
    Drill("dropped by a clock that is ahead", ("accept_drop",), clock=0.8, markets=BITGET),
    Drill("dropped by a clock that is behind", ("accept_drop",), clock=-0.8, markets=BITGET),
    Drill("a foreign key", ("lose",), expected="unknown", executions=0, planted=True),
    Drill("unseen past the fence, then refused for funds", ("accept_drop", "code_400"), blind=2, markets=BITGET),
    Drill("unseen past the fence, then a duplicate", ("accept_drop",), kind="limit", blind=2, markets=BITGET),
    Drill("accepted, and the first queries fail", ("accept_drop",), failing=4),
)
"""All drills; the names are those of the table."""


def find_problems(client: Client, market: str, drills: Iterable[Drill], seed: int = 7) -> dict[str, str]:
    """Place the orders of the drills, all at the same time, and return the problems by the name of the drill."""
    chosen = [drill for drill in drills if market in drill.markets]
    problems: dict[str, str] = {}
    # Drills with the same clock offset share a sandbox, because the offset is a property of its clock.
    for ahead in sorted({drill.clock for drill in chosen}):
        problems |= run(client, market, [drill for drill in chosen if drill.clock == ahead], ahead, seed)
    return problems


def run(client: Client, market: str, drills: list[Drill], ahead: float, seed: int) -> dict[str, str]:
    """Run drills that share a clock offset against a new exchange."""
    with Sandbox(window=WINDOW, limits=False, seed=seed) as sandbox:
        # A client that is ahead is the same as an exchange that is behind.
        sandbox.clock_offset = -ahead * WINDOW
        names = ("rest", "key", "secret", "passphrase", "policy")
        address = SandboxAddress(**{name: getattr(sandbox, name) for name in names}, window=WINDOW)
        ids = {drill.name: f"d{number}-{drill.kind}" for number, drill in enumerate(drills)}
        for drill in drills:
            sandbox.script(ids[drill.name], drill.script)
            queries = ["query_500", "query_drop"] * (drill.failing // 2)
            if drill.blind:
                # More entries than any client sends queries.
                queries = [f"query_blind:{drill.blind}"] * 100
            sandbox.script(f"query:{ids[drill.name]}", queries)

        def plant() -> None:
            for drill in drills:
                if drill.planted:
                    sandbox.plant(ids[drill.name], market, age=-0.1, size="77777")

        reports = _place_orders(
            client, address, market, [(ids[drill.name], drill.kind) for drill in drills], seed, plant
        )
        sandbox.settle()
        rows = {row["clientOid"]: row["executions"] for row in sandbox.ledger()["orders"]}
    return {
        drill.name: problem
        for drill in drills
        if (problem := _problem(drill, reports[ids[drill.name]], rows.get(ids[drill.name], 0)))
    }


def _problem(drill: Drill, report: str, executions: int) -> str:
    """Return the problem of an order, or an empty string."""
    if executions != drill.executions:
        return f"executed {executions} times, reported {report}"
    return "" if report == drill.expected else f"reported {report}, executed {executions} times"


def _place_orders(
    client: Client,
    exchange: SandboxAddress,
    market: str,
    orders: list[tuple[str, str]],
    seed: int,
    begin: Callable[[], None],
) -> dict[str, str]:
    if client.runtime == "threads":
        with ExitStack() as stack, ThreadPoolExecutor(len(orders)) as pool:
            place = client.build(exchange, market, seed, stack)
            begin()
            reports = pool.map(lambda order: _report(client, place, *order), orders)
            return dict(zip((client_id for client_id, _ in orders), reports, strict=True))
    if client.runtime == "asyncio":
        return asyncio.run(_place_orders_async(client, exchange, market, orders, seed, begin, _gather))
    import trio

    return trio.run(_place_orders_async, client, exchange, market, orders, seed, begin, _nursery)


def _report(client: Client, place: Callable[..., Any], client_id: str, kind: str) -> str:
    try:
        place(client_id, kind)
    except Exception as error:
        return report_of(client, error)
    return "done"


async def _place_orders_async(
    client: Client,
    exchange: SandboxAddress,
    market: str,
    orders: list[tuple[str, str]],
    seed: int,
    begin: Callable[[], None],
    run_all: Callable[..., Any],
) -> dict[str, str]:
    reports: dict[str, str] = {}
    async with AsyncExitStack() as stack:
        place = await client.build(exchange, market, seed, stack)
        begin()

        async def place_order(client_id: str, kind: str) -> None:
            try:
                await place(client_id, kind)
                reports[client_id] = "done"
            except Exception as error:
                reports[client_id] = report_of(client, error)

        await run_all(place_order, orders)
    return reports


async def _gather(place_order: Callable[..., Any], orders: list[tuple[str, str]]) -> None:
    await asyncio.gather(*(place_order(*order) for order in orders))


async def _nursery(place_order: Callable[..., Any], orders: list[tuple[str, str]]) -> None:
    import trio

    async with trio.open_nursery() as nursery:
        for order in orders:
            nursery.start_soon(place_order, *order)
