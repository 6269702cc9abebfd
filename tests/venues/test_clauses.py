"""Drills that see each clause of the rule: with the clause out they see a wrong order, a wrong report, or no header.

A clause is taken out of a venue's data, or out of the one function that keeps it. The sandbox's ledger says what
really happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import ccxt
import pytest

from resilience import Policies, failure_of, wrap
from resilience.outbox import Outbox
from resilience.sandbox import Sandbox
from resilience.venues import shipped_venues
from resilience.venues.known_venue import Venue

pytestmark = pytest.mark.full

SUPPORT = "resilience.integrations.ccxt.venue_support.VenueSupport"
BUY = ("BTC/USDT", "market", "buy", 0.01, None)
HOURS = 3600.0
Change = Callable[[Venue], Venue]


class Drill:
    """Places orders under the client id `mine` through a wrapped exchange at a sandbox with a window of 1 s."""

    def __init__(self, bots: Any, venue: str, monkeypatch: pytest.MonkeyPatch, change: Change | None = None) -> None:
        if change is not None:
            monkeypatch.setitem(shipped_venues._added, venue, change(shipped_venues.venue(venue)))
        self.bots = bots
        self.sandbox = Sandbox(venue=venue, window=1.0, limits=False)

    def exchange(self, outbox: Outbox | None = None, **settings: Any) -> Any:
        """Return an exchange under the sandbox's bounds, without the sandbox's `settings`."""
        bounds = {"window": "1s", "processing": "100ms", "lag": "70ms", "wait": "100ms", "early_checks": 2}
        policy = {"extends": "ccxt", "reconcile": bounds, "attempt_timeout": "500ms", "deadline": "25s", **settings}
        plain = self.sandbox.point(self.bots.at(self.sandbox.rest, self.sandbox.venue))
        plain.set_markets([])
        plain.markets = None
        bot = wrap(plain, "short", policies=Policies.from_mapping({"policies": {"short": policy}}), outbox=outbox)
        self.bots.call(bot.load_markets)
        return bot

    def report(self, bot: Any, order: tuple[Any, ...] = BUY, **params: Any) -> str:
        """Place an order and return what the caller learns."""
        try:
            self.bots.call(bot.create_order, *order, {"clientOrderId": "mine", **params})
        except ccxt.BaseError as error:
            return {"maybe": "unknown", "no": "failed"}.get(failure_of(error).executed, "done")
        return "done"

    @property
    def executions(self) -> int:
        """How many orders were executed, whatever their client ids."""
        self.sandbox.settle()
        return sum(row["executions"] for row in self.sandbox.ledger()["orders"])


@pytest.fixture
def drill(bots: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Drill]]:
    """Begin a drill at a venue, whose data are changed; its sandbox is closed after the test."""
    begun: list[Drill] = []

    def begin(venue: str, change: Change | None = None) -> Drill:
        begun.append(Drill(bots, venue, monkeypatch, change))
        return begun[-1]

    yield begin
    for one in begun:
        one.sandbox.close()


def with_orders(**changes: Any) -> Change:
    """Change every kind of order of a venue."""
    return lambda venue: replace(
        venue, orders={name: replace(order, **changes) for name, order in venue.orders.items()}
    )


def first_query_alone(venue: Venue) -> Venue:
    """Take all queries but the first out."""
    return replace(
        venue, orders={name: replace(order, queries=order.queries[:1]) for name, order in venue.orders.items()}
    )


def key_of_another_name(venue: Venue) -> Venue:
    """Send the key by a name that the venue does not know."""
    return replace(venue, key=replace(venue.key, parameters=("remark",)))


@pytest.mark.parametrize(
    ("change", "outcome"), [(None, "unknown"), (with_orders(retention=3650 * 24 * HOURS), "failed")]
)
def test_retention(drill: Callable[..., Drill], tmp_path: Path, change: Change | None, outcome: str) -> None:
    """An order that the venue may have forgotten is unknown; without the clause it is reported as never executed."""
    run = drill("okx", change)
    run.sandbox.script("mine", ["accept_drop"])
    run.sandbox.script("query:mine", ["query_drop"] * 50)
    with Outbox(tmp_path / "orders.db") as outbox:
        bot = run.exchange(outbox, deadline="4s")
        # It is cancelled without a fill at once, and such orders are kept for two hours.
        assert run.report(bot, ("BTC/USDT", "limit", "buy", 0.01, 50_000), timeInForce="IOC") == "unknown"
        run.sandbox.script("query:mine", [])
        run.sandbox.clock_offset = 3 * HOURS
        settled = run.bots.call(outbox.aresume if run.bots.asynchronous else outbox.resume, bot)
    assert [(one.key, one.outcome) for one in settled] == [("mine", outcome)]
    assert run.executions == 1


@pytest.mark.parametrize(("change", "executions"), [(None, 1), (first_query_alone, 2)])
def test_first_query_alone(drill: Callable[..., Drill], change: Change | None, executions: int) -> None:
    """Bybit's realtime list forgets at a restart; without a second query the order is executed twice."""
    run = drill("bybit", change)
    bot = run.exchange()
    run.sandbox.script("mine", ["accept_drop"])
    run.sandbox.script("query:mine", ["query_restart"])
    assert run.report(bot) == "done"
    assert run.executions == executions


@pytest.mark.parametrize(("change", "outcome"), [(None, "unknown"), (with_orders(compare={}), "done")])
def test_comparison(drill: Callable[..., Drill], change: Change | None, outcome: str) -> None:
    """An order of another bot under the same client id is not ours; without the clause it is reported as done."""
    run = drill("bybit", change)
    bot = run.exchange()
    run.sandbox.script("mine", ["lose"] * 20)
    # It appears after the first attempt has begun, since an earlier one would be known by its time. Its symbol and side
    # are those of our order, without which no lookup takes an order for ours; the venue's table compares the size too.
    run.sandbox.plant("mine", "spot", side="buy", size="5", age=-2)
    assert run.report(bot) == outcome
    assert run.executions == 0


def test_key_on_the_wire(drill: Callable[..., Drill], monkeypatch: pytest.MonkeyPatch) -> None:
    """An order without its client id is not sent; without the clause it is executed again and again."""
    run = drill("bybit", key_of_another_name)
    bot = run.exchange(deadline="6s")
    assert (run.report(bot), run.executions) == ("failed", 0)
    monkeypatch.setattr("resilience.integrations.ccxt.key_parameters.KeyParameters.check", lambda *_: None)
    run.sandbox.script("", ["accept_drop", "accept_drop"])
    run.report(bot)
    assert run.executions > 1


@pytest.mark.parametrize("sent", [True, False])
def test_expiry(drill: Callable[..., Drill], monkeypatch: pytest.MonkeyPatch, sent: bool) -> None:
    """A lost order is sent again when it has expired; without the header that is 30 s later, beyond the deadline."""
    if not sent:
        monkeypatch.setattr(f"{SUPPORT}.finish", lambda _self, _request, signed: signed)
    run = drill("okx")
    bot = run.exchange(deadline="25s" if sent else "4s")
    assert run.report(bot) == "done"
    assert ("expTime" in bot.last_request_headers) == sent
    run.sandbox.reset()
    run.sandbox.script("mine", ["lose"])
    assert (run.report(bot), run.executions) == (("done", 1) if sent else ("unknown", 0))
