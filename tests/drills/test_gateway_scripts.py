"""For any script of a gateway's answers, an order with a lookup is executed at most once, and its report is true."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import pytest
import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.gateway_clients import GatewayClient, Site
from benchmarks.gateway_inline import Inline
from benchmarks.gateway_kinds import KINDS, is_readable
from benchmarks.gateway_orders import Step
from benchmarks.gateway_reports import report_of
from benchmarks.gateway_venues import CLIENTS
from resilience.testing import FakeClock

pytestmark = pytest.mark.slow

INLINE = ("requests.Session", "httpx.Client", "httpx.AsyncClient", "function", "async function", "ccxt okx")
"""The clients that can be answered without sockets. The others, and real connections, are in `test_gateway.py`."""
ROWS = [
    pytest.param(client, runtime, id=f"{client.name}, {runtime}")
    for client in CLIENTS
    if client.name in INLINE
    for runtime in (("asyncio", "trio") if client.asynchronous else ("sync",))
]
SHARE = st.sampled_from([0.0, 0.5, 0.999])


def _possible(step: Step) -> bool:
    """Return whether the answer is one that a gateway can give: a readable success only if the order was passed on."""
    return step.passed_on or not is_readable(step.kind, step.number)


STEP = st.builds(Step, st.sampled_from(KINDS), st.integers(0, 39), st.booleans(), SHARE, SHARE).filter(_possible)
SCRIPT = st.lists(STEP, min_size=1, max_size=5)
LOOKUPS = st.sampled_from([0.0, 0.0, 0.3, 1.0])


def place(
    client: GatewayClient, runtime: str, script: list[Step], failing: float, **site_options: Any
) -> tuple[str, int]:
    """Place an order on virtual time; return its report and how often it was executed."""
    inline = Inline(FakeClock(wall=time.time()))  # the dates of `Retry-After` are of today
    inline.book.steps["order1"] = script
    inline.book.failing_lookups = failing
    site = Site(inline=inline, **site_options)
    if runtime == "sync":
        with ExitStack() as stack:
            send = client.build(site, stack)
            try:
                outcome = send("order1")
            except Exception as error:
                outcome = error
    else:
        outcome = asyncio.run(_place(client, site)) if runtime == "asyncio" else trio.run(_place, client, site)
    return report_of(outcome, "order1"), inline.book.executions().get("order1", 0)


async def _place(client: GatewayClient, site: Site) -> Any:
    async with AsyncExitStack() as stack:
        send = await client.build(site, stack)
        try:
            return await send("order1")
        except Exception as error:
            return error


def check(client: GatewayClient, runtime: str, script: list[Step], failing: float) -> None:
    """Done must mean executed once, no never; unknown may be reported only where the lookups never answer."""
    report, executions = place(client, runtime, script, failing)
    assert executions <= 1
    assert report != "done" or executions == 1
    assert report != "no" or executions == 0
    assert report in ("done", "no") or (report == "unknown" and failing == 1.0)


@pytest.mark.parametrize(("client", "runtime"), ROWS)
@settings(max_examples=25)
@given(SCRIPT, LOOKUPS)
@example([Step("404", 0, True, 0.999, 0.999)], 0.0)
@example([Step("429", 10, True, 0.999, 0.999), Step("429", 0, True)], 0.0)
@example([Step("503", 2, False), Step("503", 2, True, 0.999, 0.999)], 0.3)
@example([Step("no order", 3, True, 0.0, 0.999)], 0.0)
def test_any_script_of_answers(client: GatewayClient, runtime: str, script: list[Step], failing: float) -> None:
    """An order is executed at most once, and the caller gets the truth."""
    check(client, runtime, script, failing)


@pytest.mark.full
@pytest.mark.parametrize(("client", "runtime"), ROWS)
@settings(max_examples=100)
@given(SCRIPT, LOOKUPS)
def test_many_scripts_of_answers(client: GatewayClient, runtime: str, script: list[Step], failing: float) -> None:
    """The same with more examples."""
    check(client, runtime, script, failing)


def test_bounds_that_are_too_short_execute_twice() -> None:
    """The test can fail: without P and L in the policy an order that lookups do not show yet is sent again."""
    client = next(client for client in CLIENTS if client.name == "function")
    hidden = [Step("429", 0, True, 0.999, 0.999)]
    assert place(client, "sync", hidden, 0.0) == ("done", 1)
    assert place(client, "sync", hidden, 0.0, bounds=(0.0, 0.0, 0.0))[1] == 2
