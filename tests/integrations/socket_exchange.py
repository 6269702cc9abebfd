"""A loopback server that speaks as much of some exchanges' sockets as their ccxt.pro classes need for an order."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

import ccxt.pro
from aiohttp import WSMsgType, web

MARKET = {
    "id": "BTCUSDT",
    "symbol": "BTC/USDT",
    "base": "BTC",
    "quote": "USDT",
    "baseId": "BTC",
    "quoteId": "USDT",
    "type": "spot",
    "spot": True,
    "active": True,
    "contract": False,
    "inverse": False,
    "linear": False,
    "swap": False,
    "future": False,
    "option": False,
    "margin": False,
    "taker": 0.001,
    "maker": 0.001,
    "precision": {"amount": 1e-6, "price": 0.01},
    "limits": {},
    "info": {"orderTypes": ["LIMIT", "MARKET"]},
}
KEYS = {"apiKey": "k", "secret": "c2VjcmV0", "password": "p"}


class Dialect(NamedTuple):
    """How an exchange is reached, and what it answers. Answers are functions of the message, or None for no answer."""

    urls: Callable[[str, str], Mapping[str, Any]]
    accept: Callable[[Any], Any]
    refuse: Callable[[Any], Any]
    is_login: Callable[[Any], bool] = lambda _message: False
    login: Callable[[Any], Any] = lambda _message: None
    is_order: Callable[[Any], bool] = lambda _message: False


def _okx(message: Any, code: str, text: str) -> Any:
    order = message["args"][0]
    row = {"clOrdId": order.get("clOrdId", ""), "ordId": "1" if code == "0" else "", "sCode": code, "sMsg": text}
    return {"id": message["id"], "op": message["op"], "data": [row], "code": "0" if code == "0" else "1"}


def _bybit(message: Any, code: int, text: str) -> Any:
    order = message["args"][0]
    data = {"orderId": "1", "orderLinkId": order.get("orderLinkId", "")} if code == 0 else {}
    return {"reqId": message["reqId"], "retCode": code, "retMsg": text, "op": message["op"], "data": data}


def _binance(message: Any) -> Any:
    order = message["params"]
    row = {"symbol": "BTCUSDT", "orderId": 1, "clientOrderId": order["newClientOrderId"], "status": "NEW"}
    return {"id": message["id"], "status": 200, "result": row}


def _kraken(message: Any) -> Any:
    result = {"order_id": "OXM2QD", "cl_ord_id": message["params"].get("cl_ord_id")}
    return {"method": message["method"], "req_id": message["req_id"], "result": result, "success": True}


DIALECTS: Mapping[str, Dialect] = {
    "binance": Dialect(
        lambda ws, _http: {"ws": {"ws-api": {"spot": ws}, "spot": ws}},
        _binance,
        lambda m: {"id": m["id"], "status": 400, "error": {"code": -2010, "msg": "Account has insufficient balance"}},
        is_order=lambda m: m["method"].startswith("order."),
    ),
    "okx": Dialect(
        lambda ws, _http: {"ws": ws},
        lambda m: _okx(m, "0", ""),
        lambda m: _okx(m, "51008", "Insufficient balance"),
        lambda m: m["op"] == "login",
        lambda _m: {"event": "login", "code": "0", "msg": ""},
        lambda m: "order" in m["op"],
    ),
    "bybit": Dialect(
        lambda ws, _http: {"ws": {"private": {"trade": ws}, "public": {"spot": ws}}},
        lambda m: _bybit(m, 0, "OK"),
        lambda m: _bybit(m, 170131, "Insufficient balance."),
        lambda m: m["op"] == "auth",
        lambda _m: {"retCode": 0, "retMsg": "OK", "op": "auth", "connId": "1"},
        lambda m: m["op"].startswith("order."),
    ),
    "kraken": Dialect(
        lambda ws, http: {
            "private": http,
            "ws": {"public": ws, "private": ws, "privateV2": ws, "publicV2": ws, "beta": ws},
        },
        _kraken,
        lambda m: {
            "method": m["method"],
            "req_id": m["req_id"],
            "error": "EOrder:Insufficient funds (insufficient user funds)",
            "success": False,
        },
        is_order=lambda m: m["method"].endswith("_order"),
    ),
}


class SocketExchange:
    """The server; an async context manager.

    Attributes:
        orders: the messages that asked for an order, in the order in which they came.
        messages: all messages.
        on_order: what is done with an order: `accept`, `refuse`, `silent`, `close`, or a function of socket and
            message.
        answers_login: whether logins are answered.
    """

    def __init__(self, name: str) -> None:
        self.dialect = DIALECTS[name]
        self.name = name
        self.orders: list[Any] = []
        self.messages: list[Any] = []
        self.connections: list[web.WebSocketResponse] = []
        self.on_order: Any = "accept"
        self.answers_login = True

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, shutdown_timeout=0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Refuse every connection from now on."""
        for connection in self.connections:
            await connection.close()
        await self._runner.cleanup()

    def plain(self, **config: Any) -> Any:
        """Return an exchange of ccxt.pro that talks to this server, with one market loaded."""
        exchange = getattr(ccxt.pro, self.name)({**KEYS, "enableRateLimit": False, **config})
        exchange.urls["api"] = exchange.deep_extend(
            exchange.urls["api"],
            self.dialect.urls(f"ws://127.0.0.1:{self.port}/ws", f"http://127.0.0.1:{self.port}"),
        )
        exchange.set_markets([MARKET])
        return exchange

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return web.json_response({"error": [], "result": {"token": "t", "expires": 900}})
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.connections.append(socket)
        async for frame in socket:
            if frame.type is WSMsgType.TEXT and frame.data.startswith("{"):
                await self._answer(socket, json.loads(frame.data))
        return socket

    async def _answer(self, socket: web.WebSocketResponse, message: Any) -> None:
        self.messages.append(message)
        dialect = self.dialect
        if dialect.is_login(message):
            if self.answers_login:
                await socket.send_json(dialect.login(message))
        elif dialect.is_order(message):
            self.orders.append(message)
            await self._answer_order(socket, message)

    async def _answer_order(self, socket: web.WebSocketResponse, message: Any) -> None:
        does = self.on_order
        if callable(does):
            await does(socket, message)
        elif does == "close":
            await socket.close()
        elif does != "silent":
            await socket.send_json(getattr(self.dialect, does)(message))
