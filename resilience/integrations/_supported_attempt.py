"""Makes one attempt of a client that a class derived from `HttpClientSupport` describes, and judges its outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from .._core.base.context_variables import reset_variable
from .._core.base.routine import Invocation, Routine
from ._attempt_options import AttemptOptions
from ._http_attempt import HttpAttempt
from ._http_messages import find_header, is_json, mark_not_sent, mark_unbuilt, mark_uncertain
from ._rate_limit_headers import report_rate_limits, wait_is_in_body
from ._time_limits import remaining_time

if TYPE_CHECKING:
    from .http import HttpClientSupport

__all__ = ["SupportedAttempt", "attempt_under_way"]

_ATTEMPT: ContextVar[Any] = ContextVar("resilience_http_attempt", default=None)
"""The attempt under way. A client calls its `send_method` inside its `request_method`, and for every redirect."""


def attempt_under_way(client: Any) -> SupportedAttempt | None:
    """Return the attempt that this client makes in this thread or task, or None."""
    attempt: SupportedAttempt | None = _ATTEMPT.get()
    return attempt if attempt is not None and attempt.client is client else None


class SupportedAttempt:
    """One attempt. Every request after its first follows a redirect: an error there is uncertain.

    Attributes:
        client: the wrapped client.
    """

    __slots__ = ("_is_answered", "_key", "_options", "_sent", "_support", "client")

    def __init__(self, support: HttpClientSupport, client: Any, options: AttemptOptions, key: str | None) -> None:
        self.client = client
        self._support = support
        self._options = options
        self._key = key
        self._sent = 0  # finished requests
        self._is_answered = False

    def run(self, request: Callable[..., Any], arguments: dict[str, Any]) -> Routine[Any]:
        """Make the attempt by the client's own method with these arguments, and return the judged response."""
        support = self._support
        self._prepare(arguments)
        token = _ATTEMPT.set(self)
        try:
            if support.request_method == support.send_method:
                self._begin(arguments)
            response = yield Invocation(support.send, (request, arguments))
            if self._sent == 0:  # `send_method` is not what its class says: nothing is known of the finished request
                self._options.check_key(self._key, "", None, None)
            return (yield from self._judge(response))
        except Exception as error:
            self._mark(error)
            raise
        finally:
            reset_variable(_ATTEMPT, token)

    def sending(
        self, send: Callable[..., Any], named: Mapping[str, Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Routine[Any]:
        """Send one finished request of the attempt, with these arguments, which `named` has by their names."""
        self._begin(named)
        try:
            response = yield Invocation(send, args, kwargs)
            self._is_answered = True
            return response
        except Exception as error:
            if self._sent > 1:
                mark_uncertain(error)
            raise

    def _prepare(self, arguments: dict[str, Any]) -> None:
        options, support = self._options, self._support
        limits = remaining_time(asynchronous=support.asynchronous)
        try:
            support.set_attempt(arguments, HttpAttempt(options.headers(self._key), not options.stays_here, limits))
        except Exception as error:
            mark_not_sent(error)
            raise

    def _begin(self, arguments: Mapping[str, Any]) -> None:
        self._sent += 1
        self._support.has_sent = True
        if self._sent == 1 and self._key is not None:
            request = self._support.read_finished(arguments)
            self._options.check_key(self._key, request.url, request.headers, request.body)

    def _judge(self, response: Any) -> Routine[Any]:
        """Return the response, marked if it does not prove that a write succeeded."""
        support, options = self._support, self._options
        status, headers = support.status(response), support.headers(response)
        report_rate_limits(response, headers)
        # For the classifier, which knows the attributes of few clients.
        response.resilience_status, response.resilience_headers = status, headers
        if self._sent > 1 or support.was_redirected(response):
            mark_uncertain(response)  # the server that redirected may have executed it
        if options.mark_status(response, status):
            return response
        is_judged = options.judges_body(status, self._key)
        if is_judged or self._reads_body(status, headers):
            response, body = yield from self._read(response)
            if is_judged and options.mark_answer(response, status, headers, body, self._key):
                yield Invocation(support.discard_connection, (response,))
        return response

    def _read(self, response: Any) -> Routine[tuple[Any, bytes]]:
        """Return the response with its body, which the caller can still read, and the body."""
        try:
            whole, body = yield Invocation(self._support.read_body, (response,))
        except Exception as error:
            mark_uncertain(error)
            raise
        if whole is not response:  # its marks are those of the answer
            vars(whole).update({name: value for name, value in vars(response).items() if "resilience" in name})
        whole.resilience_body = body
        return whole, body

    def _reads_body(self, status: int, headers: Any) -> bool:
        if not is_json(find_header(headers, "Content-Type")):
            return False
        names = [name for name, _ in headers.items()] if hasattr(headers, "items") else [name for name, _ in headers]
        return self._options.reads_body() or wait_is_in_body(status, names)

    def _mark(self, error: Exception) -> None:
        """Mark the error of an attempt: its row, and whether anything was sent where that is known."""
        support = self._support
        if self._sent == 0 and support.has_sent:
            mark_unbuilt(error, support.error_base)
        elif self._is_answered and getattr(error, "response", None) is None:
            mark_uncertain(error)  # a hook may raise anything once the answer is there
        code = support.error_code(error)
        if code is not None:
            try:
                error.resilience_code = code  # type: ignore[attr-defined]
            except AttributeError:  # an error with slots cannot be marked
                pass
