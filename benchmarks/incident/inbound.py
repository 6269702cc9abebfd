"""Receives what a webhook gets: a server on loopback that keeps each message with its time."""

from __future__ import annotations

import http.server
import json
import threading
import time
from typing import Any

__all__ = ["Inbound"]


class Inbound:
    """The webhook of the incident.

    Attributes:
        url: where to post.
        messages: the time of each message, Unix seconds, and its body.
    """

    def __init__(self) -> None:
        self.messages: list[tuple[float, dict[str, Any]]] = []
        messages = self.messages

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                messages.append((time.time(), json.loads(body)))
                self.send_response_only(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/services/bot"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
