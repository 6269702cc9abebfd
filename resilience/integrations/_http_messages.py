"""Reads the headers of requests and responses, and marks outcomes that are uncertain, for every HTTP client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["HttpResponse", "find_header", "is_json", "mark_redirected", "mark_uncertain", "replace_header"]


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


def mark_redirected(response: Any) -> Any:
    """Return the response, marked as uncertain if a redirect led to it.

    The server that answered the first request with a redirect may have executed it.
    """
    for hop in response.history:
        status = hop.status if hasattr(hop, "status") else hop.status_code  # aiohttp, then requests and httpx
        if 300 <= status < 400:
            mark_uncertain(response)
    return response
