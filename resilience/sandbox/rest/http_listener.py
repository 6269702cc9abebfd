"""The exchange's HTTP: connections that are served, hang or break. A thread a connection."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from .answers import DROP, Reply, envelope
from .routes import respond

if TYPE_CHECKING:
    from ..server import Sandbox

__all__ = ["Listener"]

_LONGEST_HANG = 60.0
_MOST_BODY = 1_000_000


class Listener:
    """The listening socket and its thread."""

    def __init__(self, sandbox: Sandbox, host: str, port: int) -> None:
        self._closing = threading.Event()
        handler = type("Handler", (_Handler,), {"sandbox": sandbox, "closing": self._closing})
        self._server = _Server((host, port), handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """End every connection and the thread."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nothing to report."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    sandbox: Sandbox
    closing: threading.Event

    def do_GET(self) -> None:
        """Answer a GET."""
        self._answer("GET", "")

    def do_POST(self) -> None:
        """Answer a POST."""
        length = self.headers.get("Content-Length", "0")
        size = int(length) if length.isdecimal() else 0
        if size > _MOST_BODY:
            self.close_connection = True
            return self._send(envelope("40020", "Parameter body error", None, self.sandbox.now(), 413))
        return self._answer("POST", self.rfile.read(size).decode("utf-8", "replace"))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """Stay quiet: the ledger tells what happened."""

    def _answer(self, method: str, body: str) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = respond(self.sandbox, method, self.path, body, headers)
        self._send(self._hang() if reply.manner == "hang" else reply)

    def _hang(self) -> Reply:
        """Answer nothing until the client goes away, the exchange closes, or a minute has passed."""
        end = time.monotonic() + _LONGEST_HANG
        while time.monotonic() < end and not self.closing.is_set():
            ready, _, _ = select.select([self.connection], [], [], 0.05)
            with contextlib.suppress(OSError):
                if ready and not self.connection.recv(1, socket.MSG_PEEK):
                    break
        return DROP

    def _drop(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, reply: Reply) -> None:
        if reply.status is None:
            return self._drop()
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        if reply.left is not None:
            self.send_header("x-mbx-used-remain-limit", str(reply.left))
        self.end_headers()
        with contextlib.suppress(OSError):
            self._write(reply)
        return None

    def _write(self, reply: Reply) -> None:
        if reply.manner == "cut":
            self.wfile.write(reply.body[: len(reply.body) // 2])
            return self._reset()
        if reply.manner != "trickle":
            self.wfile.write(reply.body)
            return None
        for piece in range(0, len(reply.body), 8):
            self.wfile.write(reply.body[piece : piece + 8])
            time.sleep(self.sandbox.window / 50)
        return None

    def _reset(self) -> None:
        """Close the connection with a reset: what lingers is thrown away."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()  # it holds the socket open
        self.connection.close()
