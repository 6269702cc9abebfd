"""A scripted loopback server: each connection plays one behaviour, the last of them again and again."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, Self

Behaviour = Callable[["Connection"], None]


class Request(NamedTuple):
    """One request as it arrived; the headers' names are in small letters."""

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
        """Read a whole request and record it; None when the client has gone."""
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
        self.server.asked.set()
        return request

    def send(self, data: bytes) -> None:
        """Send these bytes."""
        self.sock.sendall(data)

    def reset(self) -> None:
        """Close the connection with a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def ended(self) -> bool:
        """Wait until the client ends the connection, in order or by a reset; False when it does not."""
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
        found, _, self._rest = self._rest.partition(mark)
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._rest) < size and (data := self.sock.recv(65_536)):
            self._rest += data
        found, self._rest = self._rest[:size], self._rest[size:]
        return found

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
        self.asked = threading.Event()
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
            thread.join(5)

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
    return "\r\n".join([f"HTTP/1.1 {status} Told", *lines, "", ""]).encode()


def answer(status: int = 200, body: Any = "fine", **headers: str) -> Behaviour:
    """Answer with this status and body, a mapping as JSON; header names are written with underscores."""
    return keep(reply(status, body, **headers), close=True)


def reply(status: int = 200, body: Any = "fine", **headers: str) -> tuple[int, bytes, dict[str, str]]:
    """Return one answer for `keep`."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if not isinstance(body, (str, bytes)):
        body, given = json.dumps(body), {"Content-Type": "application/json", **given}
    raw = body.encode() if isinstance(body, str) else body
    return status, raw, {"Content-Length": str(len(raw)), **given}


def keep(*replies: tuple[int, bytes, dict[str, str]], close: bool = False) -> Behaviour:
    """Answer several requests on one connection, then drop it."""

    def behaviour(connection: Connection) -> None:
        for status, body, headers in replies:
            request = connection.request()
            if request is None:
                return
            raw = _head(status, headers, keep=not close) + (b"" if request.method == "HEAD" else body)
            connection.send(raw)

    return behaviour


def drop_before(connection: Connection) -> None:
    """Drop the connection before the request is read."""
    connection.sock.recv(1)
    connection.reset()


def drop_after(connection: Connection) -> None:
    """Take the request and drop the connection without an answer."""
    connection.request()


def reset_after(connection: Connection) -> None:
    """Take the request and reset the connection."""
    connection.request()
    connection.reset()


def raw(data: bytes, *, hold: bool = False) -> Behaviour:
    """Take the request and send these bytes; hold the connection open after it, or close it."""

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
