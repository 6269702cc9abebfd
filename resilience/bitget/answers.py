"""Bitget's answers: the envelope, or the error that it is. HTTP 200 says nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..integrations._http_messages import HttpResponse
from ..telemetry.redaction import redact_registered
from .errors import BitgetApiError

__all__ = ["opened"]

_SUCCESS = ("00000", "0", "49021")
_UNREADABLE = "decode_error"
"""The row of the transport errors for an answer that cannot be read: it may have been carried out."""

_DEEPEST = 32


def opened(answer: HttpResponse, options: Mapping[str, Any], *, needs: Sequence[str] = ()) -> dict[str, Any]:
    """Return the envelope of a success.

    Args:
        answer: what came back.
        options: what the request was made with, secrets taken out.
        needs: keys of which `data` must hold one for the success to be believed.

    Raises:
        BitgetApiError: an error code, a partial failure, or an answer that cannot be read.
    """
    body = _parsed(answer.content)
    if not isinstance(body, dict):
        text = answer.content[:2000].decode("utf-8", "replace")
        unreadable = _UNREADABLE if answer.status < 400 else None
        raise _error(answer, options, text, message="the answer is no JSON object", resilience_code=unreadable)
    code = body.get("code")
    code = None if code is None or isinstance(code, (bool, dict, list)) else str(code)
    words = body.get("msg") if isinstance(body.get("msg"), str) else ""
    if code is None and answer.status < 400:
        raise _error(answer, options, body, message="the answer has no code", resilience_code=_UNREADABLE)
    if code not in _SUCCESS or answer.status >= 400:
        raise _error(answer, options, body, code=code if code not in _SUCCESS else None, message=str(words))
    data = body.get("data")
    failures = _failed(data)
    if failures:
        raise _partial(answer, options, body, failures)
    if needs and not (isinstance(data, dict) and any(data.get(one) for one in needs)):
        told = " or ".join(needs)
        raise _error(answer, options, body, message=f"a success without {told}", resilience_code=_UNREADABLE)
    if isinstance(data, dict) and data.get("success") == "failure":  # a replacement: cancelled, and not placed anew
        raise _partial(answer, options, body, [{"errorMsg": data.get("msg"), "clientOid": data.get("clientOid")}])
    return body


def _failed(data: Any) -> Any:
    """Return the items of a batch that failed: V2 lists them apart, V3 among the others, each with its code."""
    if isinstance(data, dict):
        return data.get("failureList")
    if not isinstance(data, list):
        return None
    items = [one for one in data if isinstance(one, dict) and "msg" in one and one.get("code") is not None]
    return [one for one in items if str(one["code"]) not in _SUCCESS]


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _shown(value: Any, depth: int = 0) -> Any:
    """Return what an error shows of an answer: a credential that it echoes is taken out, all else stays."""
    if isinstance(value, str):
        return redact_registered(value)
    if depth > _DEEPEST:
        return "..."
    if isinstance(value, dict):
        return {name: one if name == "code" else _shown(one, depth + 1) for name, one in value.items()}
    return [_shown(one, depth + 1) for one in value] if isinstance(value, list) else value


def _partial(answer: HttpResponse, options: Mapping[str, Any], body: Any, failures: Any) -> BitgetApiError:
    """Return the error of a batch of which a part failed: the rest was carried out."""
    items = [one for one in failures if isinstance(one, dict)] if isinstance(failures, list) else []
    first: dict[str, Any] = items[0] if items else {}
    code = first.get("errorCode") or first.get("code")
    return BitgetApiError(
        answer.status,
        answer.reason,
        _shown(body),
        _shown(dict(answer.headers)),
        options,
        api_code=None if not code else str(code),
        api_message=redact_registered(str(first.get("errorMsg") or first.get("msg") or f"{len(items)} items failed")),
        failures=_shown(items),
        resilience_code=None if code else _UNREADABLE,
        resilience_executed="maybe",
    )


def _error(
    answer: HttpResponse,
    options: Mapping[str, Any],
    body: Any,
    *,
    code: str | None = None,
    message: str = "",
    resilience_code: str | None = None,
) -> BitgetApiError:
    return BitgetApiError(
        answer.status,
        answer.reason,
        _shown(body),
        _shown(dict(answer.headers)),
        options,
        api_code=code,
        api_message=redact_registered(message),
        resilience_code=resilience_code,
    )
