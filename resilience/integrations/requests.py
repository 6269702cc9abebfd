"""`requests`: a session under a policy, and the one place that sends through it. The only importer of requests.

A wrapped session is a real `requests.Session` that shares its state with the original. Each attempt
prepares its request anew, gets what is left of the attempt's time as its `timeout` (which bounds
the silence between bytes, not the total), and runs without urllib3's own retries. A response with
an error status is a failure to the policy and still comes back as a response, as users of requests
expect.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from .._core.deadline import current_call
from .._core.plan import Binding
from ..errors import AdmissionRejectedError, CircuitOpenError, DeadlineExceededError, QuotaExceededError

__all__ = ["REFUSALS", "Answer", "new_session", "send", "wrap"]

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_IDEMPOTENT = _READS | {"PUT", "DELETE"}
_SENDING: ContextVar[Any] = ContextVar("resilience_requests_sending", default=None)


class RequestsCircuitOpenError(CircuitOpenError, requests.RequestException):
    """The circuit breaker is open; also a `requests.RequestException`."""


class RequestsDeadlineExceededError(DeadlineExceededError, requests.RequestException):
    """The deadline has passed; also a `requests.RequestException`."""


class RequestsQuotaExceededError(QuotaExceededError, requests.RequestException):
    """The quota has no room; also a `requests.RequestException`."""


class RequestsAdmissionRejectedError(AdmissionRejectedError, requests.RequestException):
    """Too many calls are running; also a `requests.RequestException`."""


REFUSALS: Mapping[type, type] = {
    AdmissionRejectedError: RequestsAdmissionRejectedError,
    CircuitOpenError: RequestsCircuitOpenError,
    DeadlineExceededError: RequestsDeadlineExceededError,
    QuotaExceededError: RequestsQuotaExceededError,
}
"""Our refusals as requests' users catch them."""


class Answer(NamedTuple):
    """What came back: the status, its words, the headers and the whole body."""

    status: int
    reason: str
    headers: Mapping[str, str]
    content: bytes


def new_session() -> requests.Session:
    """Return a session without retries of its own."""
    session = requests.Session()
    for prefix in ("https://", "http://"):
        session.mount(prefix, HTTPAdapter(max_retries=0, pool_maxsize=64))
    return session


def send(
    session: requests.Session, method: str, url: str, *, headers: Mapping[str, str], data: bytes | None, timeout: float
) -> Answer:
    """Send one request as it is and read the answer; redirects are not followed.

    Raises:
        requests.RequestException: nothing came back, or not all of it; the error is requests' own.
    """
    reply = session.request(method, url, headers=dict(headers), data=data, timeout=timeout, allow_redirects=False)
    return Answer(reply.status_code, reply.reason or "", reply.headers, reply.content)


class _Rules(Protocol):
    def compile(self, fn: Callable[..., Any], binding: Binding) -> Callable[..., Any]: ...


def wrap(session: requests.Session, rules: _Rules) -> requests.Session:
    """Return a session of the same class that shares the original's state, every request under a policy."""
    kind = _class_for(type(session))
    made: Any = object.__new__(kind)
    made.__dict__ = session.__dict__
    object.__setattr__(made, "_resilience", _Calls(made, type(session), rules))
    return made  # type: ignore[no-any-return]  # a session of a class made here


_CLASSES: dict[type, type] = {}


def _class_for(original: type) -> type:
    """Return the wrapped class of this class of sessions; made once."""
    made = _CLASSES.get(original)
    if made is None:
        space = {"__slots__": ("_resilience",), "__doc__": original.__doc__, "__module__": original.__module__}
        methods = {"request": _request, "send": _send, "get_adapter": _get_adapter}
        made = _CLASSES[original] = type(original.__name__, (original,), {**space, **methods})
    return made


def _request(self: Any, method: str, url: str, *args: Any, **kwargs: Any) -> requests.Response:
    """Make a request under the policy; arguments as for `requests.Session.request`."""
    reply: requests.Response = self._resilience.request(method, url, args, kwargs)
    return reply


def _send(self: Any, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
    """Send a prepared request under the policy. It is not signed anew for a retry: wrap signed APIs at the client."""
    reply: requests.Response = self._resilience.send(request, kwargs)
    return reply


def _get_adapter(self: Any, url: str) -> Any:
    """Return the adapter for the URL, its own retries switched off."""
    adapter = self._resilience.original.get_adapter(self, url)
    retries = getattr(adapter, "max_retries", None)
    if isinstance(retries, Retry) and retries.total not in (0, False, None):
        warnings.warn(
            f"urllib3 would retry {retries.total} times beneath the policy: switched off on this session",
            stacklevel=2,
        )
        adapter.max_retries = Retry(0, read=False)
    return adapter


class _Calls:
    """The compiled calls of one wrapped session: one a method, host and kind of body. Safe across threads."""

    def __init__(self, session: Any, original: type, rules: _Rules) -> None:
        self._session = session
        self.original: Any = original
        self._rules = rules
        self._compiled: dict[tuple[Any, ...], Callable[..., Any]] = {}

    def request(self, method: str, url: str, args: Any, kwargs: dict[str, Any]) -> Any:
        once = not _replayable(args, kwargs)
        call = self._call(str(method).upper(), str(url), once, self._attempt_request)
        return call(method, url, *args, **kwargs)

    def send(self, request: requests.PreparedRequest, kwargs: dict[str, Any]) -> Any:
        if _SENDING.get() is self:
            return self.original.send(self._session, request, **kwargs)
        once = not (request.body is None or isinstance(request.body, (str, bytes)))
        return self._call(str(request.method).upper(), str(request.url), once, self._attempt_send)(request, **kwargs)

    def _call(self, method: str, url: str, once: bool, attempt: Callable[..., Any]) -> Callable[..., Any]:
        host = urlsplit(url).netloc.rpartition("@")[2]
        route = (method, host, once, attempt.__name__)
        found = self._compiled.get(route)
        if found is None:
            from .._live import live

            binding = Binding(
                operation=method.lower(),
                idempotent=method in _IDEMPOTENT,
                read=method in _READS,
                host=host,
                refusals=REFUSALS,
                once=once,
                bad=_bad,
                discard=requests.Response.close,
            )
            if len(self._compiled) >= 1024:
                self._compiled.clear()
            found = live(lambda: self._rules.compile(attempt, binding), asynchronous=False)
            self._compiled[route] = found
        return found

    def _attempt_request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        return self._within(self.original.request, method, url, *args, **kwargs)

    def _attempt_send(self, request: requests.PreparedRequest, **kwargs: Any) -> Any:
        return self._within(self.original.send, request, **kwargs)

    def _within(self, attempt: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        call = current_call()
        if call is not None:
            kwargs["timeout"] = _shorter(kwargs.get("timeout"), call.timeout)
        token = _SENDING.set(self)
        try:
            return attempt(self._session, *args, **kwargs)
        finally:
            _SENDING.reset(token)


def _bad(answer: Any) -> bool:
    return isinstance(answer, requests.Response) and answer.status_code >= 400


def _replayable(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Tell whether the body can be sent again: text, bytes, mappings and lists can, streams cannot."""
    body = kwargs.get("data", args[1] if len(args) > 1 else None)
    plain = body is None or isinstance(body, (str, bytes, Mapping, list, tuple))
    return plain and not kwargs.get("files") and len(args) < 6


def _shorter(given: Any, left: float | None) -> Any:
    """Return the shorter of the caller's timeout and the seconds left; (connect, read) pairs stay pairs."""
    if left is None:
        return given
    left = max(left, 0.001)  # urllib3 refuses 0
    if isinstance(given, tuple):
        return tuple(left if one is None else min(one, left) for one in given)
    if isinstance(given, (int, float)):
        return min(given, left)
    return left if given is None else given
