"""Reads the headers of HTTP messages, and marks outcomes: uncertain, not sent, or an answer that proves nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = [
    "REDIRECT_HEADER",
    "HttpResponse",
    "find_header",
    "is_json",
    "is_marked_failure",
    "mark_not_sent",
    "mark_open",
    "mark_redirected",
    "mark_unbuilt",
    "mark_uncertain",
    "replace_header",
]


REDIRECT_HEADER = "X-Redirect-Location"
"""What adapters, transports and middlewares call the `Location` header of a redirect that must not be followed."""


class HttpResponse(NamedTuple):
    """The response of a single request, read whole."""

    status: int
    reason: str
    headers: Mapping[str, str]
    content: bytes


def is_json(content_type: str | None) -> bool:
    """Return whether a `Content-Type` header announces JSON."""
    media_type = (content_type or "").partition(";")[0].strip().lower()
    return media_type == "application/json" or media_type.endswith("+json")


def find_header(headers: Any, name: str) -> str | None:
    """Return a header's value from a mapping or from pairs, whatever the case of its name."""
    value = next((value for key, value in _pairs(headers) if str(key).lower() == name.lower()), None)
    return value.decode() if isinstance(value, bytes) else value


def replace_header(headers: Any, name: str, value: str) -> list[tuple[str, str]]:
    """Return the headers, a mapping or pairs, with this one instead of any whose name differs in case only."""
    return [*((key, other) for key, other in _pairs(headers) if str(key).lower() != name.lower()), (name, value)]


def _pairs(headers: Any) -> Any:
    return headers.items() if hasattr(headers, "items") else headers or ()


def mark_uncertain(outcome: Any) -> None:
    """Mark an error or a response: the request may have been executed, whatever its class or status says."""
    try:
        outcome.resilience_executed = "maybe"
    except AttributeError:  # an object with slots cannot be marked
        pass


def mark_not_sent(error: BaseException, code: str | None = None) -> None:
    """Mark an error: it was raised before any byte of the request left.

    Args:
        error: the error.
        code: the row of `http.yaml` that says what it is, where its class does not.
    """
    try:
        error.resilience_executed = "no"  # type: ignore[attr-defined]
        if code is not None:
            error.resilience_code = code  # type: ignore[attr-defined]
    except AttributeError:  # an error with slots cannot be marked
        pass


def mark_unbuilt(error: Exception, client_error: type[Exception], *, is_closed: bool = False) -> None:
    """Mark an error that was raised before a finished request was given to the client's transport.

    An error of the network is left as it is: what was raised in place of the transport, by a middleware or by a
    subclass of the client, may have sent something. So is a `RuntimeError`, which a closed event loop raises too.

    Args:
        error: the error.
        client_error: the error base of the client's library.
        is_closed: whether the client said that it was closed, asked before the send.
    """
    if is_closed and isinstance(error, RuntimeError):
        mark_not_sent(error, "client_closed")
    elif not isinstance(error, (OSError, RuntimeError, client_error)):
        mark_not_sent(error)


def mark_open(response: Any, code: str) -> None:
    """Mark a response whose status is no error as a failure that may have been executed.

    Args:
        response: the response.
        code: the row of `http.yaml` that says what it is.
    """
    mark_uncertain(response)
    response.resilience_code = code


def is_marked_failure(response: Any) -> bool:
    """Return whether `mark_open` has marked this response."""
    return getattr(response, "resilience_code", None) is not None


def mark_redirected(response: Any) -> Any:
    """Return the response, marked as uncertain if a redirect led to it.

    The server that answered the first request with a redirect may have executed it.
    """
    for hop in response.history:
        status = hop.status if hasattr(hop, "status") else hop.status_code  # aiohttp, then requests and httpx
        if 300 <= status < 400:
            mark_uncertain(response)
    return response
