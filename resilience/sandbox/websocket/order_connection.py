"""Speaks WebSocket on connections by which orders are placed: each message is a request, with the faults of one."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from websockets.exceptions import InvalidState
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from ..dialects.order_socket import MessageRequest, SocketMessage
from .connection import parse_json

if TYPE_CHECKING:
    from ..rest.answers import Reply
    from .order_sockets import SocketEnvironment

__all__ = ["serve"]

_PONG = {"op": "pong", "ret_msg": "pong"}


async def serve(
    environment: SocketEnvironment, listener: socket.socket, stop: asyncio.Event, _changed: asyncio.Event
) -> None:
    """Serve until `stop` is set; the listening socket stays open."""
    loop, connections = asyncio.get_running_loop(), set[OrderConnection]()
    make = partial(OrderConnection, environment, connections)
    server = await loop.create_server(make, sock=listener.dup(), backlog=256)
    try:
        await stop.wait()
    finally:
        server.close()
        for connection in list(connections):
            connection.reset()
        await asyncio.sleep(0)  # the loop calls connection_lost in its next iteration


class OrderConnection(asyncio.Protocol):
    """One connection, from the handshake to its end."""

    def __init__(self, environment: SocketEnvironment, connections: set[OrderConnection]) -> None:
        self._environment, self._connections = environment, connections
        self._protocol = ServerProtocol()
        self._text = bytearray()
        self._path, self._logged_in = "", False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # create_server passes a Transport, but the protocol class declares the base class only.
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection, whichever side ended it."""
        del exc
        self._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        """Answer the frames in the data."""
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._path = event.path.partition("?")[0]
                self._protocol.send_response(self._protocol.accept(event))
            elif isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.CONT):
                self._text += event.data
                if event.fin:
                    text = self._text.decode("utf-8", "replace")
                    self._text.clear()
                    self._receive(text)
        self._flush()

    def reset(self) -> None:
        """End the connection by a TCP reset, as a server that fails does."""
        linger = struct.pack("ii", 1, 0)
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._transport.abort()

    def _receive(self, text: str) -> None:
        if text == "ping":
            return self._send_text("pong")
        body = parse_json(text)
        return self._answer(body) if body is not None and body.get("op") != "ping" else self._send(_PONG)

    def _answer(self, body: dict[str, Any]) -> None:
        dialect, now = self._environment.dialect, self._environment.clock.now()
        message = SocketMessage(self._path, body, self._environment.account, now, self._logged_in)
        login = dialect.login(message)
        if login is not None:
            answer, accepted = login
            self._logged_in = self._logged_in or accepted
            return self._send(answer)
        request = dialect.request(message)
        return self._send(dialect.refuse(message)) if request is None else self._execute(message, request)

    def _execute(self, message: SocketMessage, request: MessageRequest) -> None:
        """Execute a request, and answer its message as the fault of the request wants it."""
        reply = self._environment.respond(request.method, request.target, request.body, request.headers)
        if reply.delivery == "hang":
            return None
        body = _body_of(reply)
        if body is None:  # what a gateway would say of a request, its sockets say by ending
            return self.reset()
        return self._send(self._environment.dialect.answer(message, reply.status or 0, body))

    def _send(self, answer: dict[str, Any]) -> None:
        self._send_text(json.dumps(answer))

    def _send_text(self, text: str) -> None:
        try:
            self._protocol.send_text(text.encode())
        except InvalidState:
            return  # the client has closed the connection
        self._flush()

    def _flush(self) -> None:
        """Send what the protocol has prepared."""
        for piece in self._protocol.data_to_send():
            if self._transport.is_closing():
                return
            if piece:
                self._transport.write(piece)
            else:  # an empty piece says that the protocol sends nothing more
                self._transport.close()


def _body_of(reply: Reply) -> Any:
    """Return the body of an answer; None where the client would not get a whole one in JSON."""
    if reply.status is None or reply.delivery == "cut":
        return None
    try:
        return json.loads(reply.body)
    except ValueError:
        return None
