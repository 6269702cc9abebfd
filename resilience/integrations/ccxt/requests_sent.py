"""Records what one attempt has sent so far, and the HTTP request that is under way in it.

A unified method of ccxt may first load markets or ask for the account's settings. As long as an attempt has sent
nothing but such reads, its write cannot have been executed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["ATTEMPT", "REQUEST", "SentRequest", "SentRequests", "count_as_reads", "record_attempt", "set_attribute"]


class SentRequests:
    """What one attempt has sent. Used by one thread or task and those that it starts."""

    __slots__ = ("nested_reads", "wrote")

    def __init__(self) -> None:
        self.nested_reads = 0
        """How many `count_as_reads` blocks the attempt is in."""
        self.wrote = False

    def record(self, *, reads: bool) -> None:
        """Record a request that is about to be sent; `reads` says that it changes nothing."""
        if not reads and not self.nested_reads:
            self.wrote = True

    def mark_error(self, error: Exception) -> None:
        """Mark the error of the attempt as "not executed" if only reads were sent."""
        if not self.wrote:
            set_attribute(error, "resilience_executed", "no")


class SentRequest:
    """One HTTP request and its response."""

    __slots__ = ("headers", "method", "path", "sent_at", "status", "text")

    def __init__(self, method: str, path: str | None) -> None:
        self.method = method
        self.path = path
        self.sent_at = 0.0  # monotonic
        self.status: int | None = None
        self.headers: Mapping[str, Any] = {}
        self.text = ""


def set_attribute(error: Exception, name: str, value: Any) -> None:
    """Set an attribute of an error, unless its class has no room for one."""
    try:
        setattr(error, name, value)
    except (AttributeError, TypeError):
        pass


# Context variables, because concurrent threads and tasks share one engine.
ATTEMPT: ContextVar[SentRequests | None] = ContextVar("resilience_ccxt_attempt", default=None)
REQUEST: ContextVar[SentRequest | None] = ContextVar("resilience_ccxt_request", default=None)


@contextmanager
def count_as_reads() -> Iterator[None]:
    """Count what is sent inside the block as reads."""
    attempt = ATTEMPT.get() or SentRequests()  # outside an attempt the count is discarded
    attempt.nested_reads += 1
    try:
        yield
    finally:
        attempt.nested_reads -= 1


def record_attempt(method: Callable[..., Any], *, asynchronous: bool) -> Callable[..., Any]:
    """Return the method with each call of it as one attempt, whose requests are recorded."""
    if asynchronous:

        @functools.wraps(method)
        async def send_async(*args: Any, **kwargs: Any) -> Any:
            attempt = SentRequests()
            token = ATTEMPT.set(attempt)
            try:
                return await method(*args, **kwargs)
            except Exception as error:
                attempt.mark_error(error)
                raise
            finally:
                ATTEMPT.reset(token)

        return send_async

    @functools.wraps(method)
    def send(*args: Any, **kwargs: Any) -> Any:
        attempt = SentRequests()
        token = ATTEMPT.set(attempt)
        try:
            return method(*args, **kwargs)
        except Exception as error:
            attempt.mark_error(error)
            raise
        finally:
            ATTEMPT.reset(token)

    return send
