"""Writes orders as the stand-in exchanges of the gateway do, and finds the key in a request to them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

__all__ = ["DIALECTS", "Dialect", "Request", "bitget_body", "client_oid"]


@dataclass(frozen=True, slots=True)
class Request:
    """One request: its method, target, headers (names in lower case) and body."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the URL."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}


class Dialect:
    """The plain dialect: the key is a header, and an answer is the order itself."""

    def key(self, request: Request) -> str | None:
        """Return the key of a POST or of a lookup."""
        return request.query.get("key") if request.method == "GET" else request.headers.get("idempotency-key")

    def placed(self, order_id: str, key: str) -> Any:
        """Return the answer to a POST; without an order in it if the id is empty."""
        return {"orderId": order_id, "clientOrderId": key, "status": "new"} if order_id else {"status": "new"}

    def found(self, order_id: str, key: str, created: float, now: float) -> Any:
        """Return the answer to a lookup that found the order."""
        return {"orders": [{**self.placed(order_id, key), "createdAt": created}], "time": now}

    def missing(self, now: float) -> Any:
        """Return the answer to a lookup that found nothing."""
        return {"orders": [], "time": now}


class OkxDialect(Dialect):
    """A part of OKX's V5 that is enough for ccxt's `create_order` and `fetch_order`."""

    def key(self, request: Request) -> str | None:
        """Return the client order id."""
        if request.method == "GET":
            return request.query.get("clOrdId")
        sent = json.loads(request.body or b"{}")
        key: str | None = (sent[0] if isinstance(sent, list) else sent).get("clOrdId")
        return key

    def placed(self, order_id: str, key: str) -> Any:
        """Return the answer to a POST; without an order in it if the id is empty."""
        rows = [{"clOrdId": key, "ordId": order_id, "sCode": "0", "sMsg": "", "tag": ""}] if order_id else []
        return {"code": "0", "data": rows, "msg": ""}

    def found(self, order_id: str, key: str, created: float, _now: float) -> Any:
        """Return the answer to a lookup that found the order."""
        row = {"ordId": order_id, "clOrdId": key, "instId": "BTC-USDT", "side": "buy", "ordType": "market"}
        return {"code": "0", "data": [{**row, "state": "filled", "cTime": str(int(created * 1000))}], "msg": ""}

    def missing(self, _now: float) -> Any:
        """Return the answer to a lookup that found nothing."""
        return {"code": "51603", "data": [], "msg": "Order does not exist"}


DIALECTS = {"plain": Dialect(), "okx": OkxDialect()}


def client_oid(request: Request) -> str | None:
    """Return the client id in an order of Bitget's."""
    try:
        return str(json.loads(request.body).get("clientOid"))
    except (ValueError, AttributeError):
        return None


def bitget_body(data: Any) -> bytes:
    """Return a success of Bitget's with this data."""
    return json.dumps({"code": "00000", "msg": "success", "requestTime": 0, "data": data}).encode()
