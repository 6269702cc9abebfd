"""An odd lookup response was taken for "not found", and the order was sent again."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import NOT_FOUND
from tests.bitget.lookup_runs import Write, run_lookup

WRITE = {"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "side": "buy"}
SPOT, MIX = "privateSpotPostV2SpotTradePlaceOrder", "privateMixPostV2MixOrderPlaceOrder"
NOW = 1_700_000_000_000


def look_up(endpoint: str, data: Any) -> Any:
    """Return the result of a lookup that gets this answer."""
    envelope = {"code": "00000", "requestTime": NOW, "data": data}
    return run_lookup(endpoint, Write(WRITE, "mine", NOW / 1000), lambda _path, _params: envelope)


@pytest.mark.parametrize("endpoint", [SPOT, MIX])
@pytest.mark.parametrize("data", [[{"clientOid": "mine"}], [{"orderId": None, "clientOid": "mine"}], ["x"], [None], {}])
def test_a_row_that_is_no_order_is_not_taken_for_not_found(endpoint: str, data: Any) -> None:
    """Such a response settles nothing, and the lookup is repeated."""
    with pytest.raises(Exception, match="the answer to the lookup"):
        look_up(endpoint, data)


def test_an_empty_list_and_an_order_are_answers() -> None:
    """Bitget returns an empty list for an unknown order and a row for a known one."""
    row = {"orderId": "1", "clientOid": "mine", "symbol": "BTCUSDT", "side": "buy", "status": "live"}
    none, found = look_up(SPOT, []), look_up(SPOT, [row])
    assert (type(none), none.server_time) == (type(NOT_FOUND), NOW / 1000)
    assert (found.value, found.matches) == ({"orderId": "1", "clientOid": "mine", "status": "live"}, True)
