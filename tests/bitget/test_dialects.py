"""The frames of Bitget's sockets: logins and the identity of subscriptions."""

from __future__ import annotations

import json

from resilience.bitget.dialect_v2 import DialectV2
from resilience.bitget.dialect_v3 import DialectV3
from tests.bitget.listening import BOOKS, TICKER, TICKER3


def test_the_login_frame() -> None:
    """The login frame has the stamp in whole seconds as a string."""
    frame = json.loads(DialectV2("key", "secret", "phrase").login(1659076670.9))
    assert frame["op"] == "login"
    assert frame["args"][0]["timestamp"] == "1659076670"
    assert frame["args"][0]["passphrase"] == "phrase"


def test_an_echo_may_differ_from_the_request() -> None:
    """A subscription is identified by its channel and instrument, whatever else an echo contains."""
    v2, v3 = DialectV2(), DialectV3()
    assert v2.id({"instType": "SPOT", "channel": "orders", "instId": "default"}) == v2.id(
        {"instType": "spot", "channel": "orders", "connId": "7"}
    )
    assert v2.id(TICKER) != v2.id(BOOKS) != v2.id({**BOOKS, "instId": "ETHUSDT"})
    assert v3.id(TICKER3) == v3.id({"instType": "SPOT", "topic": "ticker", "symbol": "btcusdt"})
    assert v3.id({**TICKER3, "interval": "1m"}) != v3.id(TICKER3)
