"""Refuses a request whose operation was isolated while httpx waited for a connection, just before its first byte.

httpx tells its own steps to the function under `trace` among the extensions of a request; what that raises ends the
request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import httpx

from ..._core.call.context import CurrentCall, current_call

__all__ = ["check_before_sending", "last_check"]

_BEFORE_THE_FIRST_BYTE = ".send_request_headers.started"


def check_before_sending(request: httpx.Request, *, asynchronous: bool) -> None:
    """Have httpx ask before the first byte of a request; outside a policy nothing is asked."""
    request.extensions = last_check(request.extensions, asynchronous=asynchronous)


def last_check(extensions: Mapping[str, Any], *, asynchronous: bool) -> dict[str, Any]:
    """Return the extensions of a request with the check; a `trace` of the caller's is called as before."""
    call = current_call()
    given = extensions.get("trace")
    if isinstance(given, partial) and given.func in (_trace, _trace_async):
        given = given.args[1]  # of an earlier attempt
    if call is None:
        return dict(extensions)
    return {**extensions, "trace": partial(_trace_async if asynchronous else _trace, call, given)}


def _trace(call: CurrentCall, given: Callable[..., Any] | None, step: str, info: Mapping[str, Any]) -> None:
    if step.endswith(_BEFORE_THE_FIRST_BYTE):
        call.check_isolation()
    if given is not None:
        given(step, info)


async def _trace_async(call: CurrentCall, given: Callable[..., Any] | None, step: str, info: Mapping[str, Any]) -> None:
    if step.endswith(_BEFORE_THE_FIRST_BYTE):
        call.check_isolation()
    if given is not None:
        await given(step, info)
