"""The exchange's HTTP: routes, faults, and connections that hang or break. A thread a connection."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from .answers import Reply, broken, envelope, refusal
from .exchange import RefusedError
from .faults import QUERY, WRITE, FaultError, draw, share

if TYPE_CHECKING:
    from .server import Sandbox

__all__ = ["Listener"]

_SPOT = "/api/v2/spot"
_LONGEST_HANG = 60.0
_MOST_BODY = 1_000_000


class Listener:
    """The listening socket and its thread."""

    def __init__(self, sandbox: Sandbox, host: str, port: int) -> None:
        self._closing = threading.Event()
        handler = type("Handler", (_Handler,), {"sandbox": sandbox, "closing": self._closing})
        self._server = _Server((host, port), handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """End every connection and the thread."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nothing to report."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    sandbox: Sandbox
    closing: threading.Event

    def do_GET(self) -> None:
        """Answer a GET."""
        self._answer("GET", "")

    def do_POST(self) -> None:
        """Answer a POST."""
        length = self.headers.get("Content-Length", "0")
        size = int(length) if length.isdecimal() else 0
        if size > _MOST_BODY:
            self.close_connection = True
            return self._send(envelope("40020", "Parameter body error", None, self.sandbox.now(), 413))
        return self._answer("POST", self.rfile.read(size).decode("utf-8", "replace"))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """Stay quiet: the ledger tells what happened."""

    def _answer(self, method: str, body: str) -> None:
        url = urlsplit(self.path)
        try:
            if url.path.startswith("/sandbox/"):
                reply = self._by_hand(method, url.path, body)
            else:
                self.sandbox.counted()
                reply = self._api(method, url.path, url.query, body)
        except RefusedError as error:
            reply = envelope(error.code, error.message, None, self.sandbox.now(), error.status)
        self._send(reply)

    def _by_hand(self, method: str, path: str, body: str) -> Reply:
        """The exchange's own controls, which no real exchange has."""
        sandbox = self.sandbox
        if (method, path) == ("GET", "/sandbox/ledger"):
            return Reply(200, json.dumps(sandbox.ledger()).encode())
        if (method, path) == ("POST", "/sandbox/reset"):
            sandbox.reset()
            return Reply(200, b"{}")
        if (method, path) == ("POST", "/sandbox/faults"):
            try:
                told = json.loads(body)
                whole = isinstance(told, dict) and isinstance(told.get("seed", 0), int)
                if not whole or set(told) - {"seed", "rates"}:
                    raise FaultError('expected {"seed": 7, "rates": {"lose": 0.05}}')
                sandbox.set_faults(seed=told.get("seed"), rates=told.get("rates"))
            except ValueError as error:
                return Reply(400, json.dumps({"error": str(error)}).encode())
            return Reply(200, json.dumps({"seed": sandbox.seed, "rates": sandbox.rates}).encode())
        return Reply(404, b'{"error": "there are GET /sandbox/ledger, POST /sandbox/faults, POST /sandbox/reset"}')

    def _api(self, method: str, path: str, query: str, body: str) -> Reply:
        sandbox = self.sandbox
        params: Any = dict(parse_qsl(query, keep_blank_values=True))
        if (method, path) == ("GET", "/api/v2/public/time"):
            return self._good({"serverTime": str(int(sandbox.now() * 1000))})
        if (method, path) == ("GET", f"{_SPOT}/market/tickers"):
            return self._good(sandbox.exchange.ticker(params.get("symbol")))
        route = _PRIVATE.get((method, path))
        if route is None:
            return envelope("40404", "Request URL NOT FOUND", None, sandbox.now(), 404)
        if method == "POST":
            try:
                params = json.loads(body or "{}")
            except ValueError:
                params = None
            if not isinstance(params, dict):
                raise RefusedError("40020", "Parameter body error")
        return route(self, _Request(method, path, query, body, params))

    def _enter(self, request: _Request, now: float) -> int:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.sandbox.gate.check(request.method, request.path, request.query, request.body, headers, now)
        self.sandbox.gate.check_window(request.params, now)
        return self.sandbox.gate.spend(request.path, now)

    def _place(self, request: _Request) -> Reply:
        """Place an order, or meet the fault that was drawn for it."""
        sandbox = self.sandbox
        client_id = str(request.params.get("clientOid") or "")
        attempt = sandbox.attempt("place", client_id)
        fault = draw(sandbox.seed, WRITE, client_id, attempt, sandbox.rates) or ""
        if fault == "lose":
            return self._hang()
        if fault == "accept_late":
            self._accept_late(request, client_id, attempt)
            return self._hang()
        now = sandbox.now()
        left = self._enter(request, now)
        refused = refusal(fault, now)
        if refused is not None:
            return refused
        lag = sandbox.lag * share(sandbox.seed, "lag", client_id, attempt) if fault == "lag" else 0.0
        order = sandbox.exchange.place(request.params, now, visible_after=lag)
        good = self._good({"orderId": order.order_id, "clientOid": order.client_id}, left)
        if fault == "accept_hang":
            return self._hang()
        return broken(fault, good, now) if fault else good

    def _accept_late(self, request: _Request, client_id: str, attempt: int) -> None:
        """Deliver the request late in its window, and accept it within P after the stamp was checked."""
        sandbox = self.sandbox
        late = sandbox.window * (0.5 + 0.45 * share(sandbox.seed, "late", client_id, attempt))
        work = sandbox.processing * share(sandbox.seed, "work", client_id, attempt)

        def deliver() -> None:
            try:
                time.sleep(late)
                self._enter(request, sandbox.now())
                time.sleep(work * 0.9)
                sandbox.exchange.place(request.params, sandbox.now())
            except RefusedError:
                pass  # too late: nobody is there to be told
            finally:
                sandbox.under_way(-1)

        sandbox.under_way(+1)
        threading.Thread(target=deliver, daemon=True).start()

    def _cancel(self, request: _Request) -> Reply:
        sandbox = self.sandbox
        client_id = str(request.params.get("clientOid") or request.params.get("orderId") or "")
        attempt = sandbox.attempt("cancel", client_id)
        fault = draw(sandbox.seed, WRITE, f"cancel:{client_id}", attempt, sandbox.rates) or ""
        if fault in ("lose", "accept_late"):
            return self._hang()
        now = sandbox.now()
        left = self._enter(request, now)
        refused = refusal(fault, now)
        if refused is not None:
            return refused
        order = sandbox.exchange.cancel(request.params, now)
        good = self._good({"orderId": order.order_id, "clientOid": order.client_id}, left)
        return broken(fault, good, now) if fault else good

    def _batch(self, request: _Request) -> Reply:
        """Place several orders; those that are refused stand in the failureList of a successful answer."""
        sandbox, now = self.sandbox, self.sandbox.now()
        left = self._enter(request, now)
        orders = request.params.get("orderList")
        if not isinstance(orders, list) or not 0 < len(orders) <= 50:
            raise RefusedError("40306", "Batch processing orders can only process up to 50")
        good: list[dict[str, str]] = []
        bad: list[dict[str, str]] = []
        for one in orders:
            told = {"symbol": request.params.get("symbol"), **one} if isinstance(one, dict) else {}
            try:
                order = sandbox.exchange.place(told, now)
                good.append({"orderId": order.order_id, "clientOid": order.client_id})
            except RefusedError as error:
                told_id = str(told.get("clientOid") or "")
                bad.append({"orderId": "", "clientOid": told_id, "errorMsg": error.message, "errorCode": error.code})
        return self._good({"successList": good, "failureList": bad}, left)

    def _order_info(self, request: _Request) -> Reply:
        sandbox = self.sandbox
        asked = str(request.params.get("clientOid") or request.params.get("orderId") or "")
        number = sandbox.attempt("query", asked)
        if draw(sandbox.seed, QUERY, asked, number, sandbox.rates):
            return Reply(None)
        now = sandbox.now()
        left = self._enter(request, now)
        return self._good([order.shown() for order in sandbox.exchange.find(request.params, now)], left, now)

    def _open_orders(self, request: _Request) -> Reply:
        now = self.sandbox.now()
        left = self._enter(request, now)
        found = self.sandbox.exchange.pending(request.params.get("symbol"), now)
        return self._good([order.shown() for order in found], left, now)

    def _history(self, request: _Request) -> Reply:
        now = self.sandbox.now()
        left = self._enter(request, now)
        found = [o for o in list(self.sandbox.exchange.orders.values()) if o.status != "live" and o.visible_at <= now]
        return self._good([order.shown() for order in reversed(found)][:100], left, now)

    def _assets(self, request: _Request) -> Reply:
        left = self._enter(request, self.sandbox.now())
        return self._good(self.sandbox.exchange.balance(request.params.get("coin")), left)

    def _good(self, data: Any, left: int | None = None, now: float | None = None) -> Reply:
        self._left = left
        return envelope("00000", "success", data, self.sandbox.now() if now is None else now)

    _left: int | None = None

    def _hang(self) -> Reply:
        """Answer nothing until the client goes away, the exchange closes, or a minute has passed."""
        end = time.monotonic() + _LONGEST_HANG
        while time.monotonic() < end and not self.closing.is_set():
            ready, _, _ = select.select([self.connection], [], [], 0.05)
            with contextlib.suppress(OSError):
                if ready and not self.connection.recv(1, socket.MSG_PEEK):
                    break
        return Reply(None)

    def _drop(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, reply: Reply) -> None:
        if reply.status is None:
            return self._drop()
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        if self._left is not None:
            self.send_header("x-mbx-used-remain-limit", str(self._left))
        self.end_headers()
        with contextlib.suppress(OSError):
            for piece in range(0, len(reply.body), 8) if reply.trickle else ():
                self.wfile.write(reply.body[piece : piece + 8])
                time.sleep(self.sandbox.window / 50)
            if not reply.trickle:
                self.wfile.write(reply.body)
        return None


class _Request:
    """One private request as it was read."""

    __slots__ = ("body", "method", "params", "path", "query")

    def __init__(self, method: str, path: str, query: str, body: str, params: dict[str, Any]) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.body = body
        self.params = params


_PRIVATE: dict[tuple[str, str], Callable[[_Handler, _Request], Reply]] = {
    ("POST", f"{_SPOT}/trade/place-order"): _Handler._place,
    ("POST", f"{_SPOT}/trade/cancel-order"): _Handler._cancel,
    ("POST", f"{_SPOT}/trade/batch-orders"): _Handler._batch,
    ("GET", f"{_SPOT}/trade/orderInfo"): _Handler._order_info,
    ("GET", f"{_SPOT}/trade/unfilled-orders"): _Handler._open_orders,
    ("GET", f"{_SPOT}/trade/history-orders"): _Handler._history,
    ("GET", f"{_SPOT}/account/assets"): _Handler._assets,
}
