"""Sends single requests with `httpx`, for clients of our own: no redirects, no retries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from .._http_messages import HttpResponse
from .._rate_limit_headers import report_rate_limits
from .bounded_reads import bound_reads
from .last_check import last_check

__all__ = ["new_async_client", "new_client", "send", "send_async"]

POOL_SIZE = 64  # idle connections kept


def new_client() -> httpx.Client:
    """Return a client that does not retry by itself."""
    client = httpx.Client(limits=httpx.Limits(max_keepalive_connections=POOL_SIZE))
    for transport in (client._transport, *client._mounts.values()):
        bound_reads(transport)
    return client


def new_async_client() -> httpx.AsyncClient:
    """Return an async client that does not retry by itself, for asyncio or trio."""
    return httpx.AsyncClient(limits=httpx.Limits(max_keepalive_connections=POOL_SIZE))


def send(
    client: httpx.Client, method: str, url: str, *, headers: Mapping[str, str], data: bytes | None, timeout: float
) -> HttpResponse:
    """Send one request as it is, follow no redirects, and read the whole response.

    Args:
        client: what to send through.
        method: the HTTP method.
        url: the complete URL, with its query.
        headers: all headers, the signature among them.
        data: the body.
        timeout: seconds of silence after which the request fails.

    Raises:
        httpx.RequestError: there was no response, or it broke off.
    """
    return _read(client.request(method, url, **_arguments(headers, data, timeout, asynchronous=False)))


async def send_async(
    client: httpx.AsyncClient,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    data: bytes | None,
    timeout: float,  # noqa: ASYNC109  # httpx's own: the driver also cancels the attempt at its limit
) -> HttpResponse:
    """Send one request as it is and read the whole response; arguments and errors as for `send`."""
    return _read(await client.request(method, url, **_arguments(headers, data, timeout, asynchronous=True)))


def _arguments(headers: Mapping[str, str], data: bytes | None, timeout: float, *, asynchronous: bool) -> dict[str, Any]:
    options = {"content": data, "timeout": timeout, "follow_redirects": False}
    return {"headers": dict(headers), "extensions": last_check({}, asynchronous=asynchronous), **options}


def _read(response: httpx.Response) -> HttpResponse:
    report_rate_limits(response)
    return HttpResponse(response.status_code, response.reason_phrase, response.headers, response.content)
