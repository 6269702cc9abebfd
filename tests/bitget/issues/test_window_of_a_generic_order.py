"""A generic order with a query in its path had the fence of the short window, but did not send the window."""

from __future__ import annotations

import json
from typing import Any

from resilience.bitget import BitgetClient
from resilience.bitget.client_base import BitgetClientBase

PLACE = "/api/v2/spot/trade/place-order"


def test_the_window_is_sent_wherever_its_fence_applies() -> None:
    """The operation's name and its request are derived from the path in the same way."""
    client: Any = BitgetClient("key-123", "secret-123", "pass-123", receive_window=1.0)
    path = f"{PLACE}?broker=1"
    info = client.resilience_operation_info(client.resilience_operation_name("post", (path,), {}), client)
    request = BitgetClientBase._build_request(client, "POST", path, {"symbol": "BTCUSDT"}, None, 1_700_000_000_000)
    assert (info.fence.window, json.loads(request.data or b"")["receiveWindow"]) == (1.0, "1000")
