"""Keeps what an engine has beside the original exchange's state, and checks each request and each response.

Nothing of ccxt is imported: the integration passes its error classes.
"""

from __future__ import annotations

import json
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
from .limit_marks import mark_wait
from .method_names import may_write, places_orders
from .nonce_clock import NonceClock
from .requests_sent import ATTEMPT, REQUEST, SentRequest, is_set_up_under_way, set_attribute

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

    def record_failure(self, request: SentRequest, error: Exception) -> bool:
        """Set URL, status and headers of the response on an error; return whether to request the exchange's time."""
        request.outcome = "failed"
        set_attribute(error, "resilience_url", request.url)
        if request.writes:
            request.error = error
        if request.status is None:
            return False
        self._add_answer(request, request.text)
        set_attribute(error, "http_status", request.status)
        set_attribute(error, "headers", request.headers)
        if self.support is not None:
            # ccxt leaves the code out of the texts of some errors; an exchange's own code is in its answer.
            if isinstance(request.text, str) and request.text.startswith("{"):
                set_attribute(error, "resilience_body", request.text)
            mark_wait(self.support, request, error)
            ask = self.support.learn_rejection(request.text, request.sent_at)
        else:
            ask = isinstance(error, self.errors.stamp) and self.clock.can_correct(self.original)
        # The request for the time counts as a read. If that one is rejected, it is not sent again.
        return ask and not is_set_up_under_way()

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

    def check_response(self, engine: Any, url: str, request: SentRequest, response: Any) -> Any:
        """Return the response, unless its body says that it is not a success.

        Raises:
            Exception: `errors.unreadable` or `errors.partial`, with the response as `body`.
        """
        problem = self._unusable(request, response)
        if problem is not None:
            error = self.errors.unreadable(f"{engine.id} {request.method} {url}: {problem}")
            self._reject(request, error, response, executed="maybe")
            raise error
        if request.path is None:
            request.outcome = "accepted"
            return response
        support = self.support
        self._add_answer(request, response)
        found = None if support is None else support.problem(request, response)
        if found is None:
            request.outcome = "accepted"
            return response
        kind, reason = found
        body = json.dumps(response, default=str) if kind == "partial" else f"{request.method} {url}: {reason}"
        error = (self.errors.partial if kind == "partial" else self.errors.unreadable)(f"{engine.id} {body}")
        # A list is the answer to a batch, of which some items may have been placed.
        self._reject(request, error, response, executed="maybe" if isinstance(response, list) else None)
        raise error

    def _add_answer(self, request: SentRequest, answer: Any) -> None:
        batch = BATCH.get()
        if batch is not None and request.writes:
            batch.add_answer(request, answer)

    def _unusable(self, request: SentRequest, response: Any) -> str | None:
        """Return why a response without an error status is none to this request, or None."""
        status, attempt = request.status or 200, ATTEMPT.get()
        if status < 200:
            return f"status {status} is no answer"
        if request.writes and attempt is not None:
            if 300 <= status < 400:
                return f"status {status}: a redirect of a write is not followed"
            if response in (None, "") and places_orders(attempt.operation):
                return "the response is empty"
        # ccxt returns a body that it cannot parse as a string.
        if request.path is not None and isinstance(response, str) and response.lstrip()[:1] in ("{", "[", "<"):
            return "the response cannot be read"
        return None

    def _reject(self, request: SentRequest, error: Exception, response: Any, executed: str | None = None) -> None:
        """Record that a request failed by its response."""
        request.outcome = "failed"
        if request.writes:
            request.error = error
        if self.support is not None:
            mark_wait(self.support, request, error)
        set_attribute(error, "body", response)
        set_attribute(error, "resilience_url", request.url)
        if executed is not None and request.writes:
            set_attribute(error, "resilience_executed", executed)
