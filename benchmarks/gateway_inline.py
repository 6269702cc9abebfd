"""Answers the requests of clients in this process, without sockets and on a clock that never waits.

What needs a real connection (a rest that the next request reads, a client on another transport) is not possible here.
"""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from io import BytesIO
from typing import Any

from .gateway_dialects import Request
from .gateway_kinds import Wire
from .gateway_orders import OrderBook

__all__ = ["Inline"]


class _Reply:
    """A response as it was read from a connection; the body is still encoded."""

    def __init__(self, wire: Wire) -> None:
        """Read the bytes.

        Raises:
            ConnectionResetError: the connection was reset or closed within them.
        """
        if wire.then == "reset" or not wire.data:
            raise ConnectionResetError("connection reset")
        data = wire.data
        while data.startswith(b"HTTP/1.1 1"):
            data = data.partition(b"\r\n\r\n")[2]
        answer = http.client.HTTPResponse(_Wire(data), method="POST")  # type: ignore[arg-type]  # it only needs `makefile`
        answer.begin()
        try:
            self.body = answer.read()
        except http.client.IncompleteRead as error:
            raise ConnectionResetError("the body was cut") from error
        self.status = answer.status
        self.headers: Mapping[str, str] = dict(answer.getheaders())


class _Wire:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, *_: Any) -> BytesIO:
        return BytesIO(self._data)


class Inline:
    """A gateway in this process: an order book on a clock, and the transports that lead to it."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.book = OrderBook(now=clock.time)

    def reply(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> _Reply:
        """Return the answer to a request whose path begins with the dialect."""
        name, slash, rest = path.lstrip("/").partition("/")
        lower = {key.lower(): value for key, value in headers.items()}
        return _Reply(self.book.respond(name, Request(method, slash + rest, lower, body), path))

    def requests_adapter(self) -> Any:
        """Return an adapter for a session of requests."""
        import requests
        from requests.adapters import HTTPAdapter
        from urllib3 import HTTPResponse

        inline = self

        class InlineAdapter(HTTPAdapter):
            def send(self, request: Any, *_: Any, **__: Any) -> Any:
                body = request.body.encode() if isinstance(request.body, str) else request.body or b""
                try:
                    reply = inline.reply(request.method, request.path_url, request.headers, body)
                except ConnectionResetError as error:
                    raise requests.ConnectionError(error, request=request) from error
                raw = HTTPResponse(
                    BytesIO(reply.body), reply.headers, reply.status, reason="Reason", preload_content=False
                )
                return self.build_response(request, raw)

        return InlineAdapter()

    def httpx_transport(self) -> Any:
        """Return a transport for a client of httpx, sync or async."""
        import httpx

        def handle(request: httpx.Request) -> httpx.Response:
            path, headers = request.url.raw_path.decode(), request.headers
            try:
                reply = self.reply(request.method, path, headers, request.content)
            except ConnectionResetError as error:
                raise httpx.ReadError(str(error), request=request) from error
            return httpx.Response(reply.status, headers=reply.headers, stream=httpx.ByteStream(reply.body))

        return httpx.MockTransport(handle)
