"""Answers one connection: checks who asks, finds the route, and sends JSON or the event stream."""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from time import monotonic
from typing import Any

from .actions import ACTIONS, apply_action
from .browser_requests import loopback_refusal
from .refused_request import RequestRefusedError
from .served_policies import ServedPolicies, SharedSnapshot, event_text, json_text
from .viewers import Viewer, Viewers

__all__ = ["INTERVAL", "ServerState", "SnapshotRequest"]

INTERVAL = 1.0  # seconds between two snapshots of the event stream
_MAX_BODY = 16_384
_MAX_DRAINED = 4_000_000  # bytes of a refused body that are read and discarded


@dataclass(frozen=True, slots=True)
class ServerState:
    """What the requests to one server share.

    Attributes:
        policies: whose state is served.
        token: what a request that changes something has to send.
        protects_reading: whether a request that reads has to send it too.
        viewers: those of the event stream.
        shared_snapshot: what the viewers get.
    """

    policies: ServedPolicies
    token: str
    protects_reading: bool
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
            self._check_sender()
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

    def _check_sender(self) -> None:
        if len(self.headers.get_all("Host") or ()) > 1:
            raise RequestRefusedError(400, "Host: expected one header")
        why = loopback_refusal({name.lower(): value for name, value in self.headers.items()})
        if why is not None:
            raise RequestRefusedError(403, why)

    def _find_route(self) -> Callable[[SnapshotRequest], None]:
        methods = _ROUTES.get(self.path.partition("?")[0])
        if methods is None:
            raise RequestRefusedError(404, f"no such path; available: {', '.join(_ROUTES)}")
        if self.command not in methods:
            raise RequestRefusedError(405, f"the method is {' or '.join(methods)}", Allow=", ".join(methods))
        if self.command == "POST" or self.state.protects_reading:
            self._check_token()
        return methods[self.command]

    def _check_token(self) -> None:
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        sent = token.strip().encode("utf-8", "replace") if scheme.lower() == "bearer" else b""
        if not secrets.compare_digest(sent, self.state.token.encode()):
            message = "the token is missing or wrong; send it in the header Authorization, after the word Bearer"
            raise RequestRefusedError(401, message, WWW_Authenticate="Bearer")

    def _read_body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()):
            raise RequestRefusedError(411, "Content-Length: expected a number of bytes")
        if len(length) > 9 or int(length) > _MAX_BODY:
            raise RequestRefusedError(413, f"the body has more than {_MAX_BODY} bytes")
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
            due = monotonic()
            while not viewer.closed:
                due = self._send_next(viewer, due)

    def _send_next(self, viewer: Viewer, due: float) -> float:
        """Send the next decision, or the snapshot when it is due; return when the next snapshot is."""
        now = monotonic()
        event = viewer.next_event(due - now) if now < due else None
        if dropped := viewer.take_dropped():
            self._send_event("dropped", json.dumps({"count": dropped}))
        if event is not None:
            self._send_event("decision", event_text(event))
        elif now >= due:
            self._send_event("snapshot", self.state.shared_snapshot.text())
            return now + INTERVAL
        return due

    def _send_event(self, kind: str, data: str) -> None:
        self.wfile.write(f"event: {kind}\ndata: {data}\n\n".encode())

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
