"""Wraps an `aiohttp.ClientSession`: every request that it makes is under a policy.

A wrapped session is a proxy that shares everything with the original: aiohttp does not support subclasses of
`ClientSession`. Each attempt is a request of its own, so that a middleware of the session signs it again. The
attempt is cancelled at its limit, and the session's timeout fires before. Sockets (`ws_connect`) are not wrapped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MethodType
from typing import Any

import aiohttp
from aiohttp.payload import BytesPayload

from ..._entry.operation_rules import OperationRules
from ..._entry.proxy import Proxy, proxy_class
from ...telemetry.concealment import conceal_arguments
from .._attempt_options import AttemptOptions
from .._event_loops import check_loop
from .._http_calls import CompiledCalls
from .._http_messages import find_header, mark_not_sent, mark_redirected, mark_unbuilt, mark_uncertain, replace_header
from .._time_limits import remaining_time
from .attempt import REJECTION_TYPES, BaseAdapter, check_key, disable_second_try, finish_attempt, limit_timeout
from .last_check import checked_before_sending
from .made_response import describe_request

__all__ = ["wrap"]

_METHODS = frozenset({"request", "get", "options", "head", "post", "put", "patch", "delete"})


def wrap(session: Any, rules: OperationRules) -> Any:
    """Return a proxy of the session with every request under a policy."""
    disable_second_try(session)
    return proxy_class(type(session), _WrappedSession)(session, rules)


class _WrappedSession(Proxy):
    """A proxy of a session. aiohttp's methods all end in `_request`, which is under the policy here."""

    def __init__(self, client: Any, rules: OperationRules) -> None:
        super().__init__(client, rules)
        self.__dict__["_resilience_calls"] = CompiledCalls(ClientAdapter(client), rules)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.__dict__["_resilience_client"], name)
        # Bound to the proxy, the original's own `get` or `post` calls the `_request` below.
        return MethodType(value.__func__, self) if name in _METHODS and isinstance(value, MethodType) else value

    async def _request(self, method: str, str_or_url: Any, **kwargs: Any) -> aiohttp.ClientResponse:
        conceal_arguments(kwargs)
        client = self.__dict__["_resilience_client"]
        check_loop(client._loop, REJECTION_TYPES)
        url = _complete_url(client, str_or_url)
        call = self.__dict__["_resilience_calls"].for_request(method, url, send_once=not _can_replay(kwargs))
        response: aiohttp.ClientResponse = await call(method, str_or_url, **kwargs)
        return describe_request(response, method.upper(), url)  # type: ignore[no-any-return]  # the same object


class ClientAdapter(BaseAdapter):
    """Adapts the requests of a session: each attempt makes, and so signs, the request again."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def compile_attempt(self, options: AttemptOptions) -> Callable[..., Any]:
        """Return the function that makes one attempt."""
        session = self._session

        async def request(method: str, url: Any, *, idempotency_key: str | None = None, **kwargs: Any) -> Any:
            for name, value in options.headers(idempotency_key).items():
                kwargs["headers"] = replace_header(kwargs.get("headers"), name, value)
            left = remaining_time(asynchronous=True)
            if left is not None:
                kwargs["timeout"] = limit_timeout(kwargs.get("timeout", session.timeout), left)
            if options.stays_here:
                kwargs["allow_redirects"] = False
            # The middlewares of a request replace those of its session. All run again for each redirect.
            middlewares = kwargs.get("middlewares")
            gate = _LastMiddleware(options, idempotency_key)
            kwargs["middlewares"] = (*(session._middlewares if middlewares is None else middlewares), gate)
            is_closed = session.closed  # asked before the send: afterwards it would prove nothing
            try:
                response = mark_redirected(await session._request(method, url, **kwargs))
            except Exception as error:
                if gate.count == 0:
                    mark_unbuilt(error, aiohttp.ClientError, is_closed=is_closed)
                elif gate.refuses_header(error):
                    mark_not_sent(error)
                elif gate.is_answered_before(error) or (gate.count > 1 and isinstance(error, aiohttp.ClientError)):
                    mark_uncertain(error)
                raise
            return await finish_attempt(response, options, idempotency_key)

        return request

    def url_of(self, args: tuple[Any, ...], _kwargs: Mapping[str, Any]) -> str:
        """Return the URL of a request, with the base URL of its session."""
        return str(_complete_url(self._session, args[1]))

    def caller_key(self, header: str, _args: tuple[Any, ...], kwargs: Mapping[str, Any], /) -> str | None:
        """Return the key among the headers that the caller has passed."""
        return find_header(kwargs.get("headers"), header)


class _LastMiddleware:
    """The middleware next to the connection: it sees each finished request of one attempt, just before it leaves.

    Attributes:
        count: how many there were. A second one follows a redirect.
    """

    __slots__ = ("_answer", "_has_bad_header", "_key", "_options", "count")

    def __init__(self, options: AttemptOptions, key: str | None) -> None:
        self.count = 0
        self._options = options
        self._key = key
        self._has_bad_header = False
        self._answer: Any = None

    async def __call__(self, request: aiohttp.ClientRequest, handler: Callable[..., Any]) -> Any:
        self.count += 1
        if self.count == 1:
            check_key(request, self._options, self._key)
            self._has_bad_header = any(map(_is_bad_header, request.headers.values()))
        with checked_before_sending(request):
            response = await handler(request)
        self._answer = response
        return response

    def is_answered_before(self, error: Exception) -> bool:
        """Return whether the answer was there before this error, which was not made of it by `raise_for_status`.

        A middleware or a trace may raise anything then, such as the error of another connection.
        """
        answer = self._answer
        return answer is not None and getattr(error, "request_info", None) is not answer.request_info

    def refuses_header(self, error: Exception) -> bool:
        """Return whether aiohttp has refused a header. It does so when it has connected, and written nothing."""
        return self.count == 1 and self._has_bad_header and type(error) in (TypeError, ValueError)


def _is_bad_header(value: Any) -> bool:
    return not isinstance(value, str) or "\r" in value or "\n" in value


def _complete_url(session: Any, url: Any) -> str:
    """Return the URL joined to the session's base URL."""
    try:
        return str(session._build_url(url))
    except (AttributeError, TypeError, ValueError):
        return str(url)  # the session itself will raise its own error for it


def _can_replay(kwargs: Mapping[str, Any]) -> bool:
    """Return whether the body can be sent again: strings, bytes and fields of them can, streams and forms cannot."""
    body = kwargs.get("data")
    fields = _form_fields(body)
    if fields is None:
        return body is None or isinstance(body, (str, bytes, bytearray, BytesPayload))
    return all(isinstance(part, (str, bytes, int, float)) for field in fields for part in _parts(field))


def _form_fields(body: Any) -> Iterable[Any] | None:
    """Return the fields of what aiohttp sends as a form, a mapping or a list; they may be streams."""
    if isinstance(body, Mapping):
        return body.values()
    return body if isinstance(body, (list, tuple)) else None


def _parts(field: Any) -> tuple[Any, ...]:
    return tuple(field) if isinstance(field, (list, tuple)) else (field,)
