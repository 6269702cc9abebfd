"""Builds the answers of the exchange: its envelope, and the ways in which an answer can be damaged."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

__all__ = ["BITGET_ANSWERS", "DROP", "HANG", "FaultAnswers", "FormatReply", "Reply", "damage", "envelope", "rejection"]

_HTML = b"<html><head><title>Bad gateway</title></head><body><h1>nginx</h1></body></html>"


class Reply(NamedTuple):
    """A status, a body and its type; None as status closes the connection without an answer.

    Attributes:
        delivery: how the body is sent: at once (empty), `trickle` (a few bytes at a time), `cut` (half of it, then a
            reset), or `hang` (nothing until the client disconnects).
        headers: further headers.
    """

    status: int | None
    body: bytes = b""
    content_type: str = "application/json"
    delivery: str = ""
    headers: Mapping[str, str] = MappingProxyType({})


DROP = Reply(None)
"""The connection is closed without an answer."""
HANG = Reply(None, delivery="hang")
"""Nothing is sent until the client disconnects."""

FormatReply = Callable[[str | int, str, Any, float, int], Reply]
"""How an API writes its answers: (code, message, data, Unix time now, HTTP status) -> reply."""


def envelope(code: str | int, message: str, data: Any, now: float, status: int = 200) -> Reply:
    """Return an answer in the exchange's own envelope; `now` is the server's Unix time in seconds."""
    body = {"code": code, "msg": message, "requestTime": int(now * 1000), "data": data}
    return Reply(status, json.dumps(body).encode())


FaultAnswers = Mapping[str, tuple[str | int, str, int]]
"""Fault → code, message and HTTP status of an exchange's answer; the code in a fault's name is Bitget's."""
BITGET_ANSWERS: FaultAnswers = {
    # The same code as after an execution: only a lookup can tell which it was.
    "refuse_40725": ("40725", "service return an error", 400),
    "refuse_429": ("429", "Too Many Requests", 429),
    # Bitget sends some errors with HTTP 200, so the status alone is not enough.
    "http200_code": ("43012", "Insufficient balance", 200),
    "code_400": ("43012", "Insufficient balance", 400),
    # Codes are strings, but a few errors of the real exchange have numbers.
    "numeric_code": (40015, "System is abnormal, please try again later", 400),
    "code_30032": ("30032", "The V1 API has been decommissioned", 400),
    # These do not say whether the request was executed.
    "accept_40725": ("40725", "service return an error", 400),
    "code_45001": ("45001", "Unknown error", 400),
    "unclear_late": ("40725", "service return an error", 400),
}
_REJECTING = {
    "refuse_40725", "refuse_429", "http200_code", "code_400", "numeric_code", "code_30032",
}  # fmt: skip
"""The faults whose answer is given in place of an execution; the others of the table follow one."""
_LOST = {
    # A server that fails after it has executed the request.
    "accept_drop": DROP,
    "lag": DROP,
    "accept_hang": HANG,
    "accept_500": Reply(500, b"Internal Server Error", "text/plain"),
    # A proxy in front of the exchange that answers in its place.
    "html_502": Reply(502, _HTML, "text/html"),
    "empty_body": Reply(200),
}
"""What the client gets in place of the answer to a request that was executed."""


def damage(fault: str, success: Reply, answer: Callable[[str], Reply]) -> Reply:
    """Return what the client gets in place of the success of a request that was executed.

    Args:
        fault: the fault.
        success: the answer without it.
        answer: returns the exchange's own answer for a fault.
    """
    if fault in _LOST:
        return _LOST[fault]
    if fault in ("accept_40725", "code_45001"):
        return answer(fault)
    # Valid headers, but a body that cannot be parsed.
    if fault == "truncated_json":
        return Reply(200, success.body[: len(success.body) // 2])
    # The answer is correct; only its delivery is not.
    if fault == "slow_trickle":
        return success._replace(delivery="trickle")
    if fault == "cut":
        return success._replace(delivery="cut")
    return success


def rejection(fault: str, answer: Callable[[str], Reply]) -> Reply | None:
    """Return the answer of a fault that rejects the request, or None for any other fault."""
    if fault == "refuse_503":
        return Reply(503, _HTML, "text/html")
    return answer(fault) if fault in _REJECTING else None
