"""Finds the error in a returned value: a body, or a response with one, whose envelope says that it failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from ...errors import ApiError
from ..policy.answer_envelope import Envelope
from ..policy.body_paths import holds, steps_of
from ..policy.codes import CodeTable
from .attributes import get
from .batch_items import failed_items, first_failed_item
from .bodies import json_body
from .code_and_status import code_of, status_of
from .nested_codes import FoundCode, codes_at, message_beside
from .retry_hints import retry_hint

__all__ = ["PLAIN", "UNREADABLE_CODE", "error_in_result"]

PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes, list, tuple, set, frozenset})
"""Classes whose values are never an error, so that a driver need not inspect them."""
UNREADABLE_CODE = "unknown"
"""The code of an error whose envelope has something in the place of an error, but no code."""


def error_in_result(tables: Iterable[CodeTable], result: object) -> ApiError | None:
    """Return an error for a value that one of these tables' envelopes calls one; None for everything else.

    The error of a response has its HTTP status and its `Retry-After`: a code from 400 to 599 proves nothing under
    another status.
    """
    body = result if isinstance(result, Mapping) else json_body(result)
    if body is None:
        return None
    # A response with an error status is a failure already. Its body is the API's only if the envelope is complete: a
    # gateway writes JSON too, and its number must not reach the caller as an error of the API.
    is_error = body is not result and (status_of(partial(get, result), None, is_error=False) or 0) >= 400
    for table in tables:
        try:
            error = None if is_error and not _is_complete(body, table) else _error_in(body, table)
        except Exception:  # a mapping of somebody else's class may raise
            continue
        if error is not None:
            return error if body is result else _with_response(error, result)
    return None


def _is_complete(body: Mapping[Any, Any], table: CodeTable) -> bool:
    return table.envelope is not None and table.envelope.is_complete(body)


def _error_in(body: Mapping[Any, Any], table: CodeTable) -> ApiError | None:
    envelope = table.envelope
    assert envelope is not None
    # Most answers are successes with a plain code: nothing else is read of them.
    code = code_of(body.get(envelope.code)) if envelope.is_flat else None
    if code not in envelope.success:
        found = _failed_code(body, table, envelope)
        if found is not None:
            error = ApiError(found.code or UNREADABLE_CODE, message_beside(found, body, envelope), body)
            if found.code is None:
                error.resilience_executed = "maybe"  # no row and no status says what the API did
            return error
        if envelope.is_flat or not _has_succeeded(body, envelope):
            return None
    failed = failed_items(body, envelope)
    return None if failed is None else ApiError(*first_failed_item(*failed), body)


def _failed_code(body: Mapping[Any, Any], table: CodeTable, envelope: Envelope) -> FoundCode | None:
    """Return the first code that is no success, else the first place of an error that holds something else."""
    unreadable: list[FoundCode] = []
    succeeded: set[tuple[str, ...]] = set()
    for steps in envelope.code_steps:
        for found in codes_at(body, steps):
            if found.code is None:
                unreadable.append(found)
            elif _is_success(found.code, table, envelope):
                succeeded.add(steps)
            elif _is_code(found, body, table, envelope):
                return found
    for found in unreadable:
        # Rows of a list that have no code are data if the code at another path says success.
        if not succeeded - {found.steps} or message_beside(found, body, envelope):
            return found
    return None


def _is_success(code: str, table: CodeTable, envelope: Envelope) -> bool:
    rule = table.rule(code)
    return code in envelope.success or (rule is not None and rule.category is None)


def _is_code(found: FoundCode, body: Mapping[Any, Any], table: CodeTable, envelope: Envelope) -> bool:
    """Return whether a value is a code: `{"code": "BTC", "precision": 8}` is a currency and no error."""
    assert found.code is not None
    return (
        len(found.steps) > 1
        or table.rule(found.code) is not None
        or found.code.removeprefix("-").isdecimal()
        or any(holds(body, steps_of(path)) for path in envelope.message_paths)
        or (bool(envelope.always) and envelope.is_complete(body))
    )


def _has_succeeded(body: Mapping[Any, Any], envelope: Envelope) -> bool:
    return any(found.code in envelope.success for steps in envelope.code_steps for found in codes_at(body, steps))


def _with_response(error: ApiError, response: Any) -> ApiError:
    read = partial(get, response)
    error.http_status = status_of(read, None, is_error=False)
    error.retry_after = retry_hint(response, read, None, "").after
    return error
