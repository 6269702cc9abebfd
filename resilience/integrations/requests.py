"""`requests`: a session under a policy, an adapter to mount, and the one place that sends through it.

A wrapped session is a real `requests.Session` that shares its state with the original. Each attempt
prepares its request anew, gets what is left of the attempt's time as its `timeout` (which bounds
the silence between bytes, not the total), and runs without urllib3's own retries. A response with
an error status is a failure to the policy and still comes back as a response, as users of requests
expect. The only importer of requests.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Timeout
from urllib3.util.retry import Retry

from .._core.policy.policy import Policy
from .._entry.configured import policies_getter
from .._entry.operation_rules import OperationRules
from .._entry.policies import Policies
from ._http_rules import (
    Answer,
    Calls,
    Way,
    header_of,
    in_doubt,
    is_json,
    own_class,
    redirected,
    refusals,
    shorter,
    time_left,
    with_header,
    wrapped_class,
)
from ._rate_limit_headers import heard

__all__ = ["REFUSALS", "ResilientAdapter", "new_session", "send", "without_retries", "wrap"]

_SENDING: ContextVar[Any] = ContextVar("resilience_requests_sending", default=None)

REFUSALS: Mapping[type, type] = refusals(requests.RequestException, __name__, "Requests")
"""Our refusals as requests' users catch them."""


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
    heard(reply)
    return Answer(reply.status_code, reply.reason or "", reply.headers, reply.content)


def wrap(session: requests.Session, rules: OperationRules) -> requests.Session:
    """Return a session of the same class that shares the original's state, every request under a policy."""
    original = own_class(session)
    methods = {"request": _request, "send": _send, "get_adapter": _get_adapter}
    made: Any = object.__new__(wrapped_class(original, methods))
    made.__dict__ = session.__dict__
    object.__setattr__(made, "_resilience", _Session(made, original, rules))
    return made  # type: ignore[no-any-return]  # a session of a class made here


_PARAMETERS = (
    "params", "data", "headers", "cookies", "files", "auth", "timeout", "allow_redirects", "proxies", "hooks",
    "stream", "verify", "cert", "json",
)  # fmt: skip
"""What `requests.Session.request` takes after the URL, in its order."""


def _request(self: Any, method: str, url: str, *args: Any, **kwargs: Any) -> requests.Response:
    """Make a request under the policy; arguments as for `requests.Session.request`."""
    kwargs |= zip(_PARAMETERS, args, strict=False)
    call = self._resilience.requests.of(str(method), str(url), send_once=not _replayable(kwargs))
    reply: requests.Response = call(method, url, **kwargs)
    return reply


def _send(self: Any, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
    """Send a prepared request under the policy. It is not signed anew for a retry: wrap signed APIs at the client."""
    attempt = _SENDING.get()
    if attempt is not None and attempt.state is self._resilience:
        return attempt.send(request, **kwargs)  # type: ignore[no-any-return]  # requests' own
    call = self._resilience.prepared.of(str(request.method), str(request.url), send_once=_once(request))
    reply: requests.Response = call(request, **kwargs)
    return reply


def _get_adapter(self: Any, url: str) -> Any:
    """Return the adapter for the URL, its own retries switched off."""
    adapter = self._resilience.original.get_adapter(self, url)
    without_retries(adapter)
    return adapter


def without_retries(adapter: Any) -> None:
    """Switch urllib3's retries beneath an adapter off, and say so."""
    retries = getattr(adapter, "max_retries", None)
    if isinstance(retries, Retry) and retries.total not in (0, False):  # None: the counts by kind hold, or no limit
        times = "" if retries.total is None else f" {retries.total} times"
        told = f"urllib3 would retry{times} beneath the policy: switched off on this session"
        warnings.warn(told, stacklevel=3)
        adapter.max_retries = Retry(0, read=False)


class ResilientAdapter(HTTPAdapter):
    """An adapter to mount that puts every request under a policy; it does not sign one anew for a retry.

    An attempt ends at the headers, or with a JSON body where the policy's code tables have an
    envelope and the caller does not stream.

    Example:
        >>> session = requests.Session()
        >>> session.mount("https://api.example.com/", ResilientAdapter("http"))
    """

    def __init__(
        self,
        policy: str | Policy = "http",
        *,
        operations: Mapping[str, Any] | None = None,
        policies: Policies | None = None,
        **adapter_options: Any,
    ) -> None:
        """Set it up; `adapter_options` are those of `HTTPAdapter`, the others those of `wrap`."""
        super().__init__(**adapter_options)
        without_retries(self)
        self._calls = Calls(_Mounted(super().send), OperationRules(policy, operations, policies_getter(policies)))

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a prepared request under the policy; arguments as for `HTTPAdapter.send`."""
        kwargs |= zip(("stream", "timeout", "verify", "cert", "proxies"), args, strict=False)
        call = self._calls.of(str(request.method), str(request.url), send_once=_once(request))
        reply: requests.Response = call(request, **kwargs)
        return reply


class _Session:
    """What a wrapped session adds to its original: the compiled calls of both its ways in."""

    def __init__(self, session: Any, original: type, rules: OperationRules) -> None:
        self.session = session
        self.original: Any = original
        self.requests = Calls(_Requests(self), rules)
        self.prepared = Calls(_Prepared(self), rules)

    def within(self, attempt: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Make one attempt by the original's own method, with no more time than the attempt has."""
        kwargs["timeout"] = _shorter(kwargs.get("timeout"))
        token = _SENDING.set(_Attempt(self, sent=attempt == self.original.send))
        try:
            return redirected(heard(attempt(self.session, *args, **kwargs)))
        finally:
            _SENDING.reset(token)


class _Attempt:
    """One attempt under way; what it sends after its first request follows a redirect, and is in doubt."""

    __slots__ = ("hop", "state")

    def __init__(self, state: _Session, *, sent: bool) -> None:
        self.state = state
        self.hop = sent

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> Any:
        """Send one request of the attempt."""
        hop, self.hop = self.hop, True
        try:
            return self.state.original.send(self.state.session, request, **kwargs)
        except requests.RequestException as error:
            if hop:
                in_doubt(error)
            raise


class _Requests:
    """`session.request`: each attempt is prepared, and so signed, anew."""

    asynchronous = False
    refusals = REFUSALS

    def __init__(self, state: _Session) -> None:
        self.state = state

    def attempt(self, way: Way) -> Callable[..., Any]:
        """Return one attempt; a streamed body is never read."""
        state = self.state

        def request(method: str, url: str, *, idempotency_key: str | None = None, **kwargs: Any) -> Any:
            for name, value in way.headers(idempotency_key).items():
                kwargs["headers"] = dict(with_header(kwargs.get("headers"), name, value))
            return state.within(state.original.request, method, url, **kwargs)

        return request

    def own_key(self, header: str, _args: tuple[Any, ...], kwargs: Mapping[str, Any], /) -> str | None:
        """Return the key among the headers that were given."""
        return header_of(kwargs.get("headers"), header)

    def bad(self, answer: Any) -> bool:
        """Tell an error status, which still comes back as a response."""
        return isinstance(answer, requests.Response) and answer.status_code >= 400

    def answer_of(self, body: bytes) -> requests.Response:
        """Return a good answer with this JSON body."""
        made = requests.Response()
        made.status_code, made.reason, made._content = 200, "OK", body
        made.headers["Content-Type"] = "application/json"
        return made

    def discard(self, answer: requests.Response) -> None:
        """Give the connection back."""
        answer.close()


class _Prepared(_Requests):
    """`session.send`: a request that somebody has prepared, sent as it is."""

    def attempt(self, way: Way) -> Callable[..., Any]:
        """Return one attempt."""
        state = self.state

        def send(request: requests.PreparedRequest, *, idempotency_key: str | None = None, **kwargs: Any) -> Any:
            return state.within(state.original.send, _keyed(request, way, idempotency_key), **kwargs)

        return send

    def own_key(self, header: str, args: tuple[Any, ...], _kwargs: Mapping[str, Any], /) -> str | None:
        """Return the key among the request's headers."""
        return header_of(args[0].headers, header)


class _Mounted(_Prepared):
    """An adapter's own `send`: a finished request, sent as it is."""

    def __init__(self, plain: Callable[..., requests.Response]) -> None:
        self.plain = plain

    def attempt(self, way: Way) -> Callable[..., Any]:
        """Return one attempt; it reads a JSON body where an envelope asks for it and the caller does not stream."""
        plain = self.plain

        def send(request: requests.PreparedRequest, *, idempotency_key: str | None = None, **kwargs: Any) -> Any:
            kwargs["timeout"] = _shorter(kwargs.get("timeout"))
            reply = heard(plain(_keyed(request, way, idempotency_key), **kwargs))
            if not kwargs.get("stream") and is_json(reply.headers.get("content-type")) and way.whole():
                _ = reply.content
            return reply

        return send


def _keyed(request: requests.PreparedRequest, way: Way, key: str | None) -> requests.PreparedRequest:
    added = way.headers(key)
    if not added:
        return request
    request = request.copy()
    request.headers.update(added)
    return request


def _once(request: requests.PreparedRequest) -> bool:
    """Tell whether a prepared body can be sent a single time only."""
    return not (request.body is None or isinstance(request.body, (str, bytes)))


def _replayable(kwargs: Mapping[str, Any]) -> bool:
    """Tell whether the body can be sent again: text, bytes, mappings and lists can, streams cannot."""
    body = kwargs.get("data")
    return not kwargs.get("files") and (body is None or isinstance(body, (str, bytes, Mapping, list, tuple)))


def _shorter(given: Any) -> Any:
    """Return the shorter of the caller's timeout and the seconds left; (connect, read) pairs stay pairs."""
    left = time_left()
    if left is None:
        return given
    if isinstance(given, tuple):
        return tuple(shorter(one, left.other) for one in given)
    if isinstance(given, Timeout):
        given = given.clone()
        given.total = shorter(given.total, left.other)
        return given
    return shorter(given, left.other)
