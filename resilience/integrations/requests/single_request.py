"""Sends single requests with `requests`, for clients of our own: no redirects, no retries."""

from __future__ import annotations

from collections.abc import Mapping

import requests
from requests.adapters import HTTPAdapter

from .._http_messages import HttpResponse
from .._rate_limit_headers import report_rate_limits

__all__ = ["new_session", "send"]

POOL_SIZE = 64  # connections kept for one host


def new_session() -> requests.Session:
    """Return a session that does not retry by itself."""
    session = requests.Session()
    for prefix in ("https://", "http://"):
        session.mount(prefix, HTTPAdapter(max_retries=0, pool_maxsize=POOL_SIZE))
    return session


def send(
    session: requests.Session, method: str, url: str, *, headers: Mapping[str, str], data: bytes | None, timeout: float
) -> HttpResponse:
    """Send one request as it is, follow no redirects, and read the whole response.

    Args:
        session: what to send through.
        method: the HTTP method.
        url: the complete URL, with its query.
        headers: all headers, the signature among them.
        data: the body.
        timeout: seconds of silence after which the request fails.

    Raises:
        requests.RequestException: there was no response, or it broke off.
    """
    # Streamed, so that the connection goes back to the pool after the status was seen, and not before.
    with session.request(
        method, url, headers=dict(headers), data=data, timeout=timeout, allow_redirects=False, stream=True
    ) as response:
        # `http.client` takes an early hint for the answer: the real one is still to come, on the same connection,
        # where it would be the answer to the next request.
        if response.status_code < 200:
            connection = getattr(response.raw, "connection", None)
            if connection is not None:
                connection.close()
        report_rate_limits(response)
        return HttpResponse(response.status_code, response.reason or "", response.headers, response.content)
