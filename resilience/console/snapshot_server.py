"""Listens on loopback in a daemon thread, with one thread per connection, until it is closed.

A forked child has the parent's sockets and none of its threads: it closes its copies, and the parent serves on.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from http.server import ThreadingHTTPServer
from socketserver import TCPServer
from types import TracebackType
from typing import Any, Self

from .._core.base.fork_safety import register_for_fork
from .access_rules import AccessRules
from .event_stream import INTERVAL
from .http_requests import ServerState, SnapshotRequest
from .listen_address import check_address, new_token, url_of
from .served_policies import ServedPolicies, SharedSnapshot
from .viewers import Viewers

__all__ = ["SnapshotServer"]

_MAX_CONNECTIONS = 256
_JOIN_TIMEOUT = 2.0  # seconds for a thread whose socket was shut down


class SnapshotServer:
    """The running server of `serve_snapshot`; use it as a context manager, or call `close`. Safe across threads.

    Attributes:
        url: its base URL, such as `http://127.0.0.1:8700`.
        token: what a request must send as `Authorization: Bearer TOKEN` to change something. It is a secret.
    """

    def __init__(self, policies: ServedPolicies, *, host: str, port: int, token: str | None) -> None:
        """Bind the port and start to serve; see `Policies.serve_snapshot`."""
        check_address(host, port)
        self.token: str = new_token(token)
        access = AccessRules(self.token, protects_reading=token is not None)
        viewers = Viewers(policies.subscribe)
        snapshot = SharedSnapshot(policies, INTERVAL * 0.9)  # less than the interval: each viewer gets a new one
        self._listener = _Listener(host, port, ServerState(policies, access, viewers, snapshot))
        self.url: str = url_of(host, self._listener.server_address[1])
        self._listener.start()

    def close(self) -> None:
        """Stop listening, and end every connection, event stream and thread. A second call does nothing."""
        self._listener.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<SnapshotServer {self.url}>"


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # the base class would wait for its threads without a limit
    request_queue_size = 128
    # On Windows this option would let two servers share one port.
    allow_reuse_address = os.name == "posix"

    def __init__(self, host: str, port: int, state: ServerState) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._viewers = state.viewers
        self._open: dict[Any, threading.Thread] = {}
        self._closed = threading.Event()
        try:
            super().__init__((host, port), type("Request", (SnapshotRequest,), {"state": state}))
        except OSError as error:
            error.filename = f"{host}:{port}"  # part of its text: without it nobody knows which port is in use
            raise
        self._thread = threading.Thread(target=self.serve_forever, args=(0.1,), name="resilience-snapshot", daemon=True)
        register_for_fork(self)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._closed.is_set():
            return
        self._closed.set()
        self.shutdown()
        self.server_close()
        self._viewers.close()
        open_ones = list(self._open.items())
        for connection, _ in open_ones:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)  # ends a read or a write that waits
        for thread in (*(thread for _, thread in open_ones), self._thread):
            if thread is not threading.current_thread():
                thread.join(_JOIN_TIMEOUT)

    def reset_after_fork(self) -> None:
        self._closed.set()
        self._viewers.forget()
        # Closed and not shut down: a shutdown would end the parent's connections.
        for connection in (*self._open, self.socket):
            with contextlib.suppress(OSError):
                connection.close()
        self._open = {}

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # HTTPServer asks DNS for the name of this machine, which can take seconds

    def get_request(self) -> tuple[Any, Any]:
        try:
            return super().get_request()
        except OSError:
            time.sleep(0.05)  # no file descriptor is left: the loop would try again at once, and take a processor
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        if len(self._open) >= _MAX_CONNECTIONS or self._closed.is_set():
            self.shutdown_request(request)
            return
        thread = threading.Thread(
            target=self.process_request_thread,
            args=(request, client_address),
            name="resilience-snapshot-connection",
            daemon=True,
        )
        self._open[request] = thread
        thread.start()

    def shutdown_request(self, request: Any) -> None:
        self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report nothing: clients disconnect all the time."""
