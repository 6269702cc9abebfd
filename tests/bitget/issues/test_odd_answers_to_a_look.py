"""An odd lookup response was taken for "not found", and the order was sent again."""

from __future__ import annotations

import time
from typing import Any

import pytest

from resilience import NOT_FOUND, Found
from resilience.bitget.lookup_runner import LookupRequest, run_lookup
from resilience.bitget.lookups import mix_order, spot_order

WRITE = LookupRequest({"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "side": "buy"}, "mine", time.time())
NOW = 1_700_000_000_000


@pytest.mark.parametrize("lookup", [spot_order, mix_order])
@pytest.mark.parametrize("data", [[{"clientOid": "mine"}], [{"orderId": None, "clientOid": "mine"}], ["x"], [None], {}])
def test_a_row_that_is_no_order_is_not_taken_for_not_found(lookup: Any, data: Any) -> None:
    """Such a response settles nothing, and the lookup is repeated."""
    with pytest.raises(Exception, match="the response to the lookup"):
        run_lookup(lookup(WRITE), lambda _path, _params: {"code": "00000", "requestTime": NOW, "data": data})


def test_an_empty_list_and_an_order_are_answers() -> None:
    """Bitget returns an empty list for an unknown order and a row for a known one."""
    row = {"orderId": "1", "clientOid": "mine", "symbol": "BTCUSDT", "side": "buy"}

    def answer(data: Any) -> Any:
        envelope = {"code": "00000", "requestTime": NOW, "data": data}
        return run_lookup(spot_order(WRITE), lambda _path, _params: envelope)

    results = [answer([]), answer([row])]
    assert results == [NOT_FOUND(server_time=NOW / 1000), Found(row, server_time=NOW / 1000)]
