"""A short form of the gateway table over loopback: every client, some kinds of answers, few orders."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from benchmarks.gateway import drill, place_orders
from benchmarks.gateway_clients import GatewayClient, Site
from benchmarks.gateway_kinds import KINDS
from benchmarks.gateway_orders import Step
from benchmarks.gateway_reports import is_wrong
from benchmarks.gateway_server import Gateway, running_gateway
from benchmarks.gateway_venues import CLIENTS

SHORT = ("403", "429", "499", "503", "cut", "crossed", "early hints", "redirect", "no order")
BLOCKABLE = [kind for kind in KINDS if kind != "early hints"]
"""The kinds that are no readable success, so that the order need not have been passed on."""
SHARE = st.sampled_from([0.0, 0.5, 0.98])
QUICK = ("BitgetClient", "ccxt okx", "httpx.AsyncClient", "requests.Session")
ROWS = [
    pytest.param(client, id=client.name, marks=() if client.name in QUICK else pytest.mark.slow) for client in CLIENTS
]
WITHOUT = [client for client in CLIENTS if not client.needs_reconciler]


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    """A gateway in this process."""
    with running_gateway(11) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def site(gateway: Gateway) -> Site:
    """The address of the gateway, and the keys of the sandbox behind it."""
    box = gateway.sandbox
    return Site(gateway.url, box.key, box.secret, box.passphrase, box.policy)


def wrong_rows(client: GatewayClient, site: Site, kinds: tuple[str, ...], orders: int) -> dict[str, dict[str, int]]:
    """Return the figures of the kinds of answers that were not survived."""
    figures = drill(client, site, kinds, orders, 11)
    return {kind: dict(row) for kind, row in figures.items() if is_wrong(row, reconciled=site.reconciled)}


@pytest.mark.parametrize("client", ROWS)
def test_some_answers_with_a_lookup(client: GatewayClient, site: Site) -> None:
    """No order is executed twice, none is missing, and each report is true."""
    assert wrong_rows(client, site, SHORT, 5) == {}


@pytest.mark.full
@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_all_answers_with_a_lookup(client: GatewayClient, site: Site) -> None:
    """The same for all 24 kinds of answers and all their variants."""
    assert wrong_rows(client, site, KINDS, 20) == {}


@pytest.mark.full
@pytest.mark.parametrize("client", WITHOUT, ids=lambda client: client.name)
def test_all_answers_without_a_lookup(client: GatewayClient, site: Site) -> None:
    """Only 418, 421, 425 and 429 are followed by a second order, and a bare 4xx is reported as not executed."""
    assert wrong_rows(client, site._replace(reconciled=False), KINDS, 20) == {}


STEP = st.builds(Step, st.sampled_from(KINDS), st.integers(0, 39), st.just(True), SHARE, SHARE)
BLOCKED = st.builds(Step, st.sampled_from(BLOCKABLE), st.integers(0, 39), st.just(False), st.just(0.0), st.just(0.0))
SCRIPTS = st.lists(st.lists(STEP | BLOCKED, min_size=1, max_size=3), min_size=12, max_size=12)
numbers = count()


@pytest.mark.full
@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
@settings(max_examples=8, phases=[Phase.generate])
@given(scripts=SCRIPTS)
def test_any_scripts_over_sockets(
    client: GatewayClient, gateway: Gateway, site: Site, scripts: list[list[Step]]
) -> None:
    """Twelve orders at the same time, each with a script of its own: the same holds."""
    keys = [f"script{next(numbers)}" for _ in scripts]
    gateway.book.steps |= zip(keys, scripts, strict=True)
    reports = place_orders(client, site, [("", key) for key in keys])
    executions = gateway.executions()
    wrong = [
        (reports[key], executions.get(key, 0), script)
        for key, script in zip(keys, scripts, strict=True)
        if (reports[key], executions.get(key, 0)) not in (("done", 1), ("no", 0))
    ]
    assert wrong == []
