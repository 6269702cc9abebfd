"""Writes Binance's answers: the bare object of a success, or a number and a text with an HTTP status."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...exchange.order_store import RefusedError
from ...rest.answers import FaultAnswers, Reply
from ..translation import Refusals

__all__ = ["FUTURES_FAULTS", "FUTURES_REFUSALS", "REFUSALS", "SPOT_FAULTS", "format_reply", "reply_of", "require_sent"]

_TIMEOUT = "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
_BUS = "An unexpected response was received from the message bus. Execution status unknown."
_WEIGHT = "Too much request weight used; current limit is 6000 request weight per 1 MINUTE."
_FUNDS = "Account has insufficient balance for requested action."
SPOT_FAULTS: FaultAnswers = {
    "accept_40725": ("-1006", _BUS, 500),
    "refuse_40725": ("-1006", _BUS, 500),
    "code_45001": ("-1000", "An unknown error occurred while processing the request.", 500),
    "unclear_late": ("-1007", _TIMEOUT, 504),
    "refuse_429": ("-1003", _WEIGHT, 429),
    "http200_code": ("-2010", _FUNDS, 200),
    "code_400": ("-2010", _FUNDS, 400),
    "numeric_code": ("-1013", "Filter failure: NOTIONAL", 400),
    "code_30032": ("-1016", "This service is no longer available.", 410),
}
"""The answers of the spot API for faults."""
FUTURES_FAULTS: FaultAnswers = {
    **SPOT_FAULTS,
    "unclear_late": ("-1007", _TIMEOUT, 408),
    "http200_code": ("-2019", "Margin is insufficient.", 200),
    "code_400": ("-2019", "Margin is insufficient.", 400),
}
"""The answers of the futures API for faults."""
REFUSALS: Refusals = {
    "43012": ("-2010", _FUNDS),
    "45110": ("-1013", "Filter failure: NOTIONAL"),
    "40034": ("-1121", "Invalid symbol."),
    "40017": ("-1102", "A mandatory parameter was not sent, was empty/null, or malformed."),
    "400172": ("-1102", "A mandatory parameter was not sent, was empty/null, or malformed."),
    "40304": ("-1100", "Illegal characters found in a parameter."),
    "22001": ("-2011", "Unknown order sent."),
}
"""The codes of spot orders."""
FUTURES_REFUSALS: Refusals = {
    **REFUSALS,
    "43012": ("-2019", "Margin is insufficient."),
    "45110": ("-4164", "Order's notional must be no smaller than 1."),
}
"""The codes of futures orders."""


def format_reply(code: str | int, message: str, data: Any, _now: float, status: int = 200) -> Reply:
    """Return an answer: what the endpoint returns, or a code and a message."""
    if isinstance(data, Reply):  # of an endpoint whose failures have a body of their own
        return data
    return reply_of(data if code == "00000" else {"code": int(code), "msg": message}, status)


def reply_of(body: Any, status: int) -> Reply:
    """Return an answer with this body."""
    return Reply(status, json.dumps(body, separators=(",", ":")).encode(), "application/json;charset=UTF-8")


def require_sent(params: Mapping[str, Any], *names: str) -> None:
    """Refuse a request that lacks a parameter.

    Raises:
        RefusedError: names the first missing parameter.
    """
    for name in names:
        if params.get(name) in (None, ""):
            text = f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
            raise RefusedError("-1102", text)
