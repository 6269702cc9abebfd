"""Writes OKX's answers: an envelope whose code may say less than the codes of the items in its data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...exchange.order_store import RefusedError
from ...rest.answers import FaultAnswers, Reply
from ..translation import Refusals

__all__ = ["FAULTS", "REFUSALS", "format_items", "format_reply", "item", "refused"]

FAULTS: FaultAnswers = {
    "accept_40725": ("50004", "API endpoint request timeout.", 400),
    "refuse_40725": ("50004", "API endpoint request timeout.", 400),
    "code_45001": ("50026", "System error. Try again later.", 500),
    # Inside an item of an envelope whose code is "1", which alone would mean that nothing was executed.
    "unclear_late": ("51149", "Order timed out. Please try again.", 200),
    "refuse_429": ("50011", "Too Many Requests", 429),
    "http200_code": ("51008", "Order failed. Insufficient USDT balance in account.", 200),
    "code_400": ("51000", "Parameter sz error", 400),
    "numeric_code": (50011, "Too Many Requests", 200),
    "code_30032": ("51001", "Instrument ID doesn't exist.", 200),
}
"""The answers of the API for faults."""
REFUSALS: Refusals = {
    "43012": ("51008", "Order failed. Insufficient USDT balance in account."),
    "45110": ("51020", "Your order should meet or exceed the minimum order amount."),
    "40034": ("51001", "Instrument ID doesn't exist."),
    "40017": ("51000", "Parameter error"),
    "400172": ("51000", "Parameter error"),
    "40304": ("51000", "Parameter clOrdId error"),
    "40020": ("50002", "Json syntax error"),
}


def refused(code: str, message: str, status: int = 200) -> RefusedError:
    """Return a refusal; most of OKX's have HTTP status 200."""
    return RefusedError(code, message, status)


def item(ids: Mapping[str, str], now: float, code: str = "0", message: str = "") -> dict[str, str]:
    """Return the item of one order in the answer to a write; `ids` are its order id and its client id."""
    return {**ids, "tag": "", "ts": str(int(now * 1000)), "sCode": code, "sMsg": message, "subCode": ""}


def format_reply(code: str | int, message: str, data: Any, _now: float, status: int = 200) -> Reply:
    """Return an answer in OKX's envelope."""
    if code == "00000":
        return _reply(200, {"code": "0", "msg": "", "data": data})
    # With another status than 200, the real answers have no data.
    return _reply(status, {"code": code, "msg": message, **({"data": []} if status == 200 else {})})


def format_items(code: str | int, message: str, data: Any, now: float, status: int = 200) -> Reply:
    """Return the answer to a write: the code of the envelope follows from those of the items.

    A failure of an order is in its item, any other failure in the envelope.
    """
    if code != "00000":
        if not data or not str(code).startswith("51"):
            return format_reply(code, message, None, now, status)
        data = [{**one, "sCode": str(code), "sMsg": message} for one in data]
    failures = sum(one["sCode"] != "0" for one in data)
    head = {"code": "0", "msg": ""}
    if failures:
        head = {"code": "2", "msg": "Bulk operation partially succeeded."}
    if failures == len(data):
        head = {"code": "1", "msg": "All operations failed"}
    stamp = str(int(now * 1_000_000))
    return _reply(status, {**head, "data": data, "inTime": stamp, "outTime": stamp})


def _reply(status: int, body: Any) -> Reply:
    return Reply(status, json.dumps(body, separators=(",", ":")).encode())
