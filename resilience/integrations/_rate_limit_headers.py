"""Reads an API's rate limits from the headers of a response and reports them to the quota of the current attempt.

Any server may write anything into a header. A value that is not a sane number is ignored, and nothing here raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

from .._core.call.context import current_call

__all__ = ["parse_rate_limits", "report_rate_limits", "wait_is_in_body"]

MAX_HEADERS, MAX_LENGTH = 200, 512
_ASKS_TO_WAIT = (418, 429, 503)
_REMAINING = "x-mbx-used-remain-limit"  # Bitget
_USED = re.compile(r"x-mbx-(?:used-weight|order-count)-(\d{1,4})([smhd])")  # Binance, as in X-MBX-USED-WEIGHT-1M
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SEPARATE = re.compile(r"(?:x-)?(?:rate-?limit|rate-limit)-(limit|remaining|reset)")
_PAIR = re.compile(r"\b(limit|remaining|reset|r|t|q|w)\s*=\s*\"?(\d{1,15}(?:\.\d{1,6})?)")
_NUMBER = re.compile(r"\s*(\d{1,15}(?:\.\d{1,6})?)")
_ARGUMENTS = {"limit": "limit", "remaining": "remaining", "reset": "resets_in", "r": "remaining", "t": "resets_in"}
_ARGUMENTS |= {"q": "limit", "w": "window"}
# A reset below _MIN_UNIX_SECONDS is a delay. From _MIN_UNIX_MILLISECONDS on it is a Unix time in milliseconds.
_MIN_UNIX_MILLISECONDS, _MIN_UNIX_SECONDS = 1e11, 1e8


def report_rate_limits(response: Any, headers: Any = None) -> Any:
    """Report the limits in headers, by default the response's own, to the attempt's quota; return the response."""
    call = current_call()
    if call is not None and call.has_quota:
        for limits in parse_rate_limits(response.headers if headers is None else headers, call.now):
            call.report_limits(**limits)
    return response


def wait_is_in_body(status: int, headers: Any) -> bool:
    """Return whether the body of an answer may say how long to wait, because no header does."""
    return status in _ASKS_TO_WAIT and not any(str(name).lower() == "retry-after" for name in headers)


def parse_rate_limits(headers: Any, now: float) -> list[dict[str, float]]:
    """Return the limits that headers state, each as the arguments of `CurrentCall.report_limits`.

    Understood are `RateLimit` and `RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers, old and new,
    `RateLimit-*` and `X-RateLimit-*`, Bitget's remaining-requests header and the used-weight headers of Binance.

    Args:
        headers: a mapping, or pairs.
        now: Unix time in seconds.
    """
    separate: dict[str, float] = {}
    structured: dict[str, float] = {}
    limits: list[dict[str, float]] = []
    for name, value in _pairs(headers):
        if name in ("ratelimit", "ratelimit-policy"):
            fields = {_ARGUMENTS[key]: float(number) for key, number in _PAIR.findall(value)}
            # Both may state a value. The state of the window (`RateLimit`) wins over its policy, in either order.
            structured = {**fields, **structured} if name.endswith("policy") else {**structured, **fields}
        elif name == _REMAINING:
            limits += [{"remaining": number} for number in _numbers(value)]
        elif (used := _USED.fullmatch(name)) is not None:
            window = int(used[1]) * _UNITS[used[2]]
            limits += [{"used": number, "window": window} for number in _numbers(value)]
        elif (field := _SEPARATE.fullmatch(name)) is not None:
            for number in _numbers(value):
                separate[_ARGUMENTS[field[1]]] = number
    return limits + [_with_delay(fields, now) for fields in (separate, structured) if "remaining" in fields]


def _pairs(headers: Any) -> Iterator[tuple[str, str]]:
    try:
        pairs = headers.items() if isinstance(headers, Mapping) or hasattr(headers, "items") else headers or ()
        for index, (name, value) in enumerate(pairs):
            if index >= MAX_HEADERS:
                return
            yield _text(name).lower(), _text(value)
    except Exception:  # the headers of a client that nobody knows: unreadable ones state no limits
        return


def _text(raw: object) -> str:
    return (raw.decode("latin-1") if isinstance(raw, bytes) else str(raw))[:MAX_LENGTH]


def _numbers(value: str) -> list[float]:
    """Return the number that a value begins with, as a list of one or none."""
    match = _NUMBER.match(value)
    number = float(match[1]) if match is not None else -1.0
    return [number] if isfinite(number) and number >= 0 else []


def _with_delay(fields: dict[str, float], now: float) -> dict[str, float]:
    """Return the fields with the reset as seconds from now: APIs send a delay, or Unix seconds or milliseconds."""
    reset = fields.get("resets_in")
    if reset is None:
        return fields
    if reset >= _MIN_UNIX_MILLISECONDS:
        reset = max(0.0, reset / 1000 - now)
    elif reset >= _MIN_UNIX_SECONDS:
        reset = max(0.0, reset - now)
    return {**fields, "resets_in": reset}
