"""Accepts connections and pushes the updates of the feeds, in an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from .connection_manager import ConnectionManager
from .websocket_protocol import WebsocketProtocol

__all__ = ["serve"]


async def serve(
    manager: ConnectionManager, listener: socket.socket, stop: asyncio.Event, changed: asyncio.Event
) -> None:
    """Serve until `stop` is set.

    Args:
        manager: the connections and the feeds.
        listener: a listening socket; it stays open.
        stop: ends every connection and returns.
        changed: set when a feed was started.
    """
    loop = asyncio.get_running_loop()
    protocols: set[WebsocketProtocol] = set()
    # A duplicate of the socket: closing the server must leave the listener, which its owner closes.
    server = await loop.create_server(lambda: WebsocketProtocol(manager, protocols), sock=listener.dup(), backlog=256)
    pushing = asyncio.create_task(_push_feeds(manager, changed))
    try:
        await stop.wait()
    finally:
        pushing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await pushing
        server.close()
        for protocol in list(protocols):
            protocol.abort()
        await asyncio.sleep(0)  # the loop calls connection_lost in its next iteration


async def _push_feeds(manager: ConnectionManager, changed: asyncio.Event) -> None:
    """Push the updates that are due, and sleep until the next one is due or a feed is started."""
    while True:
        changed.clear()
        due = manager.push_due()
        wait = None if due is None else max(0.0, (due - manager.now()) / manager.pace)
        with contextlib.suppress(asyncio.TimeoutError):
            # The timeout is the normal case: it means that the next update is due.
            await asyncio.wait_for(changed.wait(), wait)
