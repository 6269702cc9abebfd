"""Tells from a refusal by a limit or a ban what may not be sent, and for how long, by the data of the venue."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from .known_venue import Venue

__all__ = ["LimitWait", "limit_wait"]

_SCOPES = {"address": "host", "account": "host", "endpoint": "operation"}


class LimitWait(NamedTuple):
    """What a limit or a ban keeps from being sent.

    Attributes:
        scope: `host` for all that an account sends to it, or `operation`.
        seconds: for how long; None where nothing says so.
    """

    scope: str
    seconds: float | None


def limit_wait(
    venue: Venue, status: int | None, codes: Collection[str], headers: Mapping[str, Any], now: float
) -> LimitWait | None:
    """Return what a refusal asks for, or None if it is none of a limit or a ban.

    Args:
        venue: what is known of the venue.
        status: the HTTP status of the answer.
        codes: the codes in it, which say more than its status.
        headers: its headers.
        now: the venue's Unix time.
    """
    waits, answered = venue.limits.waits, str(status)
    # A code says more than its status, but for the status of a ban.
    names = (answered, *sorted(codes)) if answered in venue.limits.ban_statuses else (*sorted(codes), answered)
    found = next((waits[one] for one in names if one in waits), None)
    if found is None:
        return None
    end = _milliseconds(headers, found.until) if found.until else None
    if end is not None:
        return LimitWait(_SCOPES[found.covers], max(0.0, end - now))
    return LimitWait(_SCOPES[found.covers], found.least or None)


def _milliseconds(headers: Mapping[str, Any], name: str) -> float | None:
    """Return the Unix seconds of a header in milliseconds, or None."""
    text = next((str(value) for key, value in headers.items() if str(key).casefold() == name.casefold()), "")
    return int(text) / 1000 if text.isdecimal() and len(text) == 13 else None
