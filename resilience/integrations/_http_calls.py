"""Compiles the requests of an HTTP client into calls under a policy: one per method, host and named path.

What each client does differently is its `HttpAdapter`. The rest is here: which methods are reads, how an
operation is named, which header carries its key, and what a lookup returns to the caller.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import wraps
from typing import Any, Protocol
from urllib.parse import urlsplit

from .._core.base.bounded_dict import BoundedDict
from .._core.base.routine import Invocation, Routine
from .._core.call.lookup_answer import Found
from .._core.call.operation_info import OperationInfo
from .._drivers.routine_runner import routine_function
from .._entry.operation_rules import OperationRules
from .._entry.recompile import recompiled
from ..telemetry.concealment import without_credentials
from ._attempt_options import AttemptOptions
from ._http_messages import mark_uncertain
from ._path_templates import PathTemplates, url_in
from ._seam_redirects import is_next_hop

__all__ = ["KEY_HEADER", "CompiledCalls", "HttpAdapter"]

KEY_HEADER = "Idempotency-Key"
"""The header that carries the key of a write with a reconciler, unless its rules name another.

Source: draft-ietf-httpapi-idempotency-key-header.
"""
_READS = frozenset({"GET", "HEAD", "OPTIONS"})  # "safe" in RFC 9110, section 9.2.1
_IDEMPOTENT = _READS | {"PUT", "DELETE"}  # section 9.2.2
MAX_COMPILED = 1024  # calls kept for one client


class HttpAdapter(Protocol):
    """What an integration provides for one client.

    Attributes:
        asynchronous: whether the client's requests are awaited.
        rejection_types: our rejection classes → subclasses that also inherit the client's error base.
    """

    asynchronous: bool
    rejection_types: Mapping[type, type]

    def compile_attempt(self, options: AttemptOptions) -> Callable[..., Any]:
        """Return the function that makes one attempt. It takes the key as the keyword `idempotency_key`."""

    def caller_key(self, header: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], /) -> str | None:
        """Return the key that the caller has put in this header, or None."""

    def is_error_response(self, response: Any) -> bool:
        """Return whether a response is a failure that the caller still gets as a response."""

    def make_response(self, body: bytes) -> Any:
        """Return a response with status 200 and this JSON body, or None if the client's class cannot be built."""

    @property
    def discard(self) -> Callable[[Any], Any]:
        """The function that closes a response before a retry; async if the client is."""


class CompiledCalls:
    """The compiled calls of one client, at most 1,024. Safe across threads and tasks."""

    def __init__(self, adapter: HttpAdapter, rules: OperationRules) -> None:
        """Prepare the calls of a client under these rules.

        Raises:
            TypeError: the rules have an outbox, which stores arguments, and headers and URLs may hold credentials; or
                one of them could never take effect.
        """
        if rules.outbox is not None:
            raise TypeError("an outbox cannot store the calls of a plain HTTP client: wrap the client that signs them")
        rules.check_key_factories()
        rules.check_request_globs()
        rules.check_reconcilers(asynchronous=adapter.asynchronous)
        self._adapter = adapter
        self._rules = rules
        self._warned: set[str] = set()
        self._paths = PathTemplates(getattr(adapter, "url_of", url_in))
        self._compiled: BoundedDict[tuple[Any, ...], Callable[..., Any]] = BoundedDict(MAX_COMPILED)

    def for_request(self, method: str, url: str, *, send_once: bool = False) -> Callable[..., Any]:
        """Return the compiled call for a request. Set `send_once` if its body cannot be replayed."""
        method = method.upper()
        host, path = _host_and_path(url)
        # Paths hold ids. They are part of the route only if a rule matches paths, else the calls would never be reused.
        is_hop = method not in _READS and is_next_hop(url)
        route = (method, host, send_once, path if self._rules.by_path else "", is_hop)
        compiled = self._compiled.get(route)
        if compiled is None:
            compiled = recompiled(
                lambda: self._compile(method, host, path, send_once, is_hop=is_hop),
                asynchronous=self._adapter.asynchronous,
            )
            self._compiled[route] = compiled
        return compiled

    def _compile(self, method: str, host: str, path: str, send_once: bool, *, is_hop: bool) -> Callable[..., Any]:
        adapter = self._adapter
        pipeline, info = self._rules.resolve(self._describe(method, host, path, send_once or is_hop))
        if pipeline.policy.cache is not None:
            self._warn_of_cache(pipeline.policy.name)
        has_key = not info.read and (info.key or info.reconcile)
        header = (info.key or KEY_HEADER) if has_key else None
        options = AttemptOptions(
            info.operation,
            _body_reader(pipeline, header, info),
            header,
            pipeline.policy.attempt_header,
            is_write=not info.read,
            is_idempotent=bool(info.idempotent),
            can_look_up=info.reconcile is not None,
            follows_redirects=pipeline.policy.follow_redirects,
            warned=self._warned,
        )
        lookup = None if info.reconcile is None else _returning_responses(adapter, info.reconcile)
        info = replace(info, key="idempotency_key" if header else None, reconcile=lookup)
        attempt = without_credentials(adapter.compile_attempt(options), asynchronous=adapter.asynchronous)
        compiled: Callable[..., Any] = pipeline.compile(_as_hop(attempt, adapter) if is_hop else attempt, info)
        if header is None:
            return compiled

        def call(*args: Any, **kwargs: Any) -> Any:
            return compiled(*args, idempotency_key=adapter.caller_key(header, args, kwargs), **kwargs)

        return call

    def _warn_of_cache(self, policy: str) -> None:
        """Warn once that responses are not kept: they have a connection, and a body that is read once."""
        if "cache" in self._warned:
            return
        self._warned.add("cache")
        message = (
            f"policy {policy!r}: the cache keeps no HTTP responses; put it on the function that returns their data"
        )
        try:
            warnings.warn(message, stacklevel=2)
        except UserWarning:
            pass  # a filter turns warnings into errors: the request must not fail by it

    def _describe(self, method: str, host: str, path: str, send_once: bool) -> OperationInfo:
        adapter = self._adapter
        return OperationInfo(
            operation=self._rules.name(method, path),
            idempotent=method in _IDEMPOTENT,
            read=method in _READS,
            host=host,
            rejection_types=adapter.rejection_types,
            send_once=send_once,
            is_error_response=adapter.is_error_response,
            discard=adapter.discard,
            path=self._paths.of_call,
        )


def _as_hop(attempt: Callable[..., Any], adapter: HttpAdapter) -> Callable[..., Any]:
    """Return an attempt that follows a redirect: its failure says nothing about the server that redirected."""

    def hop(*args: Any, **kwargs: Any) -> Routine[Any]:
        try:
            response = yield Invocation(attempt, args, kwargs)
        except Exception as error:
            mark_uncertain(error)
            raise
        if adapter.is_error_response(response):
            mark_uncertain(response)
        return response

    return routine_function(hop, asynchronous=adapter.asynchronous)


def _host_and_path(url: str) -> tuple[str, str]:
    """Return (host, path), both empty if the URL is invalid: the client itself will raise its own error for it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return parts.netloc.rpartition("@")[2], parts.path


def _body_reader(pipeline: Any, header: str | None, info: OperationInfo) -> Callable[[], bool]:
    # A write that can be looked up always has its body read: if the body breaks off, a lookup settles the write.
    can_look_up = header is not None and info.reconcile is not None

    def reads_body() -> bool:
        # Not computed in advance: `enveloped` loads the code tables, which a call without a response does not need.
        return can_look_up or (pipeline.policy.classify_results and pipeline.classifier.enveloped)

    return reads_body


def _returning_responses(adapter: HttpAdapter, reconcile: Callable[..., Any]) -> Callable[..., Any]:
    """Return a reconciler that turns plain data into a response with that data as its body."""

    def to_response(result: Any) -> Any:
        if not isinstance(result, Found) or not isinstance(result.value, (dict, list)):
            return result
        response = adapter.make_response(json.dumps(result.value).encode())
        return result if response is None else replace(result, value=response)

    if adapter.asynchronous:

        @wraps(reconcile, updated=())  # the event of a broken lookup names the user's function
        async def reconcile_async(call: Any) -> Any:
            answer = reconcile(call)
            return to_response(await answer if hasattr(answer, "__await__") else answer)

        return reconcile_async

    @wraps(reconcile, updated=())
    def reconcile_sync(call: Any) -> Any:
        return to_response(reconcile(call))

    return reconcile_sync
