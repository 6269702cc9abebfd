"""A session whose own adapters retry would send an order several times within one attempt."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from resilience import Policies, wrap
from resilience.bitget import BitgetClient

PLACE, LOOK = "/api/v2/spot/trade/place-order", "/api/v2/spot/trade/orderInfo"
ORDER = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": "50"}
RETRIES = [
    Retry(3, allowed_methods=None, backoff_factor=0),
    Retry(None, read=3, allowed_methods=None, backoff_factor=0),  # type: ignore[arg-type]  # urllib3 takes it
]


@pytest.mark.parametrize("retries", RETRIES, ids=["a total", "by kind"])
def test_a_client_with_a_session_that_retries(api: Any, retries: Retry) -> None:
    """The session's retries are switched off with a warning: one order is sent, and it is looked up."""
    api.on(PLACE, "drop")
    found = {**ORDER, "orderId": "9", "clientOid": "a", "status": "filled"}
    api.on(LOOK, {"code": "00000", "msg": "success", "data": [found]})
    session = requests.Session()
    session.mount("http://", HTTPAdapter(max_retries=retries))
    with pytest.warns(UserWarning, match="urllib3 would retry"):
        raw = BitgetClient("key-r", "secret-of-retries", "pass-of-retries", base_url=api.rest, session=session)
    bot = wrap(raw, "bitget", policies=Policies.builtin())
    assert bot.spot_place_order(**ORDER, clientOid="a")["orderId"] == "9"
    assert len(api.sent_to(PLACE)) == 1


@pytest.mark.parametrize("retries", RETRIES, ids=["a total", "by kind"])
def test_a_wrapped_session(api: Any, retries: Retry) -> None:
    """The retries of a wrapped session are switched off too."""
    api.on("/orders", "drop")
    session = requests.Session()
    session.mount("http://", HTTPAdapter(max_retries=retries))
    bot = wrap(session, "http", policies=Policies.builtin())
    with pytest.warns(UserWarning, match="urllib3 would retry"), pytest.raises(requests.ConnectionError):
        bot.post(f"{api.rest}/orders", json=ORDER)
    assert len(api.sent_to("/orders")) == 1
