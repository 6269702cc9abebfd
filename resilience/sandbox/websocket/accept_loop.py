"""The loop behind the sockets: it accepts connections and beats the time of the feeds."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from .connections import Venue
from .wire import Wire

__all__ = ["serve"]


async def serve(venue: Venue, listener: socket.socket, stop: asyncio.Event, changed: asyncio.Event) -> None:
    """Serve until `stop` is set.

    Args:
        venue: the connections and the feeds.
        listener: a listening socket; it stays open.
        stop: ends everything.
        changed: set when a feed began.
    """
    loop = asyncio.get_running_loop()
    wires: set[Wire] = set()
    server = await loop.create_server(lambda: Wire(venue, wires), sock=listener.dup(), backlog=256)
    beating = asyncio.create_task(_beat(venue, changed))
    try:
        await stop.wait()
    finally:
        beating.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beating
        server.close()
        for one in list(wires):
            one.abort()
        await asyncio.sleep(0)  # the wires hear of their end in the loop's next round


async def _beat(venue: Venue, changed: asyncio.Event) -> None:
    """Push what is due, and sleep until more is, or until a feed begins."""
    while True:
        changed.clear()
        due = venue.beat()
        wait = None if due is None else max(0.0, (due - venue.now()) / venue.pace)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(changed.wait(), wait)
