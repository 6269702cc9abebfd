"""Rebuilds errors from their class name, code and status, as a log or a traceback shows them.

The package of the original class is not imported: a class of the same name and module takes its place.
"""

from __future__ import annotations

import builtins
from typing import Any

from ..config import CodeRegistry, is_known

__all__ = ["rebuild_error", "stand_in_for"]


def rebuild_error(qualified_name: str, message: str) -> Exception:
    """Return an error whose class has this name and module, such as `requests.ReadTimeout`."""
    package, _, name = qualified_name.rpartition(".")
    builtin = getattr(builtins, name, None) if package in ("", "builtins") else None
    if isinstance(builtin, type) and issubclass(builtin, Exception):
        try:
            return builtin(message)
        except TypeError:
            pass  # such as UnicodeDecodeError, which takes more than a message
    stand_in: type[Exception] = type(name, (Exception,), {"__module__": package or "builtins"})
    return stand_in(message)


def _body_with(code: str | None, registry: str) -> dict[str, Any] | None:
    """Return an answer with this code in the envelope of a shipped table; None where there is no such envelope."""
    envelope = CodeRegistry.builtin(registry).envelope if is_known(registry) else None
    return None if envelope is None or code is None else envelope.body_with(code, "as recorded")


def stand_in_for(
    *,
    kind: str | None,
    code: str | None,
    status: int | None,
    registry: str | None,
    executed: str | None,
    retry_after: float | None,
) -> Exception:
    """Return an error that a classifier sorts like the one that a log line describes.

    An API's code is looked up again, first in the table that knew it. If no table did, status and class decide
    again, but `executed` stays as recorded: what happened on the wire does not depend on a table.

    Args:
        kind: the error's class, such as `requests.ReadTimeout`.
        code: the API's code, the HTTP status as a string, or one of our names such as `timeout`.
        status: the HTTP status.
        registry: the table in which the code was found.
        executed: `no` or `maybe`.
        retry_after: seconds.
    """
    is_api_code = code is not None and (code != str(status) if registry is None else registry != "http")
    class_name = kind or "Exception"
    if is_api_code and class_name.partition(".")[0] in ("ccxt", "resilience", "builtins"):
        class_name = "replay.ApiError"  # ccxt's classes are sorted by their text, which no log has; the code says more
    error: Any = rebuild_error(class_name, "as recorded")
    recorded: dict[str, object] = {"status_code": status, "retry_after": retry_after}
    if is_api_code:
        recorded |= {"api_code": code, "resilience_registry": registry}
        recorded["body"] = None if registry is None else _body_with(code, registry)
    else:
        recorded["resilience_code"] = None if code is None or code.isdecimal() else code
        recorded["resilience_executed"] = executed if executed in ("no", "maybe") else None
    for name, value in recorded.items():
        if value is not None:
            setattr(error, name, value)
    return error  # type: ignore[no-any-return]  # an Exception with a few more attributes
