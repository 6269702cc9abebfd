"""Answers of eight exchanges through ccxt's own classes: an error means the same, whatever class ccxt chose for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import ccxt
import pytest
from ccxt.base.types import Entry

from resilience import Failure, Policies, failure_of, wrap
from resilience.integrations.ccxt.venue_methods import VenueMethods
from resilience.testing import FakeClock
from tests.integrations.server import Server
from tests.integrations.venue_answers import VENUES, VenueAnswer, answers_of, name_of

pytestmark = pytest.mark.newest_versions

ACCOUNT = {
    "apiKey": "key", "secret": "c2VjcmV0c2VjcmV0", "password": "word", "walletAddress": "0x" + "1" * 40,
    "privateKey": "0x" + "2" * 64, "enableRateLimit": False,
}  # fmt: skip
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "bybit": {"enableUnifiedMargin": False, "enableUnifiedAccount": True, "unifiedMarginStatus": 6},
    "gate": {"unifiedAccount": False},
    "kucoin": {"uta": False, "hf": True},
}
POLICY = {"codes": ["ccxt", "http"], "deadline": "60s", "retry": None, "breaker": None}
ANSWERS = [
    pytest.param(answer, id=name_of(number, answer))
    for venue in VENUES
    for number, answer in enumerate(answers_of(venue), 1)
    if not answer.ccxt.startswith("ccxt has no such endpoint")
]
ORDERS = [param for param in ANSWERS if param.values[0].is_unproven_success and not param.values[0].read]  # type: ignore[union-attr]
NOT_BY_CREATE_ORDER = ("hyperliquid",)  # its first order sends other writes before


def plain(urls: Any) -> Any:
    """Return URLs without TLS, so that a proxy can answer them."""
    if isinstance(urls, Mapping):
        return {name: plain(url) for name, url in urls.items()}
    return urls.replace("https://", "http://") if isinstance(urls, str) else urls


def exchange_at(answer: VenueAnswer, proxy: str = "") -> Any:
    """Return ccxt's exchange, whose requests go to a proxy."""
    exchange = getattr(ccxt, answer.venue)(dict(ACCOUNT))
    exchange.urls = plain(exchange.urls)
    exchange.options.update(OPTIONS.get(answer.venue, {}))
    if proxy:
        exchange.httpProxy = proxy
    return exchange


@cache
def implicit_method(venue: str, method: str, url: str) -> tuple[str, tuple[tuple[str, str], ...]] | None:
    """Return the method of ccxt that sends this request, and its parameters in the path."""
    exchange = getattr(ccxt, venue)(dict(ACCOUNT))
    wanted, found = urlsplit(url), None
    entries = {name: value for base in type(exchange).__mro__ for name, value in vars(base).items()}
    for name, entry in entries.items():
        if not isinstance(entry, Entry) or entry.method != method:
            continue
        pattern = re.sub(r"\\\{.*?\\\}", "([^/]+)", re.escape(entry.path))
        match = re.search(f"(?:^|/){pattern}$", wanted.path)
        if match is None:
            continue
        params = dict(zip(re.findall(r"\{(.*?)\}", entry.path), match.groups(), strict=True))
        try:
            sent = urlsplit(exchange.sign(entry.path, entry.api, method, dict(params))["url"])
        except KeyError:
            continue  # an API without an URL of its own
        if sent.path == wanted.path and (found is None or sent.netloc == wanted.netloc):
            found = name, tuple(params.items())
    return found


def failure_to(answer: VenueAnswer, *, order: bool) -> Failure | None:
    """Make the call, play the answer, and return what its error means; None if ccxt raises none.

    Orders are not looked up, which would say what has become of the order, and not what the answer means.
    """
    policies = Policies.from_mapping({"policies": {"p": POLICY}}, clock=FakeClock())
    with Server(answer.behaviour) as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr(VenueMethods, "keys_of", lambda _self, _method: None)
        exchange = exchange_at(answer, server.url)
        try:
            if order:
                exchange.set_markets([market(exchange, "/fapi" in answer.url)])
                bot = wrap(exchange, "p", policies=policies)
                bot.create_order(exchange.symbols[0], "limit", "buy", 1, 50_000)
            else:
                found = implicit_method(answer.venue, answer.method, answer.url)
                assert found is not None
                getattr(wrap(exchange, "p", policies=policies), found[0])(dict(found[1]))
        except ccxt.BaseError as error:
            return failure_of(error)
    return None


def market(exchange: Any, swap: bool) -> dict[str, Any]:
    """Return the only market of an exchange."""
    kind = "swap" if swap else "spot"
    return dict(exchange.safe_market_structure()) | {
        "id": "BTCUSDT", "symbol": "BTC/USDT:USDT" if swap else "BTC/USDT", "base": "BTC", "quote": "USDT",
        "baseId": "BTC", "quoteId": "USDT", "settle": "USDT" if swap else None, "settleId": "USDT" if swap else None,
        "type": kind, "spot": not swap, "swap": swap, "future": False, "option": False, "margin": False,
        "contract": swap, "linear": True if swap else None, "inverse": False if swap else None, "contractSize": 1,
        "active": True, "precision": {"amount": 0.0001, "price": 0.1}, "marginModes": {},
        "info": {"orderTypes": ["LIMIT"]},
    }  # fmt: skip


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_means_what_it_should(answer: VenueAnswer) -> None:
    """The table of the exchange decides by code, text and URL; what it does not know, by class or status."""
    failure = failure_to(answer, order=False)
    if failure is None:
        # Only an order must prove that it was placed; of a batch ccxt hides what was refused.
        assert not answer.category or answer.is_unproven_success or answer.ccxt
        return
    if answer.batch:
        assert failure.executed == "maybe"
        if not failure.items:  # a list without an envelope: the error's body has the items
            assert failure.category == answer.category
            return
        (failure,) = failure.items
    expected = "n_a" if is_read(answer) and failure.hint != "hold" and not answer.batch else answer.executed
    if answer.ccxt:
        assert failure.executed == expected or failure.executed == "maybe"
    else:
        assert (failure.category, failure.executed) == (answer.category, expected)


def is_read(answer: VenueAnswer) -> bool:
    """Return whether ccxt's method says that the request reads: a GET, or hyperliquid's `info`."""
    return answer.method == "GET" or answer.url.endswith("/info")


@pytest.mark.parametrize(
    "answer",
    [param for param in ORDERS if param.values[0].venue not in NOT_BY_CREATE_ORDER],  # type: ignore[union-attr]
)
def test_an_order_without_proof_is_uncertain(answer: VenueAnswer) -> None:
    """An empty answer, one that is cut off, and one without an id prove nothing."""
    failure = failure_to(answer, order=True)
    assert failure is not None
    assert (failure.category, failure.executed) == ("retryable", "maybe")
