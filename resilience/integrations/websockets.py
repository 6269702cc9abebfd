"""Opens client connections with the `websockets` library, in the form that streams expect.

A connection does nothing by itself: no retries, and no pings, because venues expect theirs as text frames. The only
importer of `websockets` on the client's side. The library is optional: without it this module can be imported, and
`require_websockets` says what to install.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from socket import SO_LINGER, SOL_SOCKET
from struct import pack

from ._websockets_extra import require_websockets, websockets_installed

try:
    from websockets.asyncio.client import ClientConnection
    from websockets.asyncio.client import connect as _connect
    from websockets.exceptions import ConnectionClosed
except ModuleNotFoundError:
    # Only `connect` makes a `Socket`, and it requires the library, so the missing names are never used.
    if websockets_installed():
        raise

__all__ = ["ClosedError", "Socket", "connect", "require_websockets"]

_MAX_FRAME = 16 * 2**20  # bytes; a full order book takes some hundred kB
_CLOSE_TIMEOUT = 1.0
_LOG = logging.getLogger("websockets.client.quiet")
_LOG.setLevel(logging.INFO)  # at DEBUG the library logs frames, and a login contains the credentials
_MAX_QUEUED = 16  # frames read ahead; more stay in the system's buffers, so that TCP slows the venue down


class ClosedError(ConnectionError):
    """The connection is closed.

    Attributes:
        close_code: the code of the other side's close frame; None if it sent none.
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
            ClosedError: the connection is closed.
        """
        try:
            await self._connection.send(text)
        except ConnectionClosed as error:
            raise _closed(error) from None

    async def receive(self) -> str | bytes:
        """Return the next frame.

        Raises:
            ClosedError: the connection is closed.
        """
        try:
            return await self._connection.recv()
        except ConnectionClosed as error:
            raise _closed(error) from None

    async def close(self) -> None:
        """Close the connection; the closing handshake takes at most a second."""
        try:
            await self._connection.close()
        finally:
            self._connection.transport.abort()

    def abort(self) -> None:
        """Reset the connection: data that has not left this machine is discarded."""
        transport = self._connection.transport
        raw = transport.get_extra_info("socket")
        if raw is not None:
            # SO_LINGER with a timeout of 0 makes `close` send RST and drop the send buffer.
            raw.setsockopt(SOL_SOCKET, SO_LINGER, pack("ii", 1, 0))
        transport.abort()


async def connect(url: str, headers: Mapping[str, str] | None = None) -> Socket:
    """Open a connection.

    Raises:
        ModuleNotFoundError: the library is not installed.
        OSError: no server answers at the URL.
        websockets.InvalidHandshake: the server rejects the connection.
    """
    require_websockets()
    connection = await _connect(
        url,
        additional_headers=dict(headers or {}),
        ping_interval=None,
        open_timeout=None,
        close_timeout=_CLOSE_TIMEOUT,
        max_size=_MAX_FRAME,
        max_queue=_MAX_QUEUED,
        logger=_LOG,
    )
    return Socket(connection)


def _closed(error: ConnectionClosed) -> ClosedError:
    frame = error.rcvd
    return ClosedError(None, "") if frame is None else ClosedError(frame.code, frame.reason)
