"""Reads the envelope of a Bitget REST response, or raises the error that it contains. HTTP 200 alone means nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ..integrations._http_messages import HttpResponse
from ..telemetry.redaction import redact_registered
from .errors import BitgetApiError

__all__ = ["read_envelope"]

_SUCCESS_CODES = ("00000", "0", "49021")
_UNREADABLE = "decode_error"
"""The row of the transport errors for a response that cannot be read: the request may have been executed."""

_MAX_DEPTH = 32
_MAX_TEXT = 2000  # bytes of an unreadable response that the error keeps


def _nothing_wrong(_data: Any) -> str | None:
    return None


def read_envelope(
    response: HttpResponse,
    options: Mapping[str, Any],
    *,
    find_problem: Callable[[Any], str | None] = _nothing_wrong,
) -> dict[str, Any]:
    """Return the envelope of a success.

    Args:
        response: the HTTP response.
        options: the client's options and the request, secrets removed.
        find_problem: takes `data` and returns why it does not confirm the request; such a success is uncertain.

    Raises:
        BitgetApiError: an error code, a partial failure, or a response that cannot be read.
    """
    body = _parse(response.content)
    if not isinstance(body, dict):
        raise _not_an_object(response, options)
    code = body.get("code")
    # Codes come as strings and as numbers; a mapping or list is not a code.
    code = None if code is None or isinstance(code, (bool, dict, list)) else str(code)
    if code is None and response.status < 400:
        raise _error(response, options, body, message="the response has no code", resilience_code=_UNREADABLE)
    # A success code under an error status is not believed.
    if code not in _SUCCESS_CODES or response.status >= 400:
        api_code = code if code not in _SUCCESS_CODES else None
        message = body.get("msg")
        raise _error(response, options, body, code=api_code, message=message if isinstance(message, str) else "")
    # An early hint or a redirect is not an answer, whatever its body says.
    if not 200 <= response.status < 300:
        message = f"a success with HTTP status {response.status}"
        raise _error(response, options, body, message=message, resilience_code=_UNREADABLE)
    _check_data(response, options, body, find_problem)
    return body


def _check_data(
    response: HttpResponse, options: Mapping[str, Any], body: dict[str, Any], find_problem: Callable[[Any], str | None]
) -> None:
    """Check that `data` reports a full success.

    Raises:
        BitgetApiError: a part failed, or `data` does not confirm the request.
    """
    data = body.get("data")
    # The envelope of a batch says 00000 even if every item of it failed.
    failures = _failures(data)
    if failures:
        raise _partial_error(response, options, body, failures)
    problem = find_problem(data)
    if problem is not None:
        raise _error(response, options, body, message=problem, resilience_code=_UNREADABLE)
    # A cancel-and-replace that stopped halfway: the old order was cancelled and the new one was not placed.
    if isinstance(data, dict) and data.get("success") == "failure":
        failure = {"errorMsg": data.get("msg"), "clientOid": data.get("clientOid")}
        raise _partial_error(response, options, body, [failure])


def _failures(data: Any) -> Any:
    """Return the items of a batch that failed: V2 has a list of its own, V3 marks them by their code."""
    if isinstance(data, dict):
        return data.get("failureList")
    if not isinstance(data, list):
        return None
    items = [item for item in data if isinstance(item, dict) and "msg" in item and item.get("code") is not None]
    return [item for item in items if str(item["code"]) not in _SUCCESS_CODES]


def _parse(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _redact(value: Any, depth: int = 0) -> Any:
    """Return the value with the credentials that it echoes removed; the code itself is never changed."""
    if isinstance(value, str):
        return redact_registered(value)
    if depth > _MAX_DEPTH:
        return "..."
    if isinstance(value, dict):
        return {name: item if name == "code" else _redact(item, depth + 1) for name, item in value.items()}
    return [_redact(item, depth + 1) for item in value] if isinstance(value, list) else value


def _not_an_object(response: HttpResponse, options: Mapping[str, Any]) -> BitgetApiError:
    text = response.content[:_MAX_TEXT].decode("utf-8", "replace")
    # An HTTP error explains itself by its status; an unreadable success does not.
    unreadable = _UNREADABLE if response.status < 400 else None
    message = "the response is not a JSON object"
    return _error(response, options, text, message=message, resilience_code=unreadable)


def _partial_error(response: HttpResponse, options: Mapping[str, Any], body: Any, failures: Any) -> BitgetApiError:
    """Return the error of a batch of which a part failed: the rest was executed."""
    items = [item for item in failures if isinstance(item, dict)] if isinstance(failures, list) else []
    first: dict[str, Any] = items[0] if items else {}
    code = first.get("errorCode") or first.get("code")
    message = str(first.get("errorMsg") or first.get("msg") or f"{len(items)} items failed")
    return BitgetApiError(
        response.status,
        response.reason,
        _redact(body),
        _redact(dict(response.headers)),
        options,
        api_code=None if not code else str(code),
        api_message=redact_registered(message),
        failures=_redact(items),
        resilience_code=None if code else _UNREADABLE,
        resilience_executed="maybe",
    )


def _error(
    response: HttpResponse,
    options: Mapping[str, Any],
    body: Any,
    *,
    code: str | None = None,
    message: str = "",
    resilience_code: str | None = None,
) -> BitgetApiError:
    return BitgetApiError(
        response.status,
        response.reason,
        _redact(body),
        _redact(dict(response.headers)),
        options,
        api_code=code,
        api_message=redact_registered(message),
        resilience_code=resilience_code,
    )
