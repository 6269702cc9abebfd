"""Prepares and limits one attempt of `requests`: added headers, timeout, no retries by urllib3."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import requests
from urllib3.util import Timeout
from urllib3.util.retry import Retry

from .._attempt_options import AttemptOptions
from .._client_classes import rejection_types
from .._http_messages import find_header, is_marked_failure
from .._time_limits import remaining_time, shorter_timeout
from .sent_bytes import SentBytes

__all__ = [
    "REJECTION_TYPES",
    "BaseAdapter",
    "add_headers",
    "as_timeout",
    "check_key",
    "disable_retries",
    "judge_answer",
    "limit_timeout",
    "must_send_once",
]

REJECTION_TYPES: Mapping[type, type] = rejection_types(
    requests.RequestException, __name__.rpartition(".")[0], "Requests"
)
"""Our rejection classes → subclasses that also inherit `requests.RequestException`."""


class BaseAdapter:
    """What all adapters of this package share; they differ in how they make an attempt."""

    asynchronous = False
    rejection_types = REJECTION_TYPES

    def caller_key(self, header: str, args: tuple[Any, ...], _kwargs: Mapping[str, Any], /) -> str | None:
        """Return the key among the headers of a prepared request."""
        return find_header(args[0].headers, header)

    def is_error_response(self, response: Any) -> bool:
        """Return whether the answer is a failure, by its status or by its mark; the caller still gets the response."""
        return isinstance(response, requests.Response) and (response.status_code >= 400 or is_marked_failure(response))

    def make_response(self, body: bytes) -> requests.Response:
        """Return a response with status 200 and this JSON body."""
        response = requests.Response()
        response.status_code, response.reason, response._content = 200, "OK", body
        response.headers["Content-Type"] = "application/json"
        return response

    def discard(self, response: requests.Response) -> None:
        """Close a response, which returns its connection to the pool."""
        response.close()


def add_headers(
    request: requests.PreparedRequest, options: AttemptOptions, key: str | None
) -> requests.PreparedRequest:
    """Return the request with the attempt's headers; a copy if there are any."""
    headers = options.headers(key)
    if not headers:
        return request
    request = request.copy()
    request.headers.update(headers)
    return request


def check_key(request: requests.PreparedRequest, options: AttemptOptions, key: str | None) -> None:
    """Report a finished request that does not carry its key."""
    if key is not None:
        body = request.body if isinstance(request.body, (str, bytes)) else None
        options.check_key(key, str(request.url), request.headers, body)


def judge_answer(
    response: requests.Response, options: AttemptOptions, key: str | None, sent: SentBytes
) -> requests.Response:
    """Return the response, marked if it does not prove that a write succeeded."""
    status = response.status_code
    if options.mark_status(response, status):
        is_doubtful = status < 200  # without a guard: what follows on this connection belongs to this request
    else:
        is_judged = options.judges_body(status, key)
        is_doubtful = is_judged and options.mark_answer(response, status, response.headers, response.content, key)
    if is_doubtful:
        _close_connection(response, sent)
    return response


def _close_connection(response: requests.Response, sent: SentBytes) -> None:
    connection = getattr(response.raw, "_connection", None)  # None once it is back in its pool
    if connection is not None:
        connection.close()
    sent.discard_connection()


def as_timeout(error: Exception, sent: SentBytes) -> Exception:
    """Return the error of an attempt; a `ReadTimeout` in place of requests' error for a body that came too slowly."""
    if not sent.is_late or isinstance(error, requests.Timeout) or not isinstance(error, requests.ConnectionError):
        return error
    timeout = requests.ReadTimeout(*error.args, request=error.request)
    timeout.__cause__ = error
    return timeout


def must_send_once(request: requests.PreparedRequest) -> bool:
    """Return whether the body of a prepared request is consumed by its first attempt."""
    return not (request.body is None or isinstance(request.body, (str, bytes)))


def limit_timeout(timeout: Any) -> Any:
    """Return the caller's timeout, cut to the time that is left for the attempt.

    A pair (connect, read) stays a pair. The timeout of requests bounds the silence between bytes, not the total.
    """
    left = remaining_time()
    if left is None:
        return timeout
    if isinstance(timeout, tuple):
        return tuple(shorter_timeout(part, left.other) for part in timeout)
    if isinstance(timeout, Timeout):
        timeout = timeout.clone()  # the caller may use its own for other requests
        timeout.total = shorter_timeout(timeout.total, left.other)
        return timeout
    return shorter_timeout(timeout, left.other)


def disable_retries(adapter: Any) -> None:
    """Switch off urllib3's retries of an adapter, with a warning."""
    retries = getattr(adapter, "max_retries", None)
    # A total of None is not zero: the counts per kind of error apply, or there is no limit at all.
    if isinstance(retries, Retry) and retries.total not in (0, False):
        times = "" if retries.total is None else f" {retries.total} times"
        warnings.warn(f"urllib3 would retry{times} beneath the policy: switched off on this session", stacklevel=3)
        adapter.max_retries = Retry(0, read=False)
