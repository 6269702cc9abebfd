"""Provides the clients of Bitget's WebSockets: `WebsocketClientV2` and `WebsocketClientV3`.

Errors are never raised by the connections; they are `exception` events. A lost connection is opened again, logged in
and subscribed as before. What a private stream missed meanwhile is a `gap` event, and is fetched by REST if the client
has a REST client.
"""

from __future__ import annotations

from .dialect_v2 import DialectV2
from .dialect_v3 import DialectV3
from .websocket_base import WebsocketClient

__all__ = ["WebsocketClientV2", "WebsocketClientV3"]


class WebsocketClientV2(WebsocketClient):
    """A client of Bitget's V2 sockets, whose subscriptions name channels. Belongs to one event loop.

    Example:
        >>> client = WebsocketClientV2()
        >>> ticker = {"instType": "SPOT", "channel": "ticker", "instId": "BTCUSDT"}
        >>> client.subscribe(ticker)
        >>> client
        <WebsocketClientV2 public idle>
    """

    _dialect_class, _path = DialectV2, "/v2/ws"


class WebsocketClientV3(WebsocketClient):
    """A client of Bitget's V3 sockets, those of unified accounts, whose subscriptions name topics.

    Belongs to one event loop.

    Example:
        >>> client = WebsocketClientV3("key", "secret", "passphrase")
        >>> client.subscribe({"instType": "UTA", "topic": "order"})
        >>> client
        <WebsocketClientV3 private idle>
    """

    _dialect_class, _path = DialectV3, "/v3/ws"
