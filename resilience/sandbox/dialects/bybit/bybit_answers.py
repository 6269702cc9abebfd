"""Writes Bybit's answers: an envelope with a number, nearly always under HTTP status 200."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from ...exchange.order_store import RefusedError
from ...rest.answers import FaultAnswers, Reply
from ..translation import Refusals

__all__ = ["FAULTS", "LINEAR_REFUSALS", "SPOT_REFUSALS", "BatchResult", "format_reply", "refused"]

FAULTS: FaultAnswers = {
    "accept_40725": (10016, "Server error.", 200),
    "refuse_40725": (10016, "Server error.", 200),
    "code_45001": (10000, "Server Timeout", 200),
    "unclear_late": (10000, "Server Timeout", 200),
    "refuse_429": (10429, "System level frequency protection", 429),
    "http200_code": (10001, "Request parameter error.", 200),
    "code_400": (10001, "Request parameter error.", 400),
    # The code as text, which a client must read like the number.
    "numeric_code": ("10006", "Too many visits. Exceeded the API Rate Limit.", 200),
    "code_30032": (10017, "Route not found.", 404),
}
"""The answers of the API for faults."""
_COMMON: Refusals = {"40017": ("10001", "Request parameter error."), "400172": ("10001", "Request parameter error.")}
SPOT_REFUSALS: Refusals = {
    **_COMMON,
    "43012": ("170131", "Balance insufficient."),
    "45110": ("170140", "Order value exceeded lower limit."),
    "40034": ("170121", "Invalid symbol."),
    "22001": ("170142", "Order has been canceled."),
}
"""The codes of spot orders."""
LINEAR_REFUSALS: Refusals = {
    **_COMMON,
    "43012": ("110007", "Available balance is insufficient"),
    "45110": ("110094", "Order does not meet minimum order value."),
    "40034": ("10001", "params error: symbol invalid"),
    "22001": ("110001", "order not exists or too late to cancel"),
}
"""The codes of linear orders."""


class BatchResult(NamedTuple):
    """The two lists of an answer to a batch, which run in parallel: the orders, and their codes."""

    orders: list[dict[str, str]]
    codes: list[dict[str, Any]]


def refused(code: int, message: str, status: int = 200) -> RefusedError:
    """Return a refusal."""
    return RefusedError(str(code), message, status)


def format_reply(code: str | int, message: str, data: Any, now: float, status: int = 200) -> Reply:
    """Return an answer in Bybit's envelope, with the exchange's time; the code is a number, or a fault's text."""
    extra: dict[str, Any] = {}
    if isinstance(data, BatchResult):
        extra, data = {"list": data.codes}, {"list": data.orders}
    success = code == "00000"
    number = 0 if success else code
    body = {
        "retCode": int(number) if isinstance(number, str) and message != FAULTS["numeric_code"][1] else number,
        "retMsg": "OK" if success else message,
        "result": data if success else {},
        "retExtInfo": extra,
        "time": int(now * 1000),
    }
    return Reply(status, json.dumps(body, separators=(",", ":")).encode(), "application/json; charset=utf-8")
