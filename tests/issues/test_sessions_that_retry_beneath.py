"""A session whose own adapters retry would send an order several times beneath the rule."""

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
def test_a_client_that_was_given_one(api: Any, retries: Retry) -> None:
    """Its retries are switched off and said so: one order leaves, and it is looked up."""
    api.on(PLACE, "drop")
    found = {**ORDER, "orderId": "9", "clientOid": "a", "status": "filled"}
    api.on(LOOK, {"code": "00000", "msg": "success", "data": [found]})
    session = requests.Session()
    session.mount("http://", HTTPAdapter(max_retries=retries))
    with pytest.warns(UserWarning, match="urllib3 would retry"):
        raw = BitgetClient("key-r", "secret-of-retries", "pass-of-retries", base_url=api.rest, session=session)
    bot = wrap(raw, "bitget", policies=Policies.builtin())
    assert bot.spot_place_order(**ORDER, clientOid="a")["orderId"] == "9"
    assert len(api.asked(PLACE)) == 1


@pytest.mark.parametrize("retries", RETRIES, ids=["a total", "by kind"])
def test_a_wrapped_session(api: Any, retries: Retry) -> None:
    """The same of a session that is wrapped itself."""
    api.on("/orders", "drop")
    session = requests.Session()
    session.mount("http://", HTTPAdapter(max_retries=retries))
    bot = wrap(session, "http", policies=Policies.builtin())
    with pytest.warns(UserWarning, match="urllib3 would retry"), pytest.raises(requests.ConnectionError):
        bot.post(f"{api.rest}/orders", json=ORDER)
    assert len(api.asked("/orders")) == 1
