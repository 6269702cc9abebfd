"""Finds the error in a returned value: a body, or a response with one, whose envelope says that it failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from math import inf
from typing import Any

from ...errors import ApiError
from ..base.abstract_classes import is_mapping
from ..policy.answer_envelope import WHOLE_BODY, Envelope
from ..policy.body_paths import holds, steps_of
from ..policy.codes import CodeTable
from .attributes import get, url_of
from .batch_items import FailedItems, failed_items
from .bodies import json_body, json_list
from .code_and_status import code_of, status_of
from .nested_codes import FoundCode, codes_at, message_beside
from .retry_hints import retry_hint

__all__ = ["FAILED_CODE", "PLAIN", "UNREADABLE_CODE", "error_in_result", "is_plain"]

PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes, list, tuple, set, frozenset})
"""Classes whose values are never an error, so that a driver need not inspect them."""
UNREADABLE_CODE = "unknown"
"""The code of an error whose envelope has something in the place of an error, but no code."""
FAILED_CODE = "unsuccessful"
"""The code of an error whose envelope only has a flag that says that it failed."""
PARTLY_FAILED_CODE = "partial"
"""The code of an error whose first failed item has none."""


def is_plain(value: object) -> bool:
    """Return whether a value is of a plain class; of a class without a hash it is not."""
    try:
        return value.__class__ in PLAIN
    except TypeError:
        return False


def error_in_result(tables: Sequence[CodeTable], result: object, longest_batch: float = inf) -> ApiError | None:
    """Return an error for a value that one of these tables' envelopes calls one; None for everything else.

    The error of a response has its HTTP status and its `Retry-After`: a code from 400 to 599 proves nothing under
    another status.

    Args:
        tables: the code tables whose envelopes are tried.
        result: the returned value.
        longest_batch: a list of more items than this is data, and no batch of which some items may have failed.
    """
    body: Any = result if is_mapping(result) else json_body(result) or _list_in(tables, result)
    if body is None:
        return None
    # A response with an error status is a failure already. Its body is the API's only if the envelope is complete: a
    # gateway writes JSON too, and its number must not reach the caller as an error of the API.
    is_error = body is not result and (status_of(partial(get, result), None, is_error=False) or 0) >= 400
    for table in tables:
        try:
            error = None if is_error and not _is_complete(body, table) else _error_in(body, table, longest_batch)
        except Exception:  # a mapping of somebody else's class may raise
            continue
        if error is not None:
            return error if body is result else _with_response(error, result)
    return None


def _list_in(tables: Sequence[CodeTable], response: object) -> Mapping[Any, Any] | None:
    """Return a body that is a list, under a key of its own, where some table says that its items may have failed."""
    keys = [key for table in tables if table.envelope is not None for key in table.envelope.list_keys]
    items = json_list(response, keys) if keys else None
    return None if items is None else {WHOLE_BODY: items}


def _is_complete(body: Mapping[Any, Any], table: CodeTable) -> bool:
    return table.envelope is not None and table.envelope.is_complete(body)


def _error_in(body: Mapping[Any, Any], table: CodeTable, longest_batch: float) -> ApiError | None:
    envelope = table.envelope
    assert envelope is not None
    # Most answers are successes with a plain code: nothing else is read of them.
    code = code_of(body.get(envelope.code)) if envelope.is_flat else None
    has_succeeded = code in envelope.success or _flag(body, envelope) is True
    if not has_succeeded:
        error = _failure_of_code(body, table, envelope)
        if error is not None:
            return error
        if envelope.is_flat or not _has_succeeded(body, envelope):
            return _flagged_error(body, envelope, longest_batch)
    failed = failed_items(body, envelope, longest_batch)
    if failed is not None:
        return _error_of_items(failed, body)
    return _error_by_text(body, table, envelope) if table.has_texts else None


def _flag(body: Mapping[Any, Any], envelope: Envelope) -> object:
    return body.get(envelope.ok) if envelope.ok else None


def _failure_of_code(body: Mapping[Any, Any], table: CodeTable, envelope: Envelope) -> ApiError | None:
    """Return an error for the code that says most of what failed; None if there is none."""
    found = _failed_code(body, table, envelope)
    if found is None:
        return None
    error = ApiError(found.code or UNREADABLE_CODE, message_beside(found, body, envelope), body)
    if found.code is None:
        error.resilience_executed = "maybe"  # no row and no status says what the API did
    return error


def _flagged_error(body: Mapping[Any, Any], envelope: Envelope, longest_batch: float) -> ApiError | None:
    """Return an error for an answer whose flag says that it failed, or whose items did, and that has no code."""
    # Of an envelope with one plain code an answer without it is data, whatever lists are in it. An empty list of
    # errors is no such answer.
    is_data = envelope.is_flat and WHOLE_BODY not in body and not isinstance(body.get(envelope.code), list)
    failed = None if is_data else failed_items(body, envelope, longest_batch)
    if failed is not None:
        return _error_of_items(failed, body)
    if _flag(body, envelope) is not False:
        return None
    error = ApiError(FAILED_CODE, "", body)
    error.resilience_executed = "maybe"
    return error


def _error_of_items(failed: FailedItems, body: Mapping[Any, Any]) -> ApiError:
    return ApiError(failed.code or PARTLY_FAILED_CODE, failed.message, body)


def _error_by_text(body: Mapping[Any, Any], table: CodeTable, envelope: Envelope) -> ApiError | None:
    """Return an error for a message that is a row's whole text: some APIs send it under the code of a success."""
    for text in envelope.texts_in(body):
        row = table.by_whole_text(text)
        if row is not None and row.category is not None and row.match == "exact":
            return ApiError(row.code, text, body)
    return None


def _failed_code(body: Mapping[Any, Any], table: CodeTable, envelope: Envelope) -> FoundCode | None:
    """Return the first code that is no success, a general one last, else what else is in the place of an error."""
    unreadable: list[FoundCode] = []
    general: FoundCode | None = None
    succeeded: set[tuple[str, ...]] = set()
    for steps in envelope.code_steps:
        for found in codes_at(body, steps):
            if found.code is None:
                unreadable.append(found)
            elif _is_success(found.code, table, envelope):
                succeeded.add(steps)
            elif found.code in envelope.general:
                general = general or found
            elif _is_code(found, body, table, envelope):
                return found
    if general is not None:
        return general
    for found in unreadable:
        # Rows of a list that have no code are data if the code at another path says success.
        if not succeeded - {found.steps} or message_beside(found, body, envelope):
            return found
    return None


def _is_success(code: str, table: CodeTable, envelope: Envelope) -> bool:
    rule = table.rule(code)
    return envelope.is_success(code) or (rule is not None and rule.category is None)


def _is_code(found: FoundCode, body: Mapping[Any, Any], table: CodeTable, envelope: Envelope) -> bool:
    """Return whether a value is a code: `{"code": "BTC", "precision": 8}` is a currency and no error."""
    assert found.code is not None
    return (
        len(found.steps) > 1
        or isinstance(body.get(found.steps[0]), (list, tuple))  # a list of errors has nothing else in it
        or table.rule(found.code) is not None
        or found.code.removeprefix("-").isdecimal()
        or any(holds(body, steps_of(path)) for path in envelope.message_paths)
        or (bool(envelope.always) and envelope.is_complete(body))
    )


def _has_succeeded(body: Mapping[Any, Any], envelope: Envelope) -> bool:
    codes = [found.code for steps in envelope.code_steps for found in codes_at(body, steps)]
    return any(code is not None and envelope.is_success(code) for code in codes)


def _with_response(error: ApiError, response: Any) -> ApiError:
    read = partial(get, response)
    error.http_status = status_of(read, None, is_error=False)
    error.resilience_url = url_of(read)
    error.retry_after = retry_hint(response, read, None, "").after
    return error
