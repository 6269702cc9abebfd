"""Opens WebSocket connections with the `websockets` library, in the shape that streams expect.

One connection and nothing around it: no reconnecting, and no pings by the library, since exchanges want theirs
as text. The only importer of `websockets` on the client's side.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from socket import SO_LINGER, SOL_SOCKET
from struct import pack

from ._missing_library import missing_library

try:
    from websockets.asyncio.client import ClientConnection
    from websockets.asyncio.client import connect as _connect
    from websockets.exceptions import ConnectionClosed, InvalidStatus
except ModuleNotFoundError as _error:  # an optional library: this module can be imported without it
    if (_error.name or "").partition(".")[0] != "websockets":
        raise
    _INSTALLED = False
else:
    _INSTALLED = True

__all__ = ["ClosedError", "Socket", "connect", "require_websockets"]

MAX_FRAME = 16 * 2**20  # bytes; a full order book takes some hundred kB
MAX_FRAMES = 16  # read ahead; more stay in the system's buffers, so that the exchange notices a slow reader
CLOSE_TIMEOUT = 1.0
_LOG = logging.getLogger("websockets.client.quiet")
_LOG.setLevel(logging.INFO)  # at DEBUG the library logs frames, and a login is one


class ClosedError(ConnectionError):
    """The connection has ended.

    Attributes:
        close_code: the code of the other side's close frame; None if there was none.
        reason: the text of that frame.
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
            ClosedError: the connection has ended.
        """
        try:
            await self._connection.send(text)
        except ConnectionClosed as error:
            raise _closed_error(error) from None

    async def receive(self) -> str | bytes:
        """Return the next frame.

        Raises:
            ClosedError: the connection has ended.
        """
        try:
            return await self._connection.recv()
        except ConnectionClosed as error:
            raise _closed_error(error) from None

    async def close(self) -> None:
        """Send a close frame, wait at most a second for the other side's, and close the connection."""
        try:
            await self._connection.close()
        finally:
            self._connection.transport.abort()

    def abort(self) -> None:
        """Reset the connection: what this machine has not sent yet is dropped."""
        transport = self._connection.transport
        raw = transport.get_extra_info("socket")
        if raw is not None:
            # A linger time of 0 makes the close a reset: the system drops its buffer instead of sending it.
            raw.setsockopt(SOL_SOCKET, SO_LINGER, pack("ii", 1, 0))
        transport.abort()


def require_websockets() -> None:
    """Check that connections can be opened.

    Raises:
        ModuleNotFoundError: `websockets` is missing; the text names the extra that brings it.
    """
    if not _INSTALLED:
        raise missing_library("resilience.streams", library="websockets", extra="streams")


async def connect(url: str, headers: Mapping[str, str] | None = None) -> Socket:
    """Open a connection. There is no time limit: the caller sets one.

    Raises:
        ModuleNotFoundError: `websockets` is missing.
        OSError: no connection could be made.
        websockets.InvalidHandshake: the server rejected the handshake.
    """
    require_websockets()
    try:
        connection = await _connect(
            url,
            additional_headers=dict(headers or {}),
            ping_interval=None,
            open_timeout=None,
            close_timeout=CLOSE_TIMEOUT,
            max_size=MAX_FRAME,
            max_queue=MAX_FRAMES,
            logger=_LOG,
        )
    except InvalidStatus as error:
        vars(error)["resilience_from_status"] = True  # its class says only that the handshake had another status
        raise
    return Socket(connection)


def _closed_error(error: ConnectionClosed) -> ClosedError:
    frame = error.rcvd
    return ClosedError(None, "") if frame is None else ClosedError(frame.code, frame.reason)
