"""Speaks WebSocket on a TCP connection, and breaks it on demand. No other module here imports `websockets`."""

from __future__ import annotations

import asyncio
import socket
import struct
from http import HTTPStatus
from math import inf
from typing import TYPE_CHECKING, cast

from websockets.exceptions import InvalidState
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from .client_frames import receive

if TYPE_CHECKING:
    from .connection import SandboxConnection
    from .connection_manager import ConnectionManager
    from .frames import WireAction

__all__ = ["WebsocketProtocol"]

_MAX_SIZE = 1 << 20


class WebsocketProtocol(asyncio.Protocol):
    """One TCP connection, from the handshake to its end."""

    def __init__(self, manager: ConnectionManager, protocols: set[WebsocketProtocol]) -> None:
        self._manager, self._protocols = manager, protocols
        self._protocol = ServerProtocol(max_size=_MAX_SIZE)
        self._connection: SandboxConnection | None = None
        self._text = bytearray()
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # create_server passes a Transport, but the protocol class declares the base class only.
        self._transport = cast(asyncio.Transport, transport)
        self._protocols.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Record the end of the connection, whichever side ended it."""
        del exc
        self._protocols.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._connection is not None:
            self._manager.close_connection(self._connection)

    def data_received(self, data: bytes) -> None:
        """Answer the frames in the data; a half-open connection discards it."""
        # Data of a half-open connection must not reach the protocol, which would answer pings and closes by itself.
        if self._connection is not None and self._connection.silent:
            return
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._answer_handshake(event)
            elif isinstance(event, Frame):
                self._receive(event)
        self._flush()

    def eof_received(self) -> bool | None:
        """Let the transport close when the client disconnects."""
        return None

    def abort(self) -> None:
        """End the connection without a close frame."""
        self._transport.abort()

    def perform(self, actions: list[WireAction]) -> None:
        """Perform actions in order."""
        for action in actions:
            try:
                self._perform(action)
            except InvalidState:
                return  # the connection is closing, so no later frame can be sent
        self._schedule_tick()

    def _reset(self) -> None:
        # SO_LINGER with a timeout of 0 makes the close send RST instead of FIN.
        linger = struct.pack("ii", 1, 0)
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._transport.abort()

    def _perform(self, action: WireAction) -> None:
        if action.kind == "text":
            self._protocol.send_text(action.text.encode())
        elif action.kind == "binary":
            self._protocol.send_binary(action.text.encode())
        elif action.kind == "close":
            # 1005 must not be sent; it stands for a close frame without a code (RFC 6455, 7.4.1).
            self._protocol.send_close(None if action.code == 1005 else action.code)
        self._flush()
        if action.kind == "reset":
            self._reset()
        elif action.kind == "disconnect":
            self._transport.close()

    def _answer_handshake(self, request: Request) -> None:
        handshake = self._manager.handshake(request.path)
        if handshake.status != HTTPStatus.SWITCHING_PROTOCOLS:
            self._protocol.send_response(self._protocol.reject(HTTPStatus(handshake.status), "refused\n"))
            return
        response = self._protocol.accept(request)
        self._protocol.send_response(response)
        self._flush()
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            return  # the handshake was not valid, and the response says so
        # Bitget's demo environment is a header, or a host name of its own.
        demo = request.headers.get("paptrading") == "1" or request.headers.get("Host", "").startswith("wspap.")
        self._connection = self._manager.open_connection(request.path, demo, self.perform)
        self.perform(self._connection.start_script(handshake.faults, self._manager.now()))

    def _receive(self, frame: Frame) -> None:
        """Join the fragments of a text and answer it; WebSocket pings do not count as pings of the client."""
        if frame.opcode not in (Opcode.TEXT, Opcode.CONT) or self._connection is None:
            if frame.opcode == Opcode.PING and self._connection is not None and self._connection.no_pong:
                self._protocol.data_to_send()  # discards the pong that the protocol has prepared by itself
            return
        self._text += frame.data
        if frame.fin:
            text = self._text.decode("utf-8", "replace")
            self._text.clear()
            self.perform(receive(self._connection, text, self._manager.now()))

    def _flush(self) -> None:
        """Send what the protocol has prepared."""
        for piece in self._protocol.data_to_send():
            # An action before may have ended the connection.
            if self._transport.is_closing():
                return
            if piece:
                self._transport.write(piece)
            else:  # an empty piece says that the protocol sends nothing more
                self._transport.close()

    def _schedule_tick(self) -> None:
        """Schedule the next tick of the connection."""
        connection, loop = self._connection, asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
        if connection is None or connection.due == inf or self._transport.is_closing():
            return
        # Sandbox seconds are scaled back to real ones for the loop.
        wait = (connection.due - self._manager.now()) / self._manager.pace
        self._timer = loop.call_later(max(0.0, wait), lambda: self.perform(connection.tick(self._manager.now())))
