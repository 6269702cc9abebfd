"""What the headers of an answer say of an API's rate limits, told to the quota of the attempt under way.

Read are `RateLimit` and `RateLimit-Policy` of the IETF's drafts, old and new, `X-RateLimit-*`, Bitget's
`x-mbx-used-remain-limit` and the used-weight headers of Binance. Anybody may write anything into a
header: what is no sane number is passed over, and nothing here raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

from .._core.call.context import current_call

__all__ = ["heard", "limits_in"]

_MOST_HEADERS, _LONGEST = 200, 512
_REMAIN = "x-mbx-used-remain-limit"
_USED = re.compile(r"x-mbx-(?:used-weight|order-count)-(\d{1,4})([smhd])")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PLAIN = re.compile(r"(?:x-)?(?:rate-?limit|rate-limit)-(limit|remaining|reset)")
_PAIR = re.compile(r"\b(limit|remaining|reset|r|t|q|w)\s*=\s*\"?(\d{1,15}(?:\.\d{1,6})?)")
_NUMBER = re.compile(r"\s*(\d{1,15}(?:\.\d{1,6})?)")
_WORDS = {"limit": "limit", "remaining": "remaining", "reset": "resets_in", "r": "remaining", "t": "resets_in"}
_WORDS |= {"q": "limit", "w": "window"}
_MILLIS, _DATES = 1e11, 1e8  # from where on a reset is a Unix time in milliseconds, in seconds; below it is a delay


def heard(answer: Any) -> Any:
    """Return an answer; what its headers say is told to the quota of the attempt under way."""
    call = current_call()
    if call is not None and call.has_quota:
        for told in limits_in(answer.headers, call.now):
            call.report_limits(**told)
    return answer


def limits_in(headers: Any, now: float) -> list[dict[str, float]]:
    """Return what headers say, each as the arguments of `report_limits`; `now` is Unix time in seconds."""
    plain: dict[str, float] = {}
    structured: dict[str, float] = {}
    found: list[dict[str, float]] = []
    for name, value in _pairs(headers):
        if name in ("ratelimit", "ratelimit-policy"):
            read = {_WORDS[key]: float(number) for key, number in _PAIR.findall(value)}
            structured = {**read, **structured} if name.endswith("policy") else {**structured, **read}
        elif name == _REMAIN:
            found += [{"remaining": number} for number in _number(value)]
        elif (used := _USED.fullmatch(name)) is not None:
            window = int(used[1]) * _UNITS[used[2]]
            found += [{"used": number, "window": window} for number in _number(value)]
        elif (one := _PLAIN.fullmatch(name)) is not None:
            for number in _number(value):
                plain[_WORDS[one[1]]] = number
    for told in (plain, structured):
        if "resets_in" in told:
            told["resets_in"] = _delay(told["resets_in"], now)
        if "remaining" in told:
            found.append(told)
    return found


def _pairs(headers: Any) -> Iterator[tuple[str, str]]:
    try:
        pairs = headers.items() if isinstance(headers, Mapping) or hasattr(headers, "items") else headers or ()
        for place, (name, value) in enumerate(pairs):
            if place >= _MOST_HEADERS:
                return
            yield _text(name).lower(), _text(value)
    except Exception:
        return


def _text(raw: object) -> str:
    return (raw.decode("latin-1") if isinstance(raw, bytes) else str(raw))[:_LONGEST]


def _number(value: str) -> list[float]:
    """Return the number that a value begins with, as a list of one or none."""
    found = _NUMBER.match(value)
    number = float(found[1]) if found is not None else -1.0
    return [number] if isfinite(number) and number >= 0 else []


def _delay(told: float, now: float) -> float:
    """Return the seconds until a reset, which is told as a delay, or as a Unix time in seconds or milliseconds."""
    if told >= _MILLIS:
        return max(0.0, told / 1000 - now)
    return max(0.0, told - now) if told >= _DATES else told
