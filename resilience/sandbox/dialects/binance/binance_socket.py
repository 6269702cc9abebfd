"""Speaks Binance's WebSocket API for orders: each message is signed like a request, and stands for one."""

from __future__ import annotations

from typing import Any

from ..order_socket import MessageRequest, OrderSocket, SocketMessage

__all__ = ["BINANCE_SOCKET"]

_SPOT = {
    "order.place": ("POST", "/api/v3/order"),
    "order.cancel": ("DELETE", "/api/v3/order"),
    "order.cancelReplace": ("POST", "/api/v3/order/cancelReplace"),
}
_FUTURES = {
    "order.place": ("POST", "/fapi/v1/order"),
    "order.cancel": ("DELETE", "/fapi/v1/order"),
    "order.modify": ("PUT", "/fapi/v1/order"),
}
_PATHS = {"/ws-api/v3": _SPOT, "/ws-fapi/v1": _FUTURES}


def _request(message: SocketMessage) -> MessageRequest | None:
    endpoint = _PATHS.get(message.path, {}).get(str(message.body.get("method")))
    params = message.body.get("params")
    if endpoint is None or not isinstance(params, dict):
        return None
    # The signature is that of all other parameters in alphabetical order, the key of the account among them.
    pairs = [f"{name}={_text(params[name])}" for name in sorted(params) if name != "signature"]
    query = "&".join([*pairs, f"signature={params.get('signature', '')}"])
    return MessageRequest(endpoint[0], f"{endpoint[1]}?{query}", "", {"x-mbx-apikey": str(params.get("apiKey", ""))})


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _answer(message: SocketMessage, status: int, body: Any) -> dict[str, Any]:
    name = "result" if status == 200 else "error"
    return {"id": message.body.get("id"), "status": status, name: body}


def _refuse(message: SocketMessage) -> dict[str, Any]:
    return _answer(message, 400, {"code": -1020, "msg": "This operation is not supported."})


BINANCE_SOCKET = OrderSocket(
    login=lambda _message: None,
    request=_request,
    answer=_answer,
    refuse=_refuse,
    ccxt_urls=lambda address: {"ws-api": {"spot": f"{address}/ws-api/v3", "linear": f"{address}/ws-fapi/v1"}},
)
