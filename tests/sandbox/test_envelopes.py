"""Every answer of the sandbox in Bitget's envelope has what the real envelope always has."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from resilience.bitget import BitgetClient
from resilience.sandbox import Sandbox

ORDER = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": "50"}
REJECTIONS = {"refuse_40725", "refuse_429", "http200_code", "code_400", "numeric_code", "code_30032", "code_45001"}
PATHS = [
    "/api/v2/spot/trade/orderInfo",
    "/api/v2/nowhere",
    "/api/v2/spot/market/tickers?symbol=NONE",
    "/api/v3/nowhere",
]


def body_of(url: str, data: bytes | None = None) -> Any:
    """Return the JSON of an answer, whatever its status."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=data)) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.loads(error.read())


@pytest.mark.parametrize("path", PATHS)
def test_a_request_that_is_refused(path: str) -> None:
    """Without a signature, an endpoint or an order there is still the time of the answer."""
    with Sandbox() as exchange:
        assert {"code", "msg", "requestTime", "data"} <= body_of(exchange.rest + path).keys()


def test_a_body_that_is_no_json() -> None:
    """It is refused in the envelope."""
    with Sandbox() as exchange:
        assert "requestTime" in body_of(exchange.rest + "/api/v2/spot/trade/place-order", b"{")


@pytest.mark.parametrize("fault", sorted(REJECTIONS))
def test_a_fault_that_answers_in_the_envelope(fault: str) -> None:
    """An error that the exchange is told to send has the time too."""
    with Sandbox() as exchange, BitgetClient(exchange.key, exchange.secret, exchange.passphrase) as client:
        client.base_url = exchange.rest
        exchange.script("mine", [fault])
        with pytest.raises(Exception, match="HTTP") as caught:
            client.spot_place_order(**ORDER, clientOid="mine")
        body: Any = vars(caught.value)["body"]
        assert {"code", "msg", "requestTime", "data"} <= body.keys()
