"""A client of the server for tests: requests with any headers, and a reader of the event stream."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit


class Reply(NamedTuple):
    """An answer of the server."""

    status: int
    body: Any
    headers: http.client.HTTPMessage


def ask(url: str, path: str = "/snapshot", method: str = "GET", body: Any = None, **headers: str) -> Reply:
    """Send one request and return the answer; an underscore in a header's name stands for a hyphen."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        content = body if body is None or isinstance(body, (str, bytes)) else json.dumps(body)
        connection.request(method, path, content, {name.replace("_", "-"): text for name, text in headers.items()})
        answer = connection.getresponse()
        raw = answer.read()
        return Reply(answer.status, json.loads(raw) if raw else None, answer.headers)
    finally:
        connection.close()


class EventStream:
    """An open event stream; it is read when `events` is iterated."""

    def __init__(self, url: str, **headers: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        self._connection.request("GET", "/events", headers=headers)
        self.answer = self._connection.getresponse()

    def events(self) -> Iterator[tuple[str, Any]]:
        """Yield the kind and the data of each event, until the stream ends."""
        kind = ""
        for line in self.answer:
            name, _, text = line.decode().rstrip("\n").partition(": ")
            if name == "event":
                kind = text
            elif name == "data":
                yield kind, json.loads(text)

    def first(self, kind: str) -> Any:
        """Return the data of the next event of a kind."""
        return next(data for other, data in self.events() if other == kind)

    def close(self) -> None:
        """Disconnect."""
        self.answer.close()
        self._connection.close()
