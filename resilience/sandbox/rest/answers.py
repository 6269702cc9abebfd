"""Builds the answers of the exchange: its envelope, and the ways in which an answer can be damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["DROP", "HANG", "FormatReply", "Reply", "damage", "envelope", "rejection"]

_HTML = b"<html><head><title>Bad gateway</title></head><body><h1>nginx</h1></body></html>"


class Reply(NamedTuple):
    """A status, a body and its type; None as status closes the connection without an answer.

    Attributes:
        delivery: how the body is sent: at once (empty), `trickle` (a few bytes at a time), `cut` (half of it, then a
            reset), or `hang` (nothing until the client disconnects).
        remaining: requests that the endpoint's limit still allows this second, sent as a header.
    """

    status: int | None
    body: bytes = b""
    content_type: str = "application/json"
    delivery: str = ""
    remaining: int | None = None


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


def damage(fault: str, success: Reply, now: float, format_reply: FormatReply = envelope) -> Reply:
    """Return what the client gets in place of the success of a request that was executed."""
    # A server that fails after it has executed the request.
    if fault in ("accept_drop", "lag"):
        return DROP
    if fault == "accept_hang":
        return HANG
    if fault == "accept_500":
        return Reply(500, b"Internal Server Error", "text/plain")
    # Codes that do not say whether the request was executed.
    if fault == "accept_40725":
        return format_reply("40725", "service return an error", None, now, 400)
    if fault == "code_45001":
        return format_reply("45001", "Unknown error", None, now, 400)
    # A proxy in front of the exchange that answers in its place.
    if fault == "html_502":
        return Reply(502, _HTML, "text/html")
    if fault == "empty_body":
        return Reply(200)
    # Valid headers, but a body that cannot be parsed.
    if fault == "truncated_json":
        return Reply(200, success.body[: len(success.body) // 2])
    # The answer is correct; only its delivery is not.
    if fault == "slow_trickle":
        return success._replace(delivery="trickle")
    if fault == "cut":
        return success._replace(delivery="cut")
    return success


def rejection(fault: str, now: float, format_reply: FormatReply = envelope) -> Reply | None:
    """Return the answer of a fault that rejects the request, or None for any other fault."""
    # The same code as after an execution: only a lookup can tell which it was.
    if fault == "refuse_40725":
        return format_reply("40725", "service return an error", None, now, 400)
    if fault == "refuse_429":
        return format_reply("429", "Too Many Requests", None, now, 429)
    if fault == "refuse_503":
        return Reply(503, _HTML, "text/html")
    # Bitget sends some errors with HTTP 200, so the status alone is not enough.
    if fault == "http200_code":
        return format_reply("43012", "Insufficient balance", None, now, 200)
    if fault == "code_400":
        return format_reply("43012", "Insufficient balance", None, now, 400)
    # Codes are strings, but a few errors of the real exchange have numbers.
    if fault == "numeric_code":
        return format_reply(40015, "System is abnormal, please try again later", None, now, 400)
    if fault == "code_30032":
        return format_reply("30032", "The V1 API has been decommissioned", None, now, 400)
    return None
