"""The client's end of a WebSocket, on the `websockets` library, in the shape that streams ask for.

One connection and nothing around it: no retries, no pings of its own (venues want theirs as text), no
automatic anything. The only importer of `websockets` on the client's side.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from socket import SO_LINGER, SOL_SOCKET
from struct import pack

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as _connect
from websockets.exceptions import ConnectionClosed

__all__ = ["ClosedError", "Socket", "connect"]

_LONGEST = 16 * 2**20  # bytes of one frame: a full order book takes some hundred kB
_CLOSE_WITHIN = 1.0
_LOG = logging.getLogger("websockets.client.quiet")
_LOG.setLevel(logging.INFO)  # at DEBUG the library logs frames, and a login is one
_FRAMES = 16  # frames read ahead; more stay in the system's buffers, so that a slow reader is felt by the venue


class ClosedError(ConnectionError):
    """The connection is over.

    Attributes:
        close_code: the code of the other side's close frame; None when it just went away.
    """

    def __init__(self, close_code: int | None = None, reason: str = "") -> None:
        super().__init__(f"closed with {close_code}" + (f": {reason}" if reason else ""))
        self.close_code = close_code
        self.reason = reason


class Socket:
    """One open connection. Belongs to one event loop."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send(self, text: str) -> None:
        """Send a text frame.

        Raises:
            ClosedError: the connection is over.
        """
        try:
            await self._connection.send(text)
        except ConnectionClosed as error:
            raise _closed(error) from None

    async def receive(self) -> str | bytes:
        """Return the next frame.

        Raises:
            ClosedError: the connection is over.
        """
        try:
            return await self._connection.recv()
        except ConnectionClosed as error:
            raise _closed(error) from None

    async def close(self) -> None:
        """Say goodbye, for at most a second, and be gone."""
        try:
            await self._connection.close()
        finally:
            self._connection.transport.abort()

    def abort(self) -> None:
        """Cut the connection with a reset: what was sent and has not left this machine goes nowhere."""
        transport = self._connection.transport
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(SOL_SOCKET, SO_LINGER, pack("ii", 1, 0))
        transport.abort()


async def connect(url: str, headers: Mapping[str, str] | None = None) -> Socket:
    """Open a connection.

    Raises:
        OSError: nobody answers there.
        websockets.InvalidHandshake: somebody does, and refuses.
    """
    made = await _connect(
        url,
        additional_headers=dict(headers or {}),
        ping_interval=None,
        open_timeout=None,
        close_timeout=_CLOSE_WITHIN,
        max_size=_LONGEST,
        max_queue=_FRAMES,
        logger=_LOG,
    )
    return Socket(made)


def _closed(error: ConnectionClosed) -> ClosedError:
    told = error.rcvd
    return ClosedError(None, "") if told is None else ClosedError(told.code, told.reason)
