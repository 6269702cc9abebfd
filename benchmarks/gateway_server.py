"""Serves an exchange behind a gateway on loopback; what the gateway answers to an order follows from its key.

    python -m benchmarks.gateway_server [--seed 7]

runs it in a process of its own until its input ends. The first part of a path is the dialect: `/plain`, `/okx`, or
`/bitget`, whose requests go to a sandbox. `GET /executions` returns how often each key was executed, and
`GET /reset` forgets the orders.
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import socket
import socketserver
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from resilience.sandbox import Sandbox

from .gateway_dialects import Request, bitget_body, client_oid
from .gateway_kinds import Wire, answer, message
from .gateway_orders import OrderBook

__all__ = ["Gateway", "running_gateway"]

SANDBOX_WINDOW = 1.0
ATTEMPT = 10.0  # seconds; the sandbox's own limit is short, and a busy machine would mostly show what it does


class Gateway(socketserver.ThreadingTCPServer):
    """The gateway, with the exchanges behind it."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 1024

    def __init__(self, seed: int, sandbox: Sandbox) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.book = OrderBook(seed)
        self.sandbox = sandbox

    @property
    def url(self) -> str:
        """The address of the gateway."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: Any) -> None:
        """Say nothing: clients close connections at any time."""

    def respond(self, request: Request) -> Wire:
        """Return the answer to a request."""
        name, slash, rest = request.target.lstrip("/").partition("/")
        if name == "executions":
            return _plain(200, self.executions())
        if name == "reset":
            self.book = OrderBook(self.book.seed)
            self.sandbox.reset()
            return _plain(200, {})
        inner = Request(request.method, slash + rest, request.headers, request.body)
        if name == "bitget":
            return self._bitget(inner, request.target)
        return self.book.respond(name, inner, request.target)

    def executions(self) -> dict[str, int]:
        """Return how often each key was executed, in all dialects."""
        self.sandbox.settle()
        rows = self.sandbox.ledger()["orders"]
        return {**self.book.executions()} | {row["clientOid"]: row["executions"] for row in rows}

    def _bitget(self, request: Request, target: str) -> Wire:
        key = client_oid(request)
        if request.method == "GET" or key is None:
            return Wire(message(*self._forward(request)))
        step, _ = self.book.next_step(key)
        status, success = 200, bitget_body({"orderId": "77777", "clientOid": key})
        if step.passed_on:
            status, success = self._forward(request)
        if not step.kind:
            return Wire(message(status, success))
        other = bitget_body({"orderId": "77777", "clientOid": f"{key}9"})
        return answer(step.kind, step.number, success, other, bitget_body({}), target)

    def _forward(self, request: Request) -> tuple[int, bytes]:
        dropped = ("host", "accept-encoding", "content-length", "connection")
        headers = {name: value for name, value in request.headers.items() if name not in dropped}
        connection = http.client.HTTPConnection(self.sandbox.rest.removeprefix("http://"), timeout=30)
        try:
            connection.request(request.method, request.target, request.body or None, headers)
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()


def _plain(status: int, value: Any) -> Wire:
    return Wire(message(status, json.dumps(value).encode()))


class _Connection(socketserver.StreamRequestHandler):
    """Reads requests from one connection and writes the answers, byte for byte."""

    disable_nagle_algorithm = True
    server: Gateway

    def handle(self) -> None:
        """Answer requests until the connection is closed."""
        while (request := self._read()) is not None:
            wire = self.server.respond(request)
            self.wfile.write(wire.data)
            self.wfile.flush()
            if wire.then == "reset":
                # Nothing is closed in good order: the kernel sends RST.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.rfile.close()
                self.connection.close()
            if wire.then != "keep":
                return

    def _read(self) -> Request | None:
        first = self.rfile.readline(65536)
        if not first.strip():
            return None
        method, target, _ = first.decode("latin-1").split(" ", 2)
        headers = {}
        while (line := self.rfile.readline(65536).strip()) != b"":
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        body = self.rfile.read(int(headers.get("content-length") or 0))
        return Request(method, target, headers, body)


@contextmanager
def running_gateway(seed: int) -> Iterator[Gateway]:
    """Run a gateway in this process."""
    # Half of the orders become visible late, within the L of the sandbox's policy.
    sandbox = Sandbox(window=SANDBOX_WINDOW, seed=seed, limits=False, faults={"lag": 0.5})
    with sandbox, Gateway(seed, sandbox) as gateway:
        policy = Path(sandbox.policy)
        text = policy.read_text(encoding="utf-8")
        policy.write_text(re.sub(r"attempt_timeout: \S+", f"attempt_timeout: {ATTEMPT}s", text), encoding="utf-8")
        thread = threading.Thread(target=gateway.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield gateway
        gateway.shutdown()
        thread.join()


def main() -> None:
    """Run the gateway until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=7, metavar="N", help="seed of the delays (7)")
    options = parser.parse_args()
    with running_gateway(options.seed) as gateway:
        box = gateway.sandbox
        access = {name: getattr(box, name) for name in ("key", "secret", "passphrase", "policy")}
        print(json.dumps({"url": gateway.url, **access}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
