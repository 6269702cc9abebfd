"""Provides `HttpClientSupport`: what a class says about an HTTP client, so that its requests run under a policy.

Derive a class in one file, and name it in the entry-point group `resilience.clients`: then `wrap(client)` finds it. All
else is the same for every client: keys are checked in the finished request, redirects of writes are not followed, an
answer that proves nothing leaves a write open, lookups settle it, and each attempt has one record.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from inspect import iscoroutinefunction
from typing import Any, ClassVar

from .._core.policy.policy import Policy
from .._entry.configured import new_rules
from .._entry.operation_rules import OperationRules
from .._entry.policies import Policies
from ._http_attempt import ClientRequest, HttpAttempt
from ._supported_calls import wrap_supported

__all__ = ["ClientRequest", "HttpAttempt", "HttpClientSupport"]


class HttpClientSupport:
    """Says how one HTTP client library works. Each wrapped client has one instance; safe across threads and tasks.

    A wrapped client is of a class derived from the client's own, and shares its `__dict__`. Everything that calls
    `request_method` in the end runs under the policy. `arguments` are always those of a method, by their names.

    Attributes:
        asynchronous: whether `request_method` is awaited.
        error_base: the base class of the library's errors. A rejection inherits from it too, so that the caller's
            `except` catches it.
        response_type: the class of the library's responses. Its instances must take new attributes.
        request_method: the name of the method in which every request of a caller ends. Each attempt calls it anew, so
            what it signs is signed anew.
        send_method: the name of the method that `request_method` calls with each finished request, also to follow a
            redirect. The same name as `request_method` if that calls itself for a redirect.
        client: the client that was wrapped.
    """

    asynchronous: ClassVar[bool] = False
    error_base: ClassVar[type[Exception]] = OSError
    response_type: ClassVar[type] = object
    request_method: ClassVar[str] = "request"
    send_method: ClassVar[str] = "request"

    has_sent = False
    """Set to True when `send_method` was called: only then does its absence prove that nothing has left."""

    def __init__(self, client: Any) -> None:
        self.client = client

    @classmethod
    def wrap(cls, client: Any, rules: OperationRules) -> Any:
        """Return a client of the same class with every request under a policy. `resilience.wrap` calls this.

        Raises:
            TypeError: the client has no `__dict__`, this class lacks something, or the rules cannot take effect.
        """
        _check(cls, client)
        return wrap_supported(cls, client, rules)

    @classmethod
    def wrap_client(
        cls,
        client: Any,
        policy: str | Policy = "default",
        *,
        operations: Mapping[str, Any] | None = None,
        policies: Policies | None = None,
    ) -> Any:
        """Wrap a client without an entry point; arguments as for `resilience.wrap`."""
        return cls.wrap(client, new_rules(policy, operations, policies))

    # --- how a request is read and sent ---------------------------------------------------------

    def read_request(self, arguments: Mapping[str, Any]) -> ClientRequest:
        """Return the request of a caller, from the arguments of `request_method`."""
        raise NotImplementedError

    def read_finished(self, arguments: Mapping[str, Any]) -> ClientRequest:
        """Return a finished request, from the arguments of `send_method`. The key is searched in it."""
        return self.read_request(arguments)

    def set_attempt(self, arguments: dict[str, Any], attempt: HttpAttempt) -> None:
        """Change the arguments of `request_method` to those of an attempt: headers, time limit, redirects, no retries.

        The mapping is the attempt's own; do not change the objects in it.
        """
        raise NotImplementedError

    def send(self, request: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
        """Make one attempt: call the client's own `request_method`; what an async client returns is awaited later."""
        return request(**arguments)

    # --- how an answer is read ------------------------------------------------------------------

    def status(self, response: Any) -> int:
        """Return the status of a response."""
        return int(response.status)

    def headers(self, response: Any) -> Any:
        """Return the headers of a response, a mapping or pairs."""
        return response.headers

    def read_body(self, response: Any) -> tuple[Any, bytes] | Awaitable[tuple[Any, bytes]]:
        """Read the body, and return the response and the body; a copy of the response if reading has consumed it.

        Called within the attempt, because the body may decide its outcome. The body is returned decoded.
        """
        raise NotImplementedError

    def close(self, response: Any) -> Any:
        """Close a response that nobody will read."""
        return response.close()

    def discard_connection(self, response: Any) -> Any:
        """Close the connection of an unreadable answer, because the rest of the answer may still arrive."""
        return self.close(response)

    def was_redirected(self, response: Any) -> bool:
        """Return whether the client has followed a redirect to this response. Only if `send_method` cannot tell."""
        return False

    def make_response(self, body: bytes) -> Any:
        """Return a response with status 200 and this JSON body, for a lookup; None to give the caller plain data."""
        return None

    # --- how an error is read -------------------------------------------------------------------

    def error_code(self, error: Exception) -> str | None:
        """Return the code in `http.yaml` that says what an error is, such as `connect_timeout` or `read_timeout`.

        None leaves the error to the code tables, which know the errors of Python and of many libraries. Return the code
        of an error before sending only if nothing can have been sent: the write then counts as not executed.
        """
        return None


_NEEDED = ("response_type", "read_request", "set_attempt", "read_body")


def _check(support: type[HttpClientSupport], client: Any) -> None:
    """Refuse a class that lacks something, or does not fit the client, before a request would find out."""
    if not hasattr(client, "__dict__"):
        raise TypeError(f"{type(client).__name__} cannot be wrapped by {support.__name__}: it has no __dict__")
    missing = [name for name in _NEEDED if getattr(support, name) is getattr(HttpClientSupport, name)]
    if missing:
        raise TypeError(f"{support.__name__} does not define {', '.join(missing)}")
    for attribute in ("request_method", "send_method"):
        name = getattr(support, attribute)
        method = getattr(type(client), name, None)
        if not callable(method):
            raise TypeError(f"{type(client).__name__} has no method {name!r}; change {support.__name__}.{attribute}")
        if iscoroutinefunction(method) and not support.asynchronous:
            raise TypeError(f"{type(client).__name__}.{name}() is async; set {support.__name__}.asynchronous = True")
