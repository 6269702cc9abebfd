"""A local HTTP server whose answers a test scripts by function, byte by byte where it likes."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple, Self


class Seen(NamedTuple):
    """A request that the server got; `port` is the client's, and tells connections apart."""

    method: str
    path: str
    body: str
    headers: dict[str, str]
    port: int

    @property
    def text(self) -> str:
        """Everything in which a key may travel."""
        return f"{self.path} {self.body} {self.headers}"


class RawServer:
    """Calls `reply(seen)` for each request.

    It returns a status and a body; a status, a body and headers; raw bytes to write as they are; raw bytes and None to
    close the connection after them; or None to drop the connection.
    """

    def __init__(self, reply: Callable[[Seen], Any]) -> None:
        self.reply = reply
        self.seen: list[Seen] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("utf-8", "replace")
                seen = Seen(self.command, self.path, body, dict(self.headers), self.client_address[1])
                owner.seen.append(seen)
                self.write_answer(owner.reply(seen))

            do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815  # the base class's names

            def write_answer(self, answer: Any) -> None:
                if answer is None:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                elif isinstance(answer, bytes):
                    self.wfile.write(answer)
                elif answer[1] is None:
                    self.wfile.write(answer[0])
                    self.close_connection = True
                else:
                    self.write_response(*answer)

            def write_response(self, status: int, body: Any, headers: Any = ()) -> None:
                raw = (body if isinstance(body, str) else json.dumps(body)).encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **dict(headers)}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_args: Any) -> None:
                """Write no log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def sent(self, method: str) -> list[Seen]:
        """Return the requests of one method."""
        return [seen for seen in self.seen if seen.method == method]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
