"""Runs the requests of a client under a policy, as a class derived from `HttpClientSupport` describes the client."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from .._drivers.routine_runner import run_routine, run_routine_async
from .._entry.operation_rules import OperationRules
from ..telemetry.concealment import conceal_arguments
from ._attempt_options import AttemptOptions
from ._client_classes import concealing_methods, original_class, rejection_types, wrapped_class
from ._event_loops import OwnLoop
from ._http_calls import CompiledCalls
from ._http_messages import find_header, is_marked_failure
from ._supported_attempt import SupportedAttempt, attempt_under_way

if TYPE_CHECKING:
    from .http import HttpClientSupport

__all__ = ["wrap_supported"]

_VERBS = ("request", "stream", "get", "options", "head", "post", "put", "patch", "delete")
"""Methods of clients that end in the request method, and hold the caller's arguments meanwhile."""


def wrap_supported(support_class: type[HttpClientSupport], client: Any, rules: OperationRules) -> Any:
    """Return a client of the same class that shares the original's state, with every request under a policy.

    Raises:
        TypeError: the rules cannot take effect.
    """
    original = original_class(client)
    methods = {**concealing_methods(original, _VERBS), **_methods(support_class)}
    wrapped: Any = object.__new__(wrapped_class(original, methods))
    wrapped.__dict__ = client.__dict__  # the same dict: cookies, headers and connections are shared
    object.__setattr__(wrapped, "_resilience", _SupportedCalls(support_class(client), original, wrapped, rules))
    return wrapped


def _methods(support_class: type[HttpClientSupport]) -> Mapping[str, Any]:
    """Return the methods of a wrapped client that replace those of its class."""
    request, send = _async_methods() if support_class.asynchronous else _sync_methods()
    # Where both have the same name, what comes from inside an attempt follows a redirect. A `__del__` of the client's
    # class would close what the original still uses.
    return {support_class.send_method: send, support_class.request_method: request, "__del__": lambda _self: None}


def _sync_methods() -> tuple[Callable[..., Any], Callable[..., Any]]:
    def request(self: Any, *args: Any, **kwargs: Any) -> Any:
        """Make a request under the policy; arguments as for the client's own method."""
        calls = self._resilience
        if calls.is_redirect(self):
            return send(self, *args, **kwargs)
        arguments = calls.bind(args, kwargs)
        args, kwargs = (), {}  # a traceback with local variables shows what is concealed in `arguments`
        return calls.find(arguments)

    def send(self: Any, *args: Any, **kwargs: Any) -> Any:
        """Send a finished request of the attempt that is under way."""
        calls, attempt = self._resilience, attempt_under_way(self)
        if attempt is None:  # called by the caller: it has no policy
            return calls.send(*args, **kwargs)
        return run_routine(attempt.sending(calls.send, calls.sent_arguments(args, kwargs), args, kwargs))

    return request, send


def _async_methods() -> tuple[Callable[..., Any], Callable[..., Any]]:
    async def request(self: Any, *args: Any, **kwargs: Any) -> Any:
        """Make a request under the policy; arguments as for the client's own method."""
        calls = self._resilience
        if calls.is_redirect(self):
            return await send(self, *args, **kwargs)
        arguments = calls.bind(args, kwargs)
        args, kwargs = (), {}
        calls.loop.check(calls.rejection_types)
        return await calls.find(arguments)

    async def send(self: Any, *args: Any, **kwargs: Any) -> Any:
        """Send a finished request of the attempt that is under way."""
        calls, attempt = self._resilience, attempt_under_way(self)
        if attempt is None:
            return await calls.send(*args, **kwargs)
        return await run_routine_async(attempt.sending(calls.send, calls.sent_arguments(args, kwargs), args, kwargs))

    return request, send


class _SupportedCalls:
    """The compiled calls of one wrapped client; an `HttpAdapter` at the same time."""

    def __init__(self, support: HttpClientSupport, original: type, client: Any, rules: OperationRules) -> None:
        self.asynchronous = support.asynchronous
        self.rejection_types = _rejection_types(type(support))  # type: ignore[arg-type]  # mypy takes classes for unhashable
        self.loop = OwnLoop()
        self.discard = support.close
        self._support = support
        self._client = client
        request, send = getattr(original, support.request_method), getattr(original, support.send_method)
        self._request = request.__get__(client)
        self.send = send.__get__(client)
        self._bind = _named_arguments(original, support.request_method)
        self.sent_arguments = _named_arguments(original, support.send_method)
        self._calls = CompiledCalls(self, rules)

    def is_redirect(self, client: Any) -> bool:
        """Return whether a call of the request method comes from inside an attempt, and follows a redirect."""
        support = self._support
        return support.request_method == support.send_method and attempt_under_way(client) is not None

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return these arguments of the request method by their names, with credentials concealed."""
        arguments = self._bind(args, kwargs)
        conceal_arguments(arguments)
        return arguments

    def find(self, arguments: Mapping[str, Any]) -> Any:
        """Make a request under the policy, with these arguments of the request method."""
        request = self._support.read_request(arguments)
        call = self._calls.for_request(request.method, request.url, send_once=not request.is_replayable)
        return call(**arguments)

    def url_of(self, _args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """Return the URL of a request."""
        return str(self._support.read_request({name: kwargs[name] for name in kwargs if name != "idempotency_key"}).url)

    def compile_attempt(self, options: AttemptOptions) -> Callable[..., Any]:
        """Return the function that makes one attempt."""

        def new(arguments: dict[str, Any], key: str | None) -> Any:
            return SupportedAttempt(self._support, self._client, options, key).run(self._request, arguments)

        def attempt(*, idempotency_key: str | None = None, **arguments: Any) -> Any:
            return run_routine(new(arguments, idempotency_key))

        async def attempt_async(*, idempotency_key: str | None = None, **arguments: Any) -> Any:
            return await run_routine_async(new(arguments, idempotency_key))

        return attempt_async if self.asynchronous else attempt

    def caller_key(self, header: str, _args: tuple[Any, ...], kwargs: Mapping[str, Any], /) -> str | None:
        """Return the key among the headers that the caller has passed."""
        return find_header(self._support.read_request(kwargs).headers, header)

    def is_error_response(self, response: Any) -> bool:
        """Return whether the answer is a failure, by its status or by its mark; the caller still gets the response."""
        support = self._support
        is_response = isinstance(response, support.response_type)
        return is_response and (support.status(response) >= 400 or is_marked_failure(response))

    def make_response(self, body: bytes) -> Any:
        """Return a response with status 200 and this JSON body, or None if the client has no support for that."""
        response = self._support.make_response(body)
        if response is not None:
            response.resilience_body = body
        return response


@cache
def _rejection_types(support_class: type[HttpClientSupport]) -> Mapping[type, type]:
    prefix = support_class.__name__.removesuffix("Support")
    return rejection_types(support_class.error_base, support_class.__module__, prefix)


def _named_arguments(original: type, name: str) -> Callable[..., dict[str, Any]]:
    """Return a function that gives the arguments of a method by their names, those of its `**kwargs` among them."""
    signature = _signature(original, name)
    keywords = next((one.name for one in signature.parameters.values() if one.kind is one.VAR_KEYWORD), "")

    def named(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        bound = signature.bind(None, *args, **kwargs).arguments  # None in place of the client
        arguments = dict(list(bound.items())[1:])
        extra = arguments.pop(keywords, {})
        return {**arguments, **extra}

    return named


def _signature(original: type, name: str) -> inspect.Signature:
    """Return the signature of a method; of a base class where a subclass only passes its `*args` on.

    Raises:
        TypeError: no class names all positional arguments of the method.
    """
    for method in (vars(cls)[name] for cls in original.__mro__ if name in vars(cls)):
        signature = inspect.signature(method)
        if all(one.kind is not one.VAR_POSITIONAL for one in signature.parameters.values()):
            return signature
    raise TypeError(f"{original.__name__}.{name} has positional arguments without names")
