"""Recognises errors by which Bitget rejects a stamp, and reads the exchange's time from them."""

from __future__ import annotations

from ..config.codes.code_tables import CodeRegistry
from .errors import BitgetApiError

__all__ = ["is_stamp_code", "is_stamp_error", "needs_time_query", "server_time_of"]


def is_stamp_error(error: BitgetApiError) -> bool:
    """Return True if Bitget rejected the stamp."""
    rule = CodeRegistry.builtin("bitget").rule(error.api_code or "")
    return rule is not None and rule.hint == "resync_clock"


def is_stamp_code(code: str) -> bool:
    """Return True if a code of the sockets says that Bitget rejected a stamp."""
    rule = CodeRegistry.builtin("bitget-ws").rule(code)
    return rule is not None and rule.hint == "resync_clock"


def server_time_of(error: BitgetApiError) -> float | None:
    """Return the exchange's Unix time in an error's envelope in seconds, or None.

    Bitget sends milliseconds, as a number or a string.
    """
    milliseconds = str(error.body.get("requestTime", "")) if isinstance(error.body, dict) else ""
    usable = milliseconds.isdecimal() and len(milliseconds) < 20 and int(milliseconds) > 0
    return int(milliseconds) / 1000 if usable else None


def needs_time_query(error: BitgetApiError) -> bool:
    """Return True if a stamp was rejected by a response without the time: the time must be queried."""
    return is_stamp_error(error) and server_time_of(error) is None
