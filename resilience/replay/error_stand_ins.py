"""Errors rebuilt from what a log or a traceback says of them: class name, code and status; no package is imported."""

from __future__ import annotations

import builtins
from typing import Any

__all__ = ["likeness", "rebuilt"]


def rebuilt(qualified: str, message: str) -> Exception:
    """Make an error of the same name; its package is not imported."""
    package, _, name = qualified.rpartition(".")
    known = getattr(builtins, name, None) if package in ("", "builtins") else None
    if isinstance(known, type) and issubclass(known, Exception):
        try:
            return known(message)
        except TypeError:
            pass  # such as UnicodeDecodeError, which takes more than words
    made: type[Exception] = type(name, (Exception,), {"__module__": package or "builtins"})
    return made(message)


def likeness(
    *,
    kind: str | None,
    code: str | None,
    status: int | None,
    registry: str | None,
    executed: str | None,
    retry_after: float | None,
) -> Exception:
    """Return an error that a classifier takes for the one that a line of the log tells of.

    An API's code is looked up anew, first in the table that knew it. Where there was none, the status and the
    class decide again, but what happened on the wire stays: `executed` is as it was recorded.
    """
    spoken = code is not None and (code != str(status) if registry is None else registry != "http")
    named = kind or "Exception"
    if spoken and named.partition(".")[0] in ("ccxt", "resilience", "builtins"):
        named = "replay.ApiError"  # ccxt's errors are told apart by words that no log has; the code says more
    error: Any = rebuilt(named, "as recorded")
    if spoken:
        error.api_code = code
        if registry is not None:
            error.resilience_registry = registry
    elif code is not None and not code.isdecimal():
        error.resilience_code = code
    if status is not None:
        error.status_code = status
    if retry_after is not None:
        error.retry_after = retry_after
    if not spoken and executed in ("no", "maybe"):
        error.resilience_executed = executed
    return error  # type: ignore[no-any-return]  # it is an Exception with a few attributes
