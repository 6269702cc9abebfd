"""Scripts of server behaviour, one a clause of the exactly-once rule, and what a caller must be told.

A drill is one order whose attempts meet the faults of a script. `python -m benchmarks.mutations` shows that
each clause is held by at least one of them; `tests/drills` runs all of them through every client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack
from typing import Any, NamedTuple

from resilience.sandbox import Sandbox

from .clients import Client
from .exchange import Exchange
from .orders import reported

__all__ = ["DRILLS", "WINDOW", "Drill", "ends", "run"]

WINDOW = 0.8  # seconds; short, so that a fence is


class Drill(NamedTuple):
    """One order.

    Attributes:
        name: what happens to it.
        script: the fault of each attempt; an empty one is none, and so is what follows the list.
        kind: market or limit.
        want: what must be reported: done, unknown or failed.
        executions: how often the exchange must have accepted it in the end.
        clock: by how many windows the client's clock is ahead of the exchange's.
        blind: queries answer as if the exchange knew nothing until this attempt at the order has come.
        failing: how many of the first queries are answered with a bare 500, or dropped, in turn.
        planted: somebody else's order appears under the key a moment after the first attempt began.
        markets: where it makes sense.
    """

    name: str
    script: tuple[str, ...]
    kind: str = "market"
    want: str = "done"
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
    Drill("a foreign key", ("lose",), want="unknown", executions=0, planted=True),
    Drill("unseen past the fence, then refused for funds", ("accept_drop", "code_400"), blind=2, markets=BITGET),
    Drill("unseen past the fence, then a duplicate", ("accept_drop",), kind="limit", blind=2, markets=BITGET),
    Drill("accepted, and the first queries fail", ("accept_drop",), failing=4),
)
"""Every script; the names are those of the table."""


def ends(client: Client, market: str, drills: Iterable[Drill], seed: int = 7) -> dict[str, str]:
    """Place each drill's order once, all at the same time, and return what is wrong with it; empty is right."""
    chosen = [drill for drill in drills if market in drill.markets]
    found: dict[str, str] = {}
    for ahead in sorted({drill.clock for drill in chosen}):
        found |= run(client, market, [drill for drill in chosen if drill.clock == ahead], ahead, seed)
    return found


def run(client: Client, market: str, drills: list[Drill], ahead: float, seed: int) -> dict[str, str]:
    """Run drills that share a clock against an exchange of their own."""
    with Sandbox(window=WINDOW, limits=False, seed=seed) as sandbox:
        sandbox.clock_offset = -ahead * WINDOW
        names = ("rest", "key", "secret", "passphrase", "policy")
        at = Exchange(**{name: getattr(sandbox, name) for name in names}, window=WINDOW)
        ids = {drill.name: f"d{number}-{drill.kind}" for number, drill in enumerate(drills)}
        for drill in drills:
            sandbox.script(ids[drill.name], drill.script)
            queries = ["query_500", "query_drop"] * (drill.failing // 2)
            if drill.blind:
                queries = [f"query_blind:{drill.blind}"] * 100
            sandbox.script(f"query:{ids[drill.name]}", queries)

        def plant() -> None:
            for drill in drills:
                if drill.planted:
                    sandbox.plant(ids[drill.name], market, age=-0.1, size="77777")

        reports = _placed(client, at, market, [(ids[drill.name], drill.kind) for drill in drills], seed, plant)
        sandbox.settle()
        rows = {row["clientOid"]: row["executions"] for row in sandbox.ledger()["orders"]}
    return {
        drill.name: problem
        for drill in drills
        if (problem := _judged(drill, reports[ids[drill.name]], rows.get(ids[drill.name], 0)))
    }


def _judged(drill: Drill, report: str, executions: int) -> str:
    """Say what is wrong with an order, or nothing."""
    if executions != drill.executions:
        return f"executed {executions} times, reported {report}"
    return "" if report == drill.want else f"reported {report}, executed {executions} times"


def _placed(
    client: Client, at: Exchange, market: str, orders: list[tuple[str, str]], seed: int, begin: Callable[[], None]
) -> dict[str, str]:
    if client.colour == "threads":
        with ExitStack() as stack, ThreadPoolExecutor(len(orders)) as pool:
            send = client.build(at, market, seed, stack)
            begin()
            told = pool.map(lambda one: _told(client, send, *one), orders)
            return dict(zip((client_id for client_id, _ in orders), told, strict=True))
    if client.colour == "asyncio":
        return asyncio.run(_aplaced(client, at, market, orders, seed, begin, _gather))
    import trio

    return trio.run(_aplaced, client, at, market, orders, seed, begin, _nursery)


def _told(client: Client, send: Callable[..., Any], client_id: str, kind: str) -> str:
    try:
        send(client_id, kind)
    except Exception as error:
        return reported(client, error)
    return "done"


async def _aplaced(
    client: Client,
    at: Exchange,
    market: str,
    orders: list[tuple[str, str]],
    seed: int,
    begin: Callable[[], None],
    spread: Callable[..., Any],
) -> dict[str, str]:
    reports: dict[str, str] = {}
    async with AsyncExitStack() as stack:
        send = await client.build(at, market, seed, stack)
        begin()

        async def one(client_id: str, kind: str) -> None:
            try:
                await send(client_id, kind)
                reports[client_id] = "done"
            except Exception as error:
                reports[client_id] = reported(client, error)

        await spread(one, orders)
    return reports


async def _gather(one: Callable[..., Any], orders: list[tuple[str, str]]) -> None:
    await asyncio.gather(*(one(*order) for order in orders))


async def _nursery(one: Callable[..., Any], orders: list[tuple[str, str]]) -> None:
    import trio

    async with trio.open_nursery() as nursery:
        for order in orders:
            nursery.start_soon(one, *order)
