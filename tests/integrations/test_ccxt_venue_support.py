"""The bounds of a request are read in its finished form: what ccxt drops on the way lengthens the fence."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from resilience.integrations.ccxt.exchange_support import MethodInfo, PreparedRequest
from resilience.integrations.ccxt.venue_support import VenueSupport
from resilience.venues import venue

STAMP = "2026-11-30T09:43:03.790Z"
MS = 1_796_031_783_790


class Engines:
    """What a support works with."""

    def __init__(self, name: str) -> None:
        self.engine = getattr(ccxt, name)()
        self.asynchronous = False


def support(name: str) -> VenueSupport:
    """Return the support of a venue."""
    return VenueSupport(venue(name), Engines(name))  # type: ignore[arg-type]  # all that is used


def window(name: str, path: str, api: str = "private", **request: Any) -> float:
    """Return the window of a finished request."""
    kinds = {"headers": {}, "body": "", **request}
    fence = support(name).fence_of(
        PreparedRequest("POST", path, {}, [api]), "https://host/", kinds["headers"], kinds["body"]
    )
    assert fence is not None
    return fence.window


def test_okx() -> None:
    """Without the header a request is accepted for 30 s; in the body it means nothing, and a cancel has none."""
    stamped = {"OK-ACCESS-TIMESTAMP": STAMP}
    assert window("okx", "trade/order", headers={**stamped, "expTime": str(MS + 4000)}) == pytest.approx(4.0)
    assert window("okx", "trade/batch-orders", headers=stamped, body=f'[{{"expTime":"{MS + 4000}"}}]') == 30.0
    assert window("okx", "trade/cancel-order", headers=stamped) == 30.0


def test_bybit_and_binance() -> None:
    """A longer window that was sent counts."""
    headers = {"X-BAPI-TIMESTAMP": str(MS), "X-BAPI-RECV-WINDOW": "20000"}
    assert window("bybit", "v5/order/create", headers=headers, body='{"recvWindow":1000}') == 20.0
    assert window("binance", "order", headers={}, body=f"timestamp={MS}&recvWindow=60000") == 60.0
    assert window("binance", "order", "fapiPrivate", headers={}, body=f"timestamp={MS}") == 5.0


def test_products_have_bounds_of_their_own() -> None:
    """The same path belongs to another kind of order in another API."""
    fences = [
        support("binance").fence_of(PreparedRequest("POST", path, {}, [api]), "", {}, "")
        for path, api in (("order", "private"), ("order", "fapiPrivate"), ("algoOrder", "fapiPrivate"))
    ]
    assert [(one.processing, one.lag) for one in fences if one is not None] == [(10.0, 5.0), (3.0, 10.0), (10.0, 60.0)]
    assert support("binance").fence_of(PreparedRequest("POST", "order", {}, ["dapiPrivate"]), "", {}, "") is None


def test_what_is_not_known_has_the_longest_bounds() -> None:
    """After a restart nobody knows which order it was."""
    bot = support("binance")
    fields = bot.describe(MethodInfo("transfer"), None)
    assert (fields["fence"].window, fields["fence"].processing, fields["fence"].lag) == (5.0, 10.0, 60.0)


def test_the_window_of_a_policy_bounds_only_what_carries_it() -> None:
    """After a restart nobody knows which request it was: a swap order of Bitget and a cancel of OKX have no window."""
    sends = {
        (name, method): support(name).describe(MethodInfo(method), None)["sends_window"]
        for name, method in (
            ("binance", "create_order"),
            ("bitget", "create_order"),
            ("bitget", "privateSpotPostV2SpotTradePlaceOrder"),
            ("bitget", "privateMixPostV2MixOrderPlaceOrder"),
            ("okx", "cancel_order"),
        )
    }
    assert list(sends.values()) == [True, False, True, False, False]


def test_a_read_of_an_unknown_order_waits_for_the_shortest_lag() -> None:
    """It is sent once more, which proves nothing; a write waits for the lag of its own kind."""
    bot = support("binance")
    lags = [
        bot.describe(MethodInfo(name, read=read), None)["fence"].lag
        for name, read in (("fetch_order", True), ("cancel_order", False), ("fapiPrivateDeleteOrder", False))
    ]
    assert lags == [5.0, 60.0, 10.0]


def test_what_cannot_be_looked_up_has_no_reconciler() -> None:
    """Amendments of Bitget's trigger orders: no query is known."""
    fields = support("bitget").describe(MethodInfo("privateMixPostV2MixOrderModifyPlanOrder"), None)
    assert {"reconcile", "idempotent", "key"}.isdisjoint(fields)


def test_windows_that_the_venue_does_not_take() -> None:
    """Bitget takes less than a minute."""
    assert support("bitget")._milliseconds(70.0) == 59_000
    assert support("bitget")._milliseconds(None) == 30_000
