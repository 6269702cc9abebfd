"""Records the requests that one attempt has sent: which of them write, and how each ended.

A unified method of ccxt may send several requests: it may first load markets or ask for the account's settings, and
`edit_order` cancels and creates on many exchanges. As long as nothing but reads was sent, the write cannot have been
executed. Once a writing request was accepted, or may have been, the call may have been executed, whatever a later
request was answered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context, ContextVar
from typing import Any, Literal

from ..._core.base.context_variables import reset_variable
from ..._core.call.context import clean_context, current_call
from .._key_on_wire import carries_key

__all__ = [
    "ATTEMPT",
    "REQUEST",
    "SentRequest",
    "SentRequests",
    "context_of_no_attempt",
    "count_as_reads",
    "is_set_up_under_way",
    "set_attribute",
]

Outcome = Literal["under way", "accepted", "failed"]


class SentRequest:
    """One HTTP request, or one message over a socket, and its response.

    Attributes:
        method: its HTTP verb; `WS` for a message.
        path: the template of its path; None for a request that ccxt sends past `fetch2`. A message's operation.
        api: which of the exchange's APIs it belongs to.
        writes: whether it may change something.
        outcome: how it ended.
        error: the error with which it failed, until the attempt has ended.
        keyed: whether the finished request carried the key of the call; None where there is no key.
        takes_key: whether the key of the call belongs into it.
        sent_at: when it was sent, monotonic seconds.
        stamp: with which it was signed, Unix seconds, until that is reported; None where it has none.
        url: where it was sent, without the query.
        wire: URL, headers and body, as they were sent, until the attempt has ended; None where there is no key.
        is_throttled: a message waits for ccxt's own rate limit.
        future: what waits for a message's answer.
    """

    __slots__ = (
        "api", "error", "future", "headers", "is_throttled", "keyed", "method", "outcome", "path", "sent_at", "stamp",
        "status", "takes_key", "text", "url", "wire", "writes",
    )  # fmt: skip

    def __init__(self, method: str, path: str | None, api: object = None) -> None:
        self.method = method
        self.path = path
        self.api = api
        self.writes = True
        self.outcome: Outcome = "under way"
        self.error: BaseException | None = None
        self.keyed: bool | None = None
        self.takes_key = True
        self.wire: tuple[Any, ...] | None = None
        self.sent_at = 0.0
        self.stamp: float | None = None
        self.is_throttled = False
        self.future: Any = None
        self.status: int | None = None
        self.headers: Mapping[str, Any] = {}
        self.text = ""
        self.url = ""

    def check_key(self, url: str, headers: object, body: object, name: str | None) -> None:
        """Record whether the finished request carries the key of the call under way.

        Args:
            url: the request's URL.
            headers: its headers.
            body: its body.
            name: the parameter without which the exchange takes no key, or None where it is not known.
        """
        call = current_call()
        if self.writes and call is not None and call.key is not None:
            self.wire = (url, headers, body)
            named = name is None or carries_key(name, url, headers, body)
            self.keyed = named and carries_key(call.key, url, headers, body)

    def __str__(self) -> str:
        return f"{self.method} {self.path or ''}".rstrip()


class SentRequests:
    """The requests of one attempt. Used by one thread or task and those that it starts.

    Attributes:
        operation: the name of the method that the attempt calls.
        all_write: the user has declared that the method writes, whatever its name and its requests look like.
        is_over: the attempt has ended. What has not left by then must not leave any more.
        writes: the writing requests, in the order in which they were sent.
    """

    __slots__ = ("all_write", "is_over", "operation", "writes")

    def __init__(self, operation: str = "", *, all_write: bool = False) -> None:
        self.operation = operation
        self.all_write = all_write
        self.is_over = False
        self.writes: list[SentRequest] = []

    def record(self, request: SentRequest, *, reads: bool) -> None:
        """Record a request that is about to be sent; `reads` says that it changes nothing."""
        request.writes = not is_set_up_under_way() and (self.all_write or not reads)
        if request.writes:
            self.writes.append(request)

    def mark_error(self, error: Exception) -> str | None:
        """Mark what the requests prove of the attempt's error; return the remedy if a part was accepted.

        "Not executed" if only reads were sent. "May have been executed" if a writing request other than the one that
        failed with this very error was accepted or may have been. Else the error is classified as any other.
        """
        if not self.writes:
            set_attribute(error, "resilience_executed", "no")
            return None
        if all(request.error is error for request in self.writes):
            return None
        set_attribute(error, "resilience_executed", "maybe")
        if len(self.writes) == 1:
            return None
        remedy = self._remedy()
        set_attribute(error, "resilience_remedy", remedy)
        return remedy

    def close(self) -> bool:
        """Drop the errors, which refer to this attempt; return whether the key was missing where it was needed.

        The last writing request counts: the cancel before a new order carries no key.
        """
        self.is_over = True
        for request in self.writes:
            request.error = request.wire = None
        return bool(self.writes) and self.writes[-1].keyed is False

    @property
    def takes_key(self) -> bool:
        """Return whether the key of the call belongs into the last writing request."""
        return not self.writes or self.writes[-1].takes_key

    def has_other_client_id(self, echo: object) -> bool:
        """Return whether the last writing request carried this client id: the key went where nobody reads it."""
        wire = self.writes[-1].wire if self.writes else None
        if not isinstance(echo, str) or not echo or wire is None or not carries_key(echo, *wire):
            return False
        self.writes[-1].keyed = False
        return True

    def _remedy(self) -> str:
        accepted = [str(request) for request in self.writes if request.outcome == "accepted"]
        unknown = [str(request) for request in self.writes if request.outcome != "accepted"]
        verb = "was" if len(accepted) == 1 else "were"
        done = (
            f"{len(accepted)} of {len(self.writes)} writing requests {verb} accepted ({', '.join(accepted) or 'none'})"
        )
        rest = f", the next was not ({', '.join(unknown)})" if unknown else ", and the answer does not show the result"
        return f"{done}{rest}: look at the open orders before doing anything"


def set_attribute(error: Exception, name: str, value: Any) -> None:
    """Set an attribute of an error, unless its class has no room for one."""
    try:
        setattr(error, name, value)
    except (AttributeError, TypeError):
        pass


# Context variables, because concurrent threads and tasks share one engine.
ATTEMPT: ContextVar[SentRequests | None] = ContextVar("resilience_ccxt_attempt", default=None)
REQUEST: ContextVar[SentRequest | None] = ContextVar("resilience_ccxt_request", default=None)
# Not a count on the attempt: a set-up may run on in a task of its own while the attempt already sends its write.
_SET_UP: ContextVar[bool] = ContextVar("resilience_ccxt_set_up", default=False)


def is_set_up_under_way() -> bool:
    """Return whether the requests that are sent here prepare a write and count as reads."""
    return _SET_UP.get()


@contextmanager
def count_as_reads() -> Iterator[None]:
    """Count what is sent inside the block as reads."""
    token = _SET_UP.set(True)
    try:
        yield
    finally:
        reset_variable(_SET_UP, token)


def context_of_no_attempt() -> Context:
    """Return a copy of the present context for what lives longer than an attempt: it belongs to no call."""
    context = clean_context()
    context.run(_forget_attempt)
    return context


def _forget_attempt() -> None:
    ATTEMPT.set(None)
    REQUEST.set(None)
    _SET_UP.set(False)
