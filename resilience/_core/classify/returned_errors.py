"""Finds the error in a returned value: a body, or a response with one, whose envelope says that it failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...errors import ApiError
from ..policy.codes import CodeTable
from .batch_items import failed_items, first_failed_item
from .bodies import json_body
from .code_and_status import code_of

__all__ = ["error_in_result"]


def error_in_result(tables: Iterable[CodeTable], result: object) -> ApiError | None:
    """Return an error for a value that one of these tables' envelopes calls one; None for everything else."""
    body = result if isinstance(result, Mapping) else json_body(result)
    if body is None:
        return None
    for table in tables:
        envelope = table.envelope
        assert envelope is not None
        code = code_of(body.get(envelope.code))
        failed = failed_items(body, envelope) if code in envelope.success else None
        if failed is not None:
            return ApiError(*first_failed_item(*failed), body)
        if code is None or code in envelope.success:
            continue
        rule = table.rule(code)
        # `{"code": "BTC", "precision": 8}` is a currency and no error: an unknown code needs digits or a message.
        is_code = rule is not None or code.isdecimal() or envelope.message in body
        if is_code and (rule is None or rule.category is not None):
            message = body.get(envelope.message)
            return ApiError(code, message if isinstance(message, str) else "", body)
    return None
