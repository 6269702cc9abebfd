"""Speaks OKX's private socket for orders: a login, then messages that stand for requests and are not signed."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from ...exchange.auth import Authenticator
from ..order_socket import MessageRequest, OrderSocket, SocketMessage
from .okx_instruments import instrument_of_code

__all__ = ["OKX_SOCKET"]

_PATHS = {
    "order": "batch-orders", "batch-orders": "batch-orders",
    "cancel-order": "cancel-batch-orders", "batch-cancel-orders": "cancel-batch-orders",
    "amend-order": "amend-batch-orders", "batch-amend-orders": "amend-batch-orders",
}  # fmt: skip


def _sign(account: Authenticator, text: str) -> str:
    return base64.b64encode(hmac.new(account.secret.encode(), text.encode(), sha256).digest()).decode()


def _login(message: SocketMessage) -> tuple[dict[str, Any], bool] | None:
    if message.body.get("op") != "login":
        return None
    args, account = message.body.get("args"), message.account
    given = args[0] if isinstance(args, list) and args and isinstance(args[0], dict) else {}
    expected = _sign(account, f"{given.get('timestamp')}GET/users/self/verify")
    right = (given.get("apiKey"), given.get("passphrase")) == (account.key, account.passphrase)
    if right and given.get("sign") == expected:
        return {"event": "login", "code": "0", "msg": "", "connId": "sandbox"}, True
    return {"event": "error", "code": "60009", "msg": "Login failed.", "connId": "sandbox"}, False


def _request(message: SocketMessage) -> MessageRequest | None:
    path, args = _PATHS.get(str(message.body.get("op"))), message.body.get("args")
    if path is None or not isinstance(args, list) or not message.logged_in:
        return None
    target = f"/api/v5/trade/{path}"
    body = json.dumps([_with_instrument(one) if isinstance(one, dict) else one for one in args])
    stamp = datetime.fromtimestamp(message.now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    headers = {
        "ok-access-key": message.account.key,
        "ok-access-passphrase": message.account.passphrase,
        "ok-access-timestamp": stamp,
        "ok-access-sign": _sign(message.account, f"{stamp}POST{target}{body}"),
    }
    if message.body.get("expTime"):
        headers["exptime"] = str(message.body["expTime"])
    return MessageRequest("POST", target, body, headers)


def _with_instrument(order: dict[str, Any]) -> dict[str, Any]:
    """Return an order with the name of its instrument, which the socket takes by a number."""
    name = instrument_of_code(order.get("instIdCode"))
    return order if name is None else {**order, "instId": name}


def _answer(message: SocketMessage, _status: int, body: Any) -> dict[str, Any]:
    fields = body if isinstance(body, dict) else {}
    return {"id": message.body.get("id"), "op": message.body.get("op"), **fields}


def _refuse(message: SocketMessage) -> dict[str, Any]:
    code, text = ("60018", "Invalid request") if message.logged_in else ("60011", "Please log in")
    return {"id": message.body.get("id"), "event": "error", "code": code, "msg": text}


OKX_SOCKET = OrderSocket(
    login=_login,
    request=_request,
    answer=_answer,
    refuse=_refuse,
    ccxt_urls=lambda address: f"{address}/ws/v5",
)
