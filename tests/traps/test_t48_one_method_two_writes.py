"""`edit_order` is a cancel and a create on many exchanges: the first may be done while the second is refused."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from resilience import NOT_FOUND, Policies, failure_of, wrap
from resilience.testing import FakeClock
from tests.integrations.raw_server import RawServer, Seen

SPOT = "BTC/USDT"
EDIT = ("old-1", SPOT, "limit", "buy", 1, 50_000)
REFUSED = {"message": "Insufficient funds", "error": "Insufficient funds"}
EXCHANGES = ["coinbaseexchange", "hollaex"]
"""Two of the exchanges whose `edit_order` is ccxt's own: cancel by DELETE, create by POST."""


def fresh() -> Policies:
    """Return the built-in policies with a budget of their own, on a clock that does not wait."""
    return Policies.from_mapping({"version": 1, "policies": {}}, clock=FakeClock())


def cancelled_then(answer: Any) -> RawServer:
    """Return a server that accepts each cancel and gives this answer to each new order."""

    def reply(seen: Seen) -> Any:
        done = (200, {"id": "old-1", "symbol": "btc-usdt", "status": "canceled"})
        return done if seen.method == "DELETE" else answer

    return RawServer(reply)


@pytest.mark.parametrize("name", EXCHANGES)
def test_naive(bots: Any, name: str) -> None:
    """Ccxt's error is the one of an order that was refused; nothing says that the old order is gone."""
    with cancelled_then((400, REFUSED)) as server:
        with pytest.raises(ccxt.ExchangeError) as caught:
            bots.call(bots.at(server.url, name).edit_order, *EDIT)
        assert [seen.method for seen in server.seen] == ["DELETE", "POST"]
    assert failure_of(caught.value).executed != "maybe"


@pytest.mark.parametrize("name", EXCHANGES)
@pytest.mark.parametrize("status", [400, 401, 429, 418, 503])
def test_ours(bots: Any, name: str, status: int) -> None:
    """The call may have been executed, whatever the second half was answered; it is not repeated as a whole."""
    with cancelled_then((status, REFUSED)) as server:
        bot = wrap(bots.at(server.url, name), "ccxt", policies=fresh())
        with pytest.raises(ccxt.BaseError) as caught:
            bots.call(bot.edit_order, *EDIT)
        assert [seen.method for seen in server.seen] == ["DELETE", "POST"]
    failure = failure_of(caught.value)
    assert (failure.executed, failure.attempts) == ("maybe", 1)
    assert failure.remedy.startswith("1 of 2 writing requests was accepted (DELETE order")
    assert failure.remedy.endswith("look at the open orders before doing anything")


def test_the_answer_to_the_second_half_is_lost(bots: Any) -> None:
    """A dropped connection: the new order may exist as well."""
    with cancelled_then(None) as server:
        bot = wrap(bots.at(server.url, "hollaex"), "ccxt", policies=fresh())
        with pytest.raises(ccxt.NetworkError) as caught:
            bots.call(bot.edit_order, *EDIT)
        assert len(server.sent("POST")) == 1
    assert (failure_of(caught.value).executed, failure_of(caught.value).attempts) == ("maybe", 1)


def test_both_halves_are_accepted_without_an_order_id(bots: Any) -> None:
    """The new order's answer is empty: both may be done."""
    with cancelled_then((200, {})) as server:
        bot = wrap(bots.at(server.url, "hollaex"), "ccxt", policies=fresh())
        with pytest.raises(ccxt.BadResponse) as caught:
            bots.call(bot.edit_order, *EDIT)
    assert failure_of(caught.value).executed == "maybe"


def test_a_refused_cancel_is_a_refusal(bots: Any) -> None:
    """The first half was refused, so nothing happened, and nothing of the second half was sent."""
    with RawServer(lambda _seen: (400, {"message": "Insufficient funds"})) as server:
        bot = wrap(bots.at(server.url, "coinbaseexchange"), "ccxt", policies=fresh())
        with pytest.raises(ccxt.InsufficientFunds) as caught:
            bots.call(bot.edit_order, *EDIT)
        assert [seen.method for seen in server.seen] == ["DELETE"]
    assert failure_of(caught.value).executed == "no"


def test_a_lookup_does_not_make_the_edit_run_again(bots: Any) -> None:
    """The new order is looked up and not found; a second run would have its cancel refused, and report a plain no."""

    def look_up(_call: Any) -> Any:
        return NOT_FOUND

    async def look_up_async(call: Any) -> Any:
        return look_up(call)

    rule = {"key": "client_oid", "reconcile": look_up_async if bots.asynchronous else look_up}
    with cancelled_then((503, "busy")) as server:
        plain = bots.at(server.url, "coinbaseexchange")
        bot = wrap(plain, "ccxt", operations={"edit_order": rule}, policies=fresh())
        with pytest.raises(ccxt.BaseError) as caught:
            bots.call(bot.edit_order, *EDIT, {"client_oid": "new-1"})
        assert [seen.method for seen in server.seen] == ["DELETE", "POST"]
        assert "new-1" in server.seen[-1].body
    failure = failure_of(caught.value)
    assert (failure.executed, failure.key) == ("maybe", "new-1")
    assert failure.remedy.startswith("1 of 2")


def test_an_exchange_with_an_edit_of_its_own(bots: Any) -> None:
    """One request: its refusal is one."""
    refusal = (400, {"code": -2010, "msg": "Account has insufficient balance for requested action."})
    with RawServer(lambda _seen: refusal) as server:
        bot = wrap(bots.at(server.url, "binance"), "ccxt", policies=fresh())
        with pytest.raises(ccxt.InsufficientFunds) as caught:
            bots.call(bot.edit_order, "42", SPOT, "limit", "buy", 1, 50_000)
        assert len(server.seen) == 1
    assert failure_of(caught.value).executed == "no"
