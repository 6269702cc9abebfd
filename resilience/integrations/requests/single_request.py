"""Sends single requests with `requests`, for clients of our own: no redirects, no retries."""

from __future__ import annotations

from collections.abc import Mapping

import requests
from requests.adapters import HTTPAdapter

from .._http_messages import HttpResponse, mark_not_sent
from .._rate_limit_headers import report_rate_limits
from .._write_answers import is_complete_json
from .attempt import as_timeout
from .connections import guard_connections
from .sent_bytes import recording_sent_bytes

__all__ = ["new_session", "send"]

POOL_SIZE = 64  # connections kept for one host


def new_session() -> requests.Session:
    """Return a session that does not retry by itself."""
    session = requests.Session()
    for prefix in ("https://", "http://"):
        adapter = HTTPAdapter(max_retries=0, pool_maxsize=POOL_SIZE)
        guard_connections(adapter)
        session.mount(prefix, adapter)
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
    with recording_sent_bytes() as sent:
        try:
            response = session.request(
                method, url, headers=dict(headers), data=data, timeout=timeout, allow_redirects=False
            )
        except Exception as error:
            if sent.proves_nothing_left:
                mark_not_sent(error)
            raise as_timeout(error, sent)  # noqa: B904  # the error itself, or one with its own cause
        if not is_complete_json(response.content):
            sent.discard_connection()  # the rest of it may still arrive
    report_rate_limits(response)
    return HttpResponse(response.status_code, response.reason or "", response.headers, response.content)
