"""How the exchange answers: its envelope, and the ways in which an answer goes wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["DROP", "HANG", "Reply", "Tell", "broken", "envelope", "refusal"]

_HTML = b"<html><head><title>Bad gateway</title></head><body><h1>nginx</h1></body></html>"


class Reply(NamedTuple):
    """A status, a body and its type; None as status closes the connection without an answer.

    Attributes:
        manner: how the body goes out: `trickle` (a few bytes at a time), `cut` (half of it, then a
            reset), or `hang` (nothing, until the client leaves).
        left: requests that the endpoint's limit has left this second, told in a header.
    """

    status: int | None
    body: bytes = b""
    content_type: str = "application/json"
    manner: str = ""
    left: int | None = None


DROP = Reply(None)
"""The connection is closed without an answer."""
HANG = Reply(None, manner="hang")
"""Nothing is answered until the client goes away."""

Tell = Callable[[str | int, str, Any, float, int], Reply]
"""How an API words its answers: (code, message, data, Unix time now, HTTP status) -> reply."""


def envelope(code: str | int, message: str, data: Any, now: float, status: int = 200) -> Reply:
    """Return the exchange's own envelope; `now` is the server's Unix time in seconds."""
    told = {"code": code, "msg": message, "requestTime": int(now * 1000), "data": data}
    return Reply(status, json.dumps(told).encode())


def broken(fault: str, good: Reply, now: float, tell: Tell = envelope) -> Reply:
    """Return what a request that was carried out gets instead of its good answer."""
    if fault in ("accept_drop", "lag"):
        return DROP
    if fault == "accept_hang":
        return HANG
    if fault == "accept_500":
        return Reply(500, b"Internal Server Error", "text/plain")
    if fault == "accept_40725":
        return tell("40725", "service return an error", None, now, 400)
    if fault == "code_45001":
        return tell("45001", "Unknown error", None, now, 400)
    if fault == "html_502":
        return Reply(502, _HTML, "text/html")
    if fault == "empty_body":
        return Reply(200)
    if fault == "truncated_json":
        return Reply(200, good.body[: len(good.body) // 2])
    if fault == "slow_trickle":
        return good._replace(manner="trickle")
    if fault == "cut":
        return good._replace(manner="cut")
    return good


def refusal(fault: str, now: float, tell: Tell = envelope) -> Reply | None:
    """Return the answer of a fault that refuses the request, or None for a fault that does not."""
    if fault == "refuse_40725":
        return tell("40725", "service return an error", None, now, 400)
    if fault == "refuse_429":
        return tell("429", "Too Many Requests", None, now, 429)
    if fault == "refuse_503":
        return Reply(503, _HTML, "text/html")
    if fault == "http200_code":
        return tell("43012", "Insufficient balance", None, now, 200)
    if fault == "code_400":
        return tell("43012", "Insufficient balance", None, now, 400)
    if fault == "numeric_code":
        return tell(40015, "System is abnormal, please try again later", None, now, 400)
    if fault == "code_30032":
        return tell("30032", "The V1 API has been decommissioned", None, now, 400)
    return None
