"""A scripted loopback server: each connection gets the next behaviour of the script, and the last one repeats."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, Self

Behaviour = Callable[["Connection"], None]


class Request(NamedTuple):
    """One request as it was received, with header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Connection:
    """One accepted connection."""

    def __init__(self, server: Server, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self._rest = b""

    def request(self) -> Request | None:
        """Read a whole request and record it; return None if the client has closed the connection."""
        head = self._until(b"\r\n\r\n")
        if head is None:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        body = self._chunks() if "chunked" in headers.get("transfer-encoding", "") else b""
        body += self._exactly(int(headers.get("content-length", "0")))
        request = Request(method, path, headers, body)
        self.server.requests.append(request)
        self.server.received.set()
        return request

    def send(self, data: bytes) -> None:
        """Send these bytes."""
        self.sock.sendall(data)

    def reset(self) -> None:
        """Close the connection with a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def ended(self) -> bool:
        """Wait until the client closes or resets the connection; return False if it does not within 5 s."""
        self.sock.settimeout(5)
        try:
            return self.sock.recv(1) == b""
        except TimeoutError:
            return False
        except ConnectionError:
            return True

    def _until(self, mark: bytes) -> bytes | None:
        while mark not in self._rest:
            data = self.sock.recv(65_536)
            if not data:
                return None
            self._rest += data
        data, _, self._rest = self._rest.partition(mark)
        return data

    def _exactly(self, size: int) -> bytes:
        while len(self._rest) < size and (data := self.sock.recv(65_536)):
            self._rest += data
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self._until(b"\r\n") or b"0", 16):
            body += self._exactly(size)
            self._until(b"\r\n")
        self._until(b"\r\n")
        return body


class Server:
    """Listens on loopback while the `with` block runs."""

    def __init__(self, *script: Behaviour) -> None:
        self.script = list(script)
        self.requests: list[Request] = []
        self.received = threading.Event()
        self.over = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for sock in (self._listening, *self._open):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()
        for thread in self._threads:
            thread.join(60)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listening.accept()
            except OSError:
                return
            behaviour = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            self._open.append(sock)
            thread = threading.Thread(target=self._play, args=(sock, behaviour), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _play(self, sock: socket.socket, behaviour: Behaviour) -> None:
        try:
            behaviour(Connection(self, sock))
        except (OSError, ValueError):
            pass  # the client has gone, or speaks another protocol
        finally:
            sock.close()


def _head(status: int, headers: dict[str, str], *, keep: bool = False) -> bytes:
    lines = [f"{name}: {value}" for name, value in {"Connection": "keep-alive" if keep else "close", **headers}.items()]
    return "\r\n".join([f"HTTP/1.1 {status} Scripted", *lines, "", ""]).encode()


def answer(status: int = 200, body: Any = "fine", **headers: str) -> Behaviour:
    """Respond with this status and body, a mapping as JSON; underscores in header names become hyphens."""
    return keep(reply(status, body, **headers), close=True)


def reply(status: int = 200, body: Any = "fine", **headers: str) -> tuple[int, bytes, dict[str, str]]:
    """Return one response for `keep`."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    if not isinstance(body, (str, bytes)):
        body, fields = json.dumps(body), {"Content-Type": "application/json", **fields}
    raw = body.encode() if isinstance(body, str) else body
    return status, raw, {"Content-Length": str(len(raw)), **fields}


def keep(*replies: tuple[int, bytes, dict[str, str]], close: bool = False) -> Behaviour:
    """Respond to several requests on one connection, then close it."""

    def behaviour(connection: Connection) -> None:
        for status, body, headers in replies:
            request = connection.request()
            if request is None:
                return
            raw = _head(status, headers, keep=not close) + (b"" if request.method == "HEAD" else body)
            connection.send(raw)

    return behaviour


def drop_before(connection: Connection) -> None:
    """Reset the connection before the request is read."""
    connection.sock.recv(1)
    connection.reset()


def drop_after(connection: Connection) -> None:
    """Read the request and close the connection without a response."""
    connection.request()


def reset_after(connection: Connection) -> None:
    """Read the request and reset the connection."""
    connection.request()
    connection.reset()


def raw(data: bytes, *, hold: bool = False) -> Behaviour:
    """Read the request and send these bytes; then hold the connection open, or close it."""

    def behaviour(connection: Connection) -> None:
        connection.request()
        connection.send(data)
        if hold:
            connection.server.over.wait(30)

    return behaviour


drop_mid_body = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it")
bad_chunk = raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nno chunk\r\n")
bad_gzip = raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\nno gzip!")
no_http = raw(b"this is not HTTP\r\n\r\n")
silent = raw(b"", hold=True)
stuck_body = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it", hold=True)
