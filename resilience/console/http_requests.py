"""Answers one connection: checks who asks, finds the route, and sends JSON or the event stream."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any

from .access_rules import AccessRules
from .actions import ACTIONS, MAX_BODY, apply_action
from .event_stream import EventStream
from .refused_request import RequestRefusedError
from .served_policies import ServedPolicies, SharedSnapshot, json_text
from .viewers import Viewers

__all__ = ["ServerState", "SnapshotRequest"]

_MAX_DRAINED = 4_000_000  # bytes of a refused body that are read and discarded


@dataclass(frozen=True, slots=True)
class ServerState:
    """What the requests to one server share.

    Attributes:
        policies: whose state is served.
        access: who may send a request.
        viewers: those of the event stream.
        shared_snapshot: what the viewers get.
    """

    policies: ServedPolicies
    access: AccessRules
    viewers: Viewers
    shared_snapshot: SharedSnapshot


class SnapshotRequest(BaseHTTPRequestHandler):
    """The requests of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # For one read or write. A viewer that takes nothing for so long is disconnected.
    timeout = 10.0
    state: ServerState

    def do_GET(self) -> None:
        """Answer a request of any method."""
        try:
            self.state.access.check_sender(self.headers.items())
            self._check_framing()
            self._find_route()(self)
        except RequestRefusedError as refused:
            self._refuse(refused.status, str(refused), refused.headers)
        except OSError:
            self.close_connection = True  # the client is gone
        except Exception as error:
            self._refuse(500, f"internal error: {type(error).__name__}")

    do_HEAD = do_POST = do_GET  # noqa: N815  # the base class's names

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Answer a request that is no HTTP, as JSON; the base class sends a page of HTML."""
        self._refuse(code, message or HTTPStatus(code).phrase)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """Log nothing: what an action changes is an event."""

    def version_string(self) -> str:
        """Return the header `Server`, without the version of Python."""
        return "resilience"

    def _check_framing(self) -> None:
        """Refuse a body that nobody would read, or whose end is unclear: its rest would be the next request."""
        lengths = self.headers.get_all("Content-Length", [])
        if "Transfer-Encoding" in self.headers or len(lengths) > 1:
            raise RequestRefusedError(400, "expected one Content-Length, and no Transfer-Encoding")
        if self.command != "POST" and lengths not in ([], ["0"]):
            raise RequestRefusedError(400, "a body belongs to a POST")

    def _find_route(self) -> Callable[[SnapshotRequest], None]:
        methods = _ROUTES.get(self.path.partition("?")[0])
        if methods is None:
            raise RequestRefusedError(404, f"no such path; available: {', '.join(_ROUTES)}")
        if self.command not in methods:
            raise RequestRefusedError(405, f"the method is {' or '.join(methods)}", Allow=", ".join(methods))
        self.state.access.check_token(self.headers.get("Authorization", ""), changes=self.command == "POST")
        return methods[self.command]

    def _read_body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()):
            raise RequestRefusedError(411, "Content-Length: expected a number of bytes")
        if len(length) > 9 or int(length) > MAX_BODY:
            raise RequestRefusedError(413, f"the body has more than {MAX_BODY} bytes")
        return self.rfile.read(int(length))

    def _send_snapshot(self) -> None:
        self._send(200, json_text(self.state.policies.snapshot()))

    def _apply(self) -> None:
        action = self.path.partition("?")[0].rpartition("/")[2]
        self._send(200, json_text(apply_action(self.state.policies, action, self._read_body())))

    def _send_events(self) -> None:
        with self.state.viewers.admit() as viewer:
            self.close_connection = True  # the stream has no length: its end is the end of the connection
            self._send_headers(200, {"Content-Type": "text/event-stream; charset=utf-8", "Connection": "close"})
            stream = EventStream(viewer, self.state.shared_snapshot)
            while not stream.closed:
                for text in stream.next_texts(wait=True):
                    self.wfile.write(text.encode())

    def _refuse(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        if status == HTTPStatus.NOT_IMPLEMENTED:  # what the base class answers to a method that it does not know
            status, message = 405, "the method is GET or POST"
        self.close_connection = True  # a body that was not read would be taken for the next request
        with contextlib.suppress(OSError):
            self._send(status, json_text({"error": message}), {"Connection": "close", **(headers or {})})
            self._drain()

    def _drain(self) -> None:
        """Discard what still comes: closing a socket with unread bytes resets it, and the answer would be lost."""
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(1.0)
        drained = 0
        while drained < _MAX_DRAINED and (piece := self.connection.recv(65_536)):
            drained += len(piece)

    def _send(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        body = text.encode() + b"\n"
        length = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        self._send_headers(status, {**length, **(headers or {})})
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_headers(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}.items():
            self.send_header(name, value)
        self.end_headers()


Route = Callable[[SnapshotRequest], None]
_ROUTES: dict[str, dict[str, Route]] = {
    "/snapshot": {"GET": SnapshotRequest._send_snapshot, "HEAD": SnapshotRequest._send_snapshot},
    "/events": {"GET": SnapshotRequest._send_events},
    **{f"/actions/{action}": {"POST": SnapshotRequest._apply} for action in ACTIONS},
}
