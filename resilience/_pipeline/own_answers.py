"""Checks the answers to keyed writes of functions and clients of one's own: a success must be this write's.

An answer that is empty, that has no value for its id, or that repeats another call's key proves nothing: the gateway
may have crossed two answers. Such a write is looked up. Clients of the integrations check their answers themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from .._core.base.abstract_classes import is_mapping
from .._core.call.context import CONTEXT, CallContext
from .._core.call.found_order import CLIENT_ID_FIELDS, repeats_key
from .._core.call.operation_info import OperationInfo
from .._core.call.plan import Plan
from .._core.classify.attributes import get
from ..errors import ApiError

__all__ = ["check_answers_async", "check_answers_sync", "expect_responses", "is_checked"]

_IDS = ("id", "orderId", "order_id", "ordId")
_ECHOES = (*CLIENT_ID_FIELDS, "key")
_NESTED = ("data", "result")


def expect_responses(info: OperationInfo) -> OperationInfo:
    """Return the info so that an HTTP response with a failed status, as a function may return it, is no success.

    Only for keyed writes that can be looked up: they must not count as done. All others are the caller's business.
    """
    if not (info.check_answers and info.key and info.reconcile and info.is_error_response is None):
        return info
    return replace(info, is_error_response=_is_failed_response)


def _is_failed_response(result: Any) -> bool:
    """Return whether this looks like an HTTP client's response, with a status that is no success."""
    status = get(result, "status_code") or get(result, "status")
    is_response = get(result, "headers") is not None and any(
        isinstance(get(result, name), str) for name in ("reason", "reason_phrase")
    )
    return is_response and isinstance(status, int) and not 200 <= status < 300


def is_checked(plan: Plan) -> bool:
    """Return whether the answers of an operation are checked: a keyed write of one's own that can be looked up."""
    return plan.info.check_answers and plan.keys is not None and plan.reconcilable


def check_answers_sync(plan: Plan, fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return `fn` so that an answer which is not this write's is raised as an error of unknown outcome."""

    def checked(*args: Any, **kwargs: Any) -> Any:
        result = fn(*args, **kwargs)
        _check(plan, result)
        return result

    return checked


def check_answers_async(plan: Plan, fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return async `fn` so that an answer which is not this write's is raised as an error of unknown outcome."""

    async def checked(*args: Any, **kwargs: Any) -> Any:
        result = await fn(*args, **kwargs)
        _check(plan, result)
        return result

    return checked


def _check(plan: Plan, result: Any) -> None:
    """Raise an `ApiError` for an answer that leaves the write open.

    An answer that the API's envelope calls an error is left to the driver. None is a success: many functions return
    nothing.
    """
    if isinstance(result, (str, bytes)) and not result:
        raise _unproven("the answer is empty", result)
    if not is_mapping(result) or plan.inspect_result(result) is not None:
        return
    assert plan.keys is not None
    key, echoes = CallContext(*CONTEXT.get()).key, {*_ECHOES, *plan.keys.names}
    problem = "" if result else "the answer is empty"
    for fields in (result, *(result.get(name) for name in _NESTED)):
        if is_mapping(fields):
            problem = problem or _problem(fields, key, echoes)
    if problem:
        raise _unproven(problem, result)


def _problem(fields: Mapping[Any, Any], key: str | None, echoes: set[str]) -> str:
    ids = [str(fields[name] or "") for name in _IDS if name in fields]
    if ids and not any(ids):
        return "the answer has no id"
    repeated = [str(fields[name]) for name in echoes if fields.get(name)]
    return (
        ""
        if key is None or not repeated or any(repeats_key(echo, key) for echo in repeated)
        else "the answer is that of another key"
    )


def _unproven(problem: str, body: Any) -> ApiError:
    error: Any = ApiError("decode_error", problem, body)
    error.resilience_code, error.resilience_executed = "decode_error", "maybe"
    return error  # type: ignore[no-any-return]
