"""Stands in front of the sandbox on loopback: it passes requests on, drops them, or bans whoever sends them."""

from __future__ import annotations

import http.client
import http.server
import threading
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Front"]

_PASSED = ("Content-Type", "Content-Length", "Date")


class Front:
    """A reverse proxy whose state a script changes.

    Attributes:
        state: `up`, `down` (connections are dropped) or `banned` (418).
        ban: seconds that a banned client is asked to wait.
        url: its address.
    """

    def __init__(self, behind: str) -> None:
        self.state, self.ban = "up", 1
        self._behind = urlsplit(behind).netloc
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        front = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer()

            def do_POST(self) -> None:
                self.answer()

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if front.state == "down":
                    self.close_connection = True
                    return
                if front.state == "banned":
                    self.reply(418, {"Retry-After": str(front.ban), "Content-Length": "0"}, b"")
                    return
                self.pass_on(body)

            def pass_on(self, body: bytes) -> None:
                """Ask the sandbox; a request that it drops is dropped here too."""
                connection = http.client.HTTPConnection(front._behind, timeout=30)
                try:
                    connection.request(self.command, self.path, body, dict(self.headers))
                    answer = connection.getresponse()
                    headers = {name: answer.headers[name] for name in _PASSED if name in answer.headers}
                    self.reply(answer.status, headers, answer.read())
                except (OSError, http.client.HTTPException):
                    self.close_connection = True
                finally:
                    connection.close()

            def reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response_only(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler
