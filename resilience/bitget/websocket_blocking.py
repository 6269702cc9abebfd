"""Runs a Bitget WebSocket client in its own thread, for programs without an event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..streams.blocking import BlockingStream

if TYPE_CHECKING:
    from .websocket_base import WebsocketClient

__all__ = ["BlockingWebsocketClient"]


class BlockingWebsocketClient(BlockingStream):
    """A WebSocket client in its own thread; safe to use from any thread except in its own handlers."""

    _client: WebsocketClient

    def place_order(self, **params: Any) -> dict[str, Any]:
        """Place an order over the private socket and wait for it; see `WebsocketClientV2.place_order`."""
        return self._await(self._client.place_order(**params))

    def cancel_order(self, **params: Any) -> dict[str, Any]:
        """Cancel an order over the private socket and wait for it; see `WebsocketClientV2.cancel_order`."""
        return self._await(self._client.cancel_order(**params))
