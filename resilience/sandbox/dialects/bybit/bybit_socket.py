"""Speaks Bybit's trade socket: a login, then messages with a stamp that stand for requests."""

from __future__ import annotations

import hmac
import json
from hashlib import sha256
from typing import Any

from ...exchange.auth import Authenticator
from ..order_socket import MessageRequest, OrderSocket, SocketMessage

__all__ = ["BYBIT_SOCKET"]

_PATHS = {"order.create": "create", "order.cancel": "cancel", "order.amend": "amend"}


def _sign(account: Authenticator, text: str) -> str:
    return hmac.new(account.secret.encode(), text.encode(), sha256).hexdigest()


def _login(message: SocketMessage) -> tuple[dict[str, Any], bool] | None:
    if message.body.get("op") != "auth":
        return None
    args = message.body.get("args")
    key, expires, sign = [*map(str, args), "", "", ""][:3] if isinstance(args, list) else ("", "", "")
    right = key == message.account.key and sign == _sign(message.account, f"GET/realtime{expires}")
    right = right and expires.isdecimal() and int(expires) > message.now * 1000
    code, text = (0, "OK") if right else (10004, "error sign! Please check your signature generation algorithm.")
    return {"retCode": code, "retMsg": text, "op": "auth", "connId": "sandbox"}, right


def _request(message: SocketMessage) -> MessageRequest | None:
    path, args, account = _PATHS.get(str(message.body.get("op"))), message.body.get("args"), message.account
    if path is None or not isinstance(args, list) or len(args) != 1 or not message.logged_in:
        return None
    given, body = message.body.get("header"), json.dumps(args[0])
    header = {str(name).lower(): str(value) for name, value in given.items()} if isinstance(given, dict) else {}
    stamp, window = header.get("x-bapi-timestamp", ""), header.get("x-bapi-recv-window", "")
    signed = {"x-bapi-api-key": account.key, "x-bapi-sign": _sign(account, f"{stamp}{account.key}{window}{body}")}
    return MessageRequest("POST", f"/v5/order/{path}", body, {**header, **signed})


def _answer(message: SocketMessage, _status: int, body: Any) -> dict[str, Any]:
    fields = body if isinstance(body, dict) else {}
    return {
        "reqId": message.body.get("reqId"),
        "retCode": fields.get("retCode"),
        "retMsg": fields.get("retMsg"),
        "op": message.body.get("op"),
        "data": fields.get("result", {}),
        "retExtInfo": {},
        "header": {"Timenow": str(int(message.now * 1000))},
        "connId": "sandbox",
    }


def _refuse(message: SocketMessage) -> dict[str, Any]:
    code, text = (10001, "Request parameter error.") if message.logged_in else (10019, "Please log in")
    return _answer(message, 200, {"retCode": code, "retMsg": text})


BYBIT_SOCKET = OrderSocket(
    login=_login,
    request=_request,
    answer=_answer,
    refuse=_refuse,
    ccxt_urls=lambda address: {"private": {"trade": f"{address}/v5/trade"}},
)
