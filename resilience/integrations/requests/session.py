"""Wraps a `requests.Session`: every request that it makes is under a policy.

A wrapped session is a real `requests.Session` that shares its state with the original. Each attempt prepares,
and so signs, its request again, gets the time that is left as its timeout, and runs without urllib3's retries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

import requests

from ..._entry.operation_rules import OperationRules
from ...telemetry.concealment import conceal_arguments
from .._attempt_options import AttemptOptions
from .._client_classes import concealing_methods, original_class, wrapped_class
from .._http_calls import CompiledCalls
from .._http_messages import find_header, mark_not_sent, mark_redirected, mark_unbuilt, mark_uncertain, replace_header
from .._rate_limit_headers import report_rate_limits
from .attempt import (
    BaseAdapter,
    add_headers,
    as_timeout,
    check_key,
    disable_retries,
    judge_answer,
    limit_timeout,
    must_send_once,
)
from .connections import guard_connections
from .sent_bytes import SentBytes, recording_sent_bytes

__all__ = ["wrap"]

_VERBS = ("get", "options", "head", "post", "put", "patch", "delete")

_ATTEMPT: ContextVar[Any] = ContextVar("resilience_requests_attempt", default=None)
"""The attempt under way. requests calls `session.send` inside `session.request`, and for every redirect."""


def wrap(session: requests.Session, rules: OperationRules) -> requests.Session:
    """Return a session of the same class that shares the original's state, with every request under a policy."""
    original = original_class(session)
    methods = concealing_methods(original, _VERBS)
    methods |= {"request": _request, "send": _send, "get_adapter": _get_adapter}
    wrapped: Any = object.__new__(wrapped_class(original, methods))
    wrapped.__dict__ = session.__dict__  # the same dict: cookies, headers and adapters are shared
    object.__setattr__(wrapped, "_resilience", _SessionCalls(wrapped, original, rules))
    return wrapped  # type: ignore[no-any-return]  # a session of a class made here


_PARAMETERS = (
    "params", "data", "headers", "cookies", "files", "auth", "timeout", "allow_redirects", "proxies", "hooks",
    "stream", "verify", "cert", "json",
)  # fmt: skip
"""The parameters of `requests.Session.request` after the URL, in its order."""


def _request(self: Any, method: str, url: str, *args: Any, **kwargs: Any) -> requests.Response:
    """Make a request under the policy; arguments as for `requests.Session.request`."""
    kwargs |= zip(_PARAMETERS, args, strict=False)
    args = ()
    conceal_arguments(kwargs)
    call = self._resilience.requests.for_request(str(method), str(url), send_once=not _can_replay(kwargs))
    response: requests.Response = call(method, url, **kwargs)
    return response


def _send(self: Any, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
    """Send a prepared request under the policy.

    A retry sends it with the signature that it has: wrap the client of a signed API instead.
    """
    attempt = _attempt_of(self)
    if attempt is not None:
        return attempt.send(request, **kwargs)  # type: ignore[no-any-return]  # requests' own
    calls = self._resilience.prepared
    call = calls.for_request(str(request.method), str(request.url), send_once=must_send_once(request))
    response: requests.Response = call(request, **kwargs)
    return response


def _get_adapter(self: Any, url: str) -> Any:
    """Return the adapter for the URL, without retries of its own."""
    adapter = self._resilience.original.get_adapter(self, url)
    disable_retries(adapter)  # here, and not in `wrap`: an adapter may be mounted at any time
    guard_connections(adapter)
    attempt = _attempt_of(self)
    if attempt is not None:
        attempt.has_left = True  # requests gives the finished request to this adapter next
    return adapter


def _attempt_of(session: Any) -> Any:
    """Return the session's attempt that is under way here, or None.

    A thread or task that was started inside an attempt may outlive it: what it sends later is a call of its own.
    """
    attempt = _ATTEMPT.get()
    return None if attempt is None or attempt.is_over or attempt.calls is not session._resilience else attempt


class _SessionCalls:
    """The compiled calls of a wrapped session: those of its `request` and those of its `send`."""

    def __init__(self, session: Any, original: type, rules: OperationRules) -> None:
        self.session = session
        self.original: Any = original
        self.requests = CompiledCalls(ClientAdapter(self), rules)
        self.prepared = CompiledCalls(PreparedAdapter(self), rules)

    def run_attempt(
        self, method: Callable[..., Any], options: AttemptOptions, key: str | None, *args: Any, **kwargs: Any
    ) -> Any:
        """Make one attempt by a method of the original class, within the time that is left."""
        kwargs["timeout"] = limit_timeout(kwargs.get("timeout"))
        if options.stays_here:
            kwargs["allow_redirects"] = False
        # Through the original's `send` the first request is on its way; what reaches `_send` then is a redirect.
        attempt = _Attempt(self, options, key, is_sending=method == self.original.send)
        token = _ATTEMPT.set(attempt)
        try:
            with recording_sent_bytes() as sent:
                try:
                    response = mark_redirected(report_rate_limits(method(self.session, *args, **kwargs)))
                except Exception as error:
                    _mark(error, attempt, sent)
                    raise as_timeout(error, sent)  # noqa: B904  # the error itself, or one with its own cause
            return judge_answer(response, options, key, sent)
        finally:
            _ATTEMPT.reset(token)
            attempt.is_over = True


class _Attempt:
    """One attempt under way. Every request after its first follows a redirect: an error there is uncertain.

    Attributes:
        has_left: a finished request was given to an adapter.
        is_over: the attempt has ended.
    """

    __slots__ = ("_is_sending", "_key", "_options", "_requests", "calls", "has_left", "is_over")

    def __init__(self, calls: _SessionCalls, options: AttemptOptions, key: str | None, *, is_sending: bool) -> None:
        self.calls = calls
        self.has_left = self.is_over = False
        self._options = options
        self._key = key
        self._is_sending = is_sending
        self._requests: list[Any] = []

    def is_answer(self, response: Any) -> bool:
        """Return whether a response is the answer to a request of this attempt, and not to one of a hook."""
        return response is not None and any(response.request is request for request in self._requests)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> Any:
        """Send one request of the attempt."""
        redirected, self._is_sending = self._is_sending, True
        self._requests.append(request)
        if not redirected:
            check_key(request, self._options, self._key)
        try:
            return self.calls.original.send(self.calls.session, request, **kwargs)
        except requests.RequestException as error:
            if redirected:
                mark_uncertain(error)
            raise


class ClientAdapter(BaseAdapter):
    """Adapts `session.request`: each attempt prepares, and so signs, the request again.

    A stream is read only for a write with a key.
    """

    def __init__(self, calls: _SessionCalls) -> None:
        self._calls = calls

    def compile_attempt(self, options: AttemptOptions) -> Callable[..., Any]:
        """Return the function that makes one attempt."""
        calls = self._calls

        def request(method: str, url: str, *, idempotency_key: str | None = None, **kwargs: Any) -> Any:
            for name, value in options.headers(idempotency_key).items():
                kwargs["headers"] = dict(replace_header(kwargs.get("headers"), name, value))
            return calls.run_attempt(calls.original.request, options, idempotency_key, method, url, **kwargs)

        return request

    def caller_key(self, header: str, _args: tuple[Any, ...], kwargs: Mapping[str, Any], /) -> str | None:
        """Return the key among the headers that the caller has passed."""
        return find_header(kwargs.get("headers"), header)


class PreparedAdapter(BaseAdapter):
    """Adapts `session.send`: each attempt sends the prepared request as it is."""

    def __init__(self, calls: _SessionCalls) -> None:
        self._calls = calls

    def compile_attempt(self, options: AttemptOptions) -> Callable[..., Any]:
        """Return the function that makes one attempt."""
        calls = self._calls

        def send(request: requests.PreparedRequest, *, idempotency_key: str | None = None, **kwargs: Any) -> Any:
            request = add_headers(request, options, idempotency_key)
            check_key(request, options, idempotency_key)
            return calls.run_attempt(calls.original.send, options, idempotency_key, request, **kwargs)

        return send


def _can_replay(kwargs: Mapping[str, Any]) -> bool:
    """Return whether the body can be sent again: strings, bytes, mappings and lists can, streams and files cannot."""
    body = kwargs.get("data")
    return not kwargs.get("files") and (body is None or isinstance(body, (str, bytes, Mapping, list, tuple)))


def _mark(error: Exception, attempt: _Attempt, sent: SentBytes) -> None:
    """Record on an error of an attempt how far it came."""
    if sent.proves_nothing_left:
        mark_not_sent(error)
    elif not attempt.has_left:
        mark_unbuilt(error, requests.RequestException)
    elif isinstance(error, requests.exceptions.ContentDecodingError):
        sent.discard_connection()
    elif sent.has_sent and not attempt.is_answer(getattr(error, "response", None)):
        mark_uncertain(error)  # a hook may raise anything once the answer is there
