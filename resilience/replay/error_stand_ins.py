"""Rebuilds errors from their class name, code and status, as a log or a traceback shows them.

The package of the original class is not imported: a class of the same name and module takes its place.
"""

from __future__ import annotations

import builtins
import re
from typing import Any

from ..config import CodeRegistry, is_known
from ..errors import (
    AdmissionRejectedError,
    ApiError,
    CircuitOpenError,
    DeadlineExceededError,
    QuotaExceededError,
    RejectedError,
)
from .client_texts import cause_in, status_in

__all__ = ["rebuild_error", "stand_in_for"]

_REJECTIONS = (CircuitOpenError, QuotaExceededError, AdmissionRejectedError, DeadlineExceededError, RejectedError)
_API_ERRORS = {"ApiError": "", "BitgetApiError": "bitget", "BitgetSocketError": "bitget-ws"}
"""The errors of ours that show an API's code, each with the table that it names as its own."""
_API_ERROR_TEXT = re.compile(
    r"(?:no code in the answer|([^\s:]{1,64}))(?:: )?(.*?)(?: ?\(HTTP ([1-5]\d\d)[^()]*\))?", re.DOTALL
)


def rebuild_error(qualified_name: str, message: str) -> Exception:
    """Return an error whose class has this name and module, such as `requests.ReadTimeout`."""
    package, _, name = qualified_name.rpartition(".")
    if package.partition(".")[0] == "resilience" and (own := _own_error(name, message)) is not None:
        return own
    builtin = getattr(builtins, name, None) if package in ("", "builtins") else None
    if isinstance(builtin, type) and issubclass(builtin, Exception):
        try:
            return builtin(message)
        except TypeError:
            pass  # such as UnicodeDecodeError, which takes more than a message
    stand_in: type[Exception] = type(name, (Exception,), {"__module__": package or "builtins"})
    error: Any = stand_in(message)
    if (status := status_in(message)) is not None:
        error.status_code = status
    error.__cause__ = cause_in(message, package.partition(".")[0])
    return error  # type: ignore[no-any-return]  # an Exception with a few more attributes


def _own_error(name: str, message: str) -> Exception | None:
    """Return an error of this library; None for a class that is none of its errors."""
    # The integrations put the name of a client's library before that of a rejection.
    rejection = next((kind for kind in _REJECTIONS if name.endswith(kind.__name__)), None)
    if rejection is not None:
        return rejection(message)
    registry = _API_ERRORS.get(name)
    found = _API_ERROR_TEXT.fullmatch(message)
    if registry is None or found is None:
        return None
    code, text, status = found[1], found[2] or "", found[3]
    if not registry:
        return ApiError(code, text)
    is_api_code = code is not None
    return stand_in_for(
        kind=f"resilience.{name}",
        code=code if is_api_code else status,
        status=None if status is None else int(status),
        registry=registry if is_api_code else None,
        executed=None,
        retry_after=None,
    )


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
    url: str = "",
) -> Exception:
    """Return an error that a classifier sorts like the one that a log line describes.

    An API's code is looked up again, first in the table that knew it. If no table did, status and class decide
    again, but `executed` stays as recorded: what happened on the wire does not depend on a table.

    Args:
        kind: the error's class, such as `requests.ReadTimeout`.
        code: the API's code, the HTTP status as a string, or one of our names such as `timeout`.
        status: the HTTP status.
        registry: the table in which the code was found.
        executed: `no`, `maybe` or `n_a`.
        retry_after: seconds.
        url: host and path of the request. Of some APIs the meaning of a code depends on them.
    """
    is_api_code = code is not None and (code != str(status) if registry is None else registry != "http")
    class_name = kind or "Exception"
    if is_api_code and class_name.partition(".")[0] in ("ccxt", "resilience", "builtins"):
        class_name = "replay.ApiError"  # ccxt's classes are sorted by their text, which no log has; the code says more
    error: Any = rebuild_error(class_name, "as recorded")
    recorded: dict[str, object] = {"status_code": status, "retry_after": retry_after, "resilience_url": url or None}
    if is_api_code:
        recorded |= {"api_code": code, "resilience_registry": registry}
        recorded["body"] = None if registry is None else _body_with(code, registry)
    else:
        recorded["resilience_code"] = None if code is None or code.isdecimal() else code
        recorded["resilience_executed"] = executed if executed in ("no", "maybe", "n_a") else None
    for name, value in recorded.items():
        if value is not None:
            setattr(error, name, value)
    return error  # type: ignore[no-any-return]  # an Exception with a few more attributes
