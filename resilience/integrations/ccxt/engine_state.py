"""Keeps what an engine has beside the original exchange's state, and prepares, records and reports each request.

Nothing of ccxt is imported: the integration passes its error classes.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ..._core.call.context import current_call
from ...telemetry.redaction import register_secret
from .batch_log import BATCH
from .exchange_facts import KEY_NAMES, STAMP_ERRORS
from .exchange_support import ExchangeSupport, PreparedRequest
from .method_names import may_write
from .nonce_clock import NonceClock
from .requests_sent import ATTEMPT, REQUEST, SentRequest

__all__ = ["EngineState", "ErrorClasses"]

_SECRETS = ("apiKey", "secret", "password", "privateKey", "token", "twofa")


class ErrorClasses(NamedTuple):
    """The error classes of ccxt that an engine raises."""

    unreadable: type[Exception]
    partial: type[Exception]
    timeout: type[Exception]
    rate_limit: type[Exception]
    bad_request: type[Exception]
    stamp: type[Exception]


class EngineState:
    """What an engine has beside the original exchange's state."""

    __slots__ = (
        "clock", "compile_loading", "errors", "loading", "original", "registered", "support", "warned", "without_key",
    )  # fmt: skip

    def __init__(self, original: Any, support: ExchangeSupport | None, errors: ErrorClasses) -> None:
        self.original = original  # a reference that keeps it alive: ccxt's exchanges close their session in `__del__`
        self.support = support
        self.errors = errors
        self.clock = NonceClock()
        self.loading: Any = None  # the task that loads the markets
        self.compile_loading: Callable[..., Any] | None = None  # puts the loading under its policy
        self.warned = False
        self.without_key: set[str] = set()
        self.registered: tuple[Any, ...] = ()

    def _register_credentials(self, engine: Any) -> None:
        credentials = tuple(getattr(engine, name, None) for name in _SECRETS)
        if credentials != self.registered:  # they may be set at any time, and are compared because that is cheap
            self.registered = credentials
            for credential in credentials:
                if isinstance(credential, str):
                    register_secret(credential)

    def prepare(self, engine: Any, request: PreparedRequest) -> Any:
        """Return the parameters to send, and register the exchange's credentials as secrets.

        Raises:
            Exception: `errors.bad_request`, if the parameters must not be sent.
        """
        self._register_credentials(engine)
        if self.support is None:
            return request.params
        try:
            return self.support.prepare(request)
        except ValueError as error:
            raise self.errors.bad_request(f"{engine.id} {error}") from None

    def stamped_params(self, method: str, path: str, params: Any) -> Any:
        """Return the parameters to sign, with the time that the exchange measures its receive window from."""
        return params if self.support is None else self.support.stamped_params(method, path, params)

    def signer(self, engine: Any) -> Any:
        """Return what signs a request: the engine, or a copy of it where options are those of this request alone."""
        options = {} if self.support is None else self.support.signing_options(REQUEST.get())
        if not options:
            return engine
        # The options belong to the user, and to other threads and tasks: they must not change even for a moment.
        copy = object.__new__(type(engine))
        copy.__dict__ = {**engine.__dict__, "options": {**engine.options, **options}}
        copy._resilience = self
        return copy

    def finish(self, signed: Any) -> Any:
        """Return a signed request as it is sent, and report its stamp to the current call before that."""
        call = current_call()
        if self.support is None or call is None or not isinstance(signed, Mapping):
            return signed
        stamp = self.support.stamp_of(signed)
        if stamp is not None:
            batch = BATCH.get()
            request = REQUEST.get()
            if batch is not None:
                batch.add_stamp(request, stamp)
            if request is None:
                call.stamp(stamp)
            else:
                request.stamp = stamp  # reported by `fetch`, which can await that an outbox has stored it
        return self.support.finish(REQUEST.get(), signed)

    def refuses_stamp(self, body: str) -> bool:
        """Return whether an answer refuses a stamp by another word than ccxt knows."""
        text = STAMP_ERRORS.get(self.original.id)
        if text is not None and text in body:
            return True
        return self.support is not None and self.support.refuses_stamp(body)

    @staticmethod
    def record_stamp() -> Any:
        """Report the stamp of the request that is about to be sent; return what an async engine awaits, or None."""
        request, call = REQUEST.get(), current_call()
        if request is None or request.stamp is None or call is None:
            return None
        stamp, request.stamp = request.stamp, None
        return call.record_stamp(stamp)

    def begin_request(self, engine: Any, url: str, method: str, headers: Any, body: Any) -> SentRequest:
        """Record that a request is about to be sent.

        Raises:
            Exception: `errors.timeout`, if the attempt has no time left.
        """
        call, attempt = current_call(), ATTEMPT.get()
        if call is not None and call.timeout == 0:
            raise self.errors.timeout(f"{engine.id} {method} {url}")
        request = REQUEST.get() or SentRequest(method, None)
        if attempt is not None:
            reads_by_get = self.support is not None and self.support.reads_by_get
            path = urlsplit(url).path if request.path is None else request.path
            attempt.record(request, reads=not may_write(method, path, request.api, reads_by_get=reads_by_get))
            self.report_request(request, url, headers, body)
        request.sent_at, request.url = time.monotonic(), url.partition("?")[0]
        return request

    def report_request(self, request: SentRequest, url: str, headers: Any, body: Any) -> None:
        """Report to the current call what a finished request says: whether it carries the key, and its bounds."""
        support, call = self.support, current_call()
        if support is None or support.has_key(request):
            request.check_key(url, headers, body, KEY_NAMES.get(self.original.id))
        if support is None or call is None or not request.writes:
            return
        if call.key is not None and not support.has_key(request):
            request.takes_key = False
            call.report_key_unused()
        fence, batch = support.fence_of(request, url, headers, body), BATCH.get()
        if fence is not None:
            call.report_fence(fence)
        if batch is not None:
            batch.add_request(request, (url, headers, body), fence)

    def finish_message(self, request: SentRequest, message: Any) -> None:
        """Add to a message over a socket what lets it expire, and report its stamp and its bounds."""
        support, call = self.support, current_call()
        if support is None or call is None or not isinstance(message, dict):
            return
        stamp = support.finish_message(request, message)
        fence = support.fence_of(request, "", None, message)
        if call.key is not None and not support.has_key(request):
            request.takes_key = False
            call.report_key_unused()
        if stamp is not None:
            call.stamp(stamp)
        if fence is not None:
            call.report_fence(fence)

    def learn_time(self, milliseconds: Any, sent_at: float) -> None:
        """Learn the exchange's time; `sent_at` is the monotonic time of the request that it was asked by."""
        if not milliseconds:
            return
        if self.support is not None:
            self.support.learn_time(milliseconds, sent_at)
        else:
            self.clock.learn(self.original, float(milliseconds), sent_at)

    def warn_key_missing(self, operation: str) -> None:
        """Warn, once per operation, that ccxt has sent a request without the key that the call was given."""
        if operation in self.without_key:
            return
        self.without_key.add(operation)
        name = self.original.id
        known = KEY_NAMES.get(name)
        carrier = f"params.{known}" if known else "the parameter that this exchange sends, by its name in `params`"
        message = (
            f"{name} {operation} was sent without its client order id, so it cannot be looked up by it. "
            f"What would carry it: {carrier}"
        )
        try:
            warnings.warn(message, stacklevel=2)
        except Exception:
            pass  # a filter turns warnings into errors: that must not replace the answer to an order
