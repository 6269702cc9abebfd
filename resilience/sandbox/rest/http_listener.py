"""Listens for HTTP and sends the answers: at once, slowly, cut, or never. One thread serves each connection."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from .answers import DROP, Reply

if TYPE_CHECKING:
    from ..exchange.clock import ExchangeClock
    from .routes import Router

__all__ = ["Listener"]

_MAX_HANG = 60.0
_MAX_BODY = 1_000_000


class Listener:
    """The listening socket and its thread."""

    def __init__(self, router: Router, clock: ExchangeClock, host: str, port: int, *, trickle_delay: float) -> None:
        """Bind the port.

        Args:
            router: answers the requests.
            clock: the exchange's clock.
            host: address to listen on.
            port: TCP port; 0 takes any free one.
            trickle_delay: seconds between two pieces of a body that is sent slowly.

        Raises:
            OSError: the port is taken or not allowed.
        """
        self._closing = threading.Event()
        # http.server creates a handler for each connection, so what handlers share is on their class.
        shared = {"router": router, "clock": clock, "trickle_delay": trickle_delay, "closing": self._closing}
        handler = type("Handler", (_Handler,), shared)
        try:
            self._server = _Server((host, port), handler)
        except OSError as error:
            error.filename = f"{host}:{port}"  # part of its text: without it nobody knows which port is in use
            raise
        self.port = int(self._server.server_address[1])
        # 0.05 s between two checks for a shutdown; the default of 0.5 s makes each test slower.
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def start(self) -> None:
        """Start serving."""
        self._thread.start()

    def stop(self) -> None:
        """End every connection and the thread."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class _Server(ThreadingHTTPServer):
    # A handler may hang for a minute; neither closing the server nor the end of the process waits for it.
    daemon_threads = True
    block_on_close = False
    # The default backlog of 5 refuses connections when many clients start at once.
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report nothing: clients disconnect all the time here."""


class _Handler(BaseHTTPRequestHandler):
    # HTTP/1.0, the default, would close the connection after each answer.
    protocol_version = "HTTP/1.1"
    # Nagle's algorithm would hold back the body until the client has acknowledged the headers.
    disable_nagle_algorithm = True
    router: Router
    clock: ExchangeClock
    trickle_delay: float
    closing: threading.Event

    def do_GET(self) -> None:
        """Answer a GET."""
        self._answer("GET", "")

    def do_POST(self) -> None:
        """Answer a POST."""
        self._answer_with_body("POST")

    def do_PUT(self) -> None:
        """Answer a PUT."""
        self._answer_with_body("PUT")

    def do_DELETE(self) -> None:
        """Answer a DELETE."""
        self._answer_with_body("DELETE")

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the header `Date`, which is of the exchange's clock."""
        return super().date_time_string(self.clock.now() if timestamp is None else timestamp)

    def _answer_with_body(self, method: str) -> None:
        length = self.headers.get("Content-Length", "0")
        size = int(length) if length.isdecimal() else 0
        if size > _MAX_BODY:
            self.close_connection = True
            return self._send(self.router.refuse_large_body())
        return self._answer(method, self.rfile.read(size).decode("utf-8", "replace"))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """Log nothing: the ledger records what happened."""

    def _answer(self, method: str, body: str) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.router.respond(method, self.path, body, headers)
        self._send(self._hang() if reply.delivery == "hang" else reply)

    def _hang(self) -> Reply:
        """Send nothing until the client disconnects, the exchange closes, or a minute has passed."""
        end = time.monotonic() + _MAX_HANG
        while time.monotonic() < end and not self.closing.is_set():
            # MSG_PEEK returns nothing once the client has closed its side, and leaves any data in place.
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
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            self._write(reply)
        return None

    def _write(self, reply: Reply) -> None:
        if reply.delivery == "cut":
            self.wfile.write(reply.body[: len(reply.body) // 2])
            return self._reset()
        if reply.delivery != "trickle":
            self.wfile.write(reply.body)
            return None
        for start in range(0, len(reply.body), 8):
            self.wfile.write(reply.body[start : start + 8])
            time.sleep(self.trickle_delay)
        return None

    def _reset(self) -> None:
        """Close the connection with a TCP reset."""
        self.close_connection = True
        # SO_LINGER with a timeout of 0 makes close() send RST and discard what is still buffered.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()  # the file object keeps the socket open otherwise
        self.connection.close()
