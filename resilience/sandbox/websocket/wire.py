"""The one importer of `websockets` in the sandbox: frames on a TCP connection, and every way to break it."""

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
    from .connection import Connection
    from .connections import Venue
    from .frames import Act

__all__ = ["Wire"]

_LARGEST = 1 << 20


class Wire(asyncio.Protocol):
    """One TCP connection, from the handshake to its end."""

    def __init__(self, venue: Venue, wires: set[Wire]) -> None:
        self._venue, self._wires = venue, wires
        self._protocol = ServerProtocol(max_size=_LARGEST)
        self._connection: Connection | None = None
        self._text = bytearray()
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)
        self._wires.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, by whichever side and for whatever cause."""
        del exc
        self._wires.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._connection is not None:
            self._venue.end(self._connection)

    def data_received(self, data: bytes) -> None:
        """Read what came; a half-open connection throws it away."""
        if self._connection is not None and self._connection.silent:
            return
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._shake_hands(event)
            elif isinstance(event, Frame):
                self._read(event)
        self._flush()

    def eof_received(self) -> bool | None:
        """The client leaves; the transport closes."""
        return None

    def abort(self) -> None:
        """End the connection without a word."""
        self._transport.abort()

    def perform(self, acts: list[Act]) -> None:
        """Carry acts out."""
        for act in acts:
            try:
                self._perform(act)
            except InvalidState:
                return  # the connection is closing: what comes now reaches nobody
        self._watch()

    def _perform(self, act: Act) -> None:
        if act.kind == "say":
            self._protocol.send_text(act.text.encode())
        elif act.kind == "binary":
            self._protocol.send_binary(act.text.encode())
        elif act.kind == "close":
            self._protocol.send_close(None if act.code == 1005 else act.code)
        self._flush()
        if act.kind == "reset":
            linger = struct.pack("ii", 1, 0)
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._transport.abort()
        elif act.kind == "leave":
            self._transport.close()

    def _shake_hands(self, request: Request) -> None:
        entry = self._venue.enter(request.path)
        if entry.status != HTTPStatus.SWITCHING_PROTOCOLS:
            self._protocol.send_response(self._protocol.reject(HTTPStatus(entry.status), "refused\n"))
            return
        response = self._protocol.accept(request)
        self._protocol.send_response(response)
        self._flush()
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            return  # it was no good handshake
        demo = request.headers.get("paptrading") == "1" or request.headers.get("Host", "").startswith("wspap.")
        self._connection = self._venue.begin(request.path, demo, self.perform)
        self.perform(self._connection.wait_for(entry.faults, self._venue.now()))

    def _read(self, frame: Frame) -> None:
        """Put the pieces of a text together and answer it; native pings count for nothing."""
        if frame.opcode not in (Opcode.TEXT, Opcode.CONT) or self._connection is None:
            if frame.opcode == Opcode.PING and self._connection is not None and self._connection.no_pong:
                self._protocol.data_to_send()  # the answer that the protocol has made by itself
            return
        self._text += frame.data
        if frame.fin:
            text = self._text.decode("utf-8", "replace")
            self._text.clear()
            self.perform(receive(self._connection, text, self._venue.now()))

    def _flush(self) -> None:
        """Send what the protocol has ready; the empty piece is the end of what it sends."""
        for piece in self._protocol.data_to_send():
            if self._transport.is_closing():
                return
            if piece:
                self._transport.write(piece)
            else:
                self._transport.close()

    def _watch(self) -> None:
        """Wake up when the connection's next deadline is due."""
        connection, loop = self._connection, asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
        if connection is None or connection.due == inf or self._transport.is_closing():
            return
        wait = (connection.due - self._venue.now()) / self._venue.pace
        self._timer = loop.call_later(max(0.0, wait), lambda: self.perform(connection.tick(self._venue.now())))
