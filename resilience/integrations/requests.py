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
from urllib3.util.retry import Retry

from .._core.deadline import current_call
from ._http import Answer, Calls, Rules, Way, refusals, shorter

__all__ = ["REFUSALS", "new_session", "send", "without_retries", "wrap"]

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
    return Answer(reply.status_code, reply.reason or "", reply.headers, reply.content)


def wrap(session: requests.Session, rules: Rules) -> requests.Session:
    """Return a session of the same class that shares the original's state, every request under a policy."""
    kind = _class_for(type(session))
    made: Any = object.__new__(kind)
    made.__dict__ = session.__dict__
    object.__setattr__(made, "_resilience", _Session(made, type(session), rules))
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


_PARAMETERS = (
    "params", "data", "headers", "cookies", "files", "auth", "timeout", "allow_redirects", "proxies", "hooks",
    "stream", "verify", "cert", "json",
)  # fmt: skip
"""What `requests.Session.request` takes after the URL, in its order."""


def _request(self: Any, method: str, url: str, *args: Any, **kwargs: Any) -> requests.Response:
    """Make a request under the policy; arguments as for `requests.Session.request`."""
    kwargs |= zip(_PARAMETERS, args, strict=False)
    call = self._resilience.requests.of(str(method), str(url), once=not _replayable(kwargs))
    reply: requests.Response = call(method, url, **kwargs)
    return reply


def _send(self: Any, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
    """Send a prepared request under the policy. It is not signed anew for a retry: wrap signed APIs at the client."""
    if _SENDING.get() is self._resilience:
        return self._resilience.original.send(self, request, **kwargs)  # type: ignore[no-any-return]  # requests' own
    once = not (request.body is None or isinstance(request.body, (str, bytes)))
    call = self._resilience.prepared.of(str(request.method), str(request.url), once=once)
    reply: requests.Response = call(request, **kwargs)
    return reply


def _get_adapter(self: Any, url: str) -> Any:
    """Return the adapter for the URL, its own retries switched off."""
    adapter = self._resilience.original.get_adapter(self, url)
    without_retries(adapter)
    return adapter


def without_retries(adapter: Any) -> None:
    """Switch urllib3's own retries off on an adapter, and say so."""
    retries = getattr(adapter, "max_retries", None)
    if isinstance(retries, Retry) and retries.total not in (0, False, None):
        warnings.warn(
            f"urllib3 would retry {retries.total} times beneath the policy: switched off on this session",
            stacklevel=3,
        )
        adapter.max_retries = Retry(0, read=False)


class _Session:
    """What a wrapped session adds to its original: the compiled calls of both its ways in."""

    def __init__(self, session: Any, original: type, rules: Rules) -> None:
        self.session = session
        self.original: Any = original
        self.requests = Calls(_Requests(self), rules)
        self.prepared = Calls(_Prepared(self), rules)

    def within(self, attempt: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Make one attempt by the original's own method, with no more time than the attempt has."""
        call = current_call()
        if call is not None:
            kwargs["timeout"] = _shorter(kwargs.get("timeout"), call.timeout)
        token = _SENDING.set(self)
        try:
            return attempt(self.session, *args, **kwargs)
        finally:
            _SENDING.reset(token)


class _Requests:
    """`session.request`: each attempt is prepared, and so signed, anew."""

    asynchronous = False
    refusals = REFUSALS

    def __init__(self, state: _Session) -> None:
        self.state = state

    def attempt(self, way: Way) -> Callable[..., Any]:
        """Return one attempt; a streamed body is never read."""
        state, header = self.state, way.header

        def request(method: str, url: str, *, idempotency_key: str | None = None, **kwargs: Any) -> Any:
            if header is not None and idempotency_key is not None:
                given = {k: v for k, v in (kwargs.get("headers") or {}).items() if k.lower() != header.lower()}
                kwargs["headers"] = {**given, header: idempotency_key}
            return state.within(state.original.request, method, url, **kwargs)

        return request

    def own_key(self, header: str, _args: tuple[Any, ...], kwargs: Mapping[str, Any], /) -> str | None:
        """Return the key among the headers that were given."""
        return _header(kwargs.get("headers"), header)

    def bad(self, answer: Any) -> bool:
        """Tell an error status, which still comes back as a response."""
        return isinstance(answer, requests.Response) and answer.status_code >= 400

    def discard(self, answer: requests.Response) -> None:
        """Give the connection back."""
        answer.close()


class _Prepared(_Requests):
    """`session.send`: a request that somebody has prepared, sent as it is."""

    def attempt(self, way: Way) -> Callable[..., Any]:
        """Return one attempt."""
        state, header = self.state, way.header

        def send(request: requests.PreparedRequest, *, idempotency_key: str | None = None, **kwargs: Any) -> Any:
            if header is not None and idempotency_key is not None:
                request = request.copy()
                request.headers[header] = idempotency_key
            return state.within(state.original.send, request, **kwargs)

        return send

    def own_key(self, header: str, args: tuple[Any, ...], _kwargs: Mapping[str, Any], /) -> str | None:
        """Return the key among the request's headers."""
        return _header(args[0].headers, header)


def _header(headers: Any, name: str) -> str | None:
    found = next((value for key, value in (headers or {}).items() if str(key).lower() == name.lower()), None)
    return found.decode() if isinstance(found, bytes) else found


def _replayable(kwargs: Mapping[str, Any]) -> bool:
    """Tell whether the body can be sent again: text, bytes, mappings and lists can, streams cannot."""
    body = kwargs.get("data")
    return not kwargs.get("files") and (body is None or isinstance(body, (str, bytes, Mapping, list, tuple)))


def _shorter(given: Any, left: float | None) -> Any:
    """Return the shorter of the caller's timeout and the seconds left; (connect, read) pairs stay pairs."""
    if left is None:
        return given
    if isinstance(given, tuple):
        return tuple(shorter(one, left) for one in given)
    return shorter(given, left) if given is None or isinstance(given, (int, float)) else given
