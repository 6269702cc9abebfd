"""What one attempt of an exchange's call has sent so far, and the HTTP request that is under way in it.

A unified call of ccxt may first load markets or ask for the account's settings. As long as nothing
but such reads was sent in an attempt, nothing can have happened by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["ATTEMPT", "REQUEST", "Attempt", "Request", "leave", "reading"]


class Attempt:
    """One attempt. Used by one thread or task and what that starts."""

    __slots__ = ("reading", "sent")

    def __init__(self) -> None:
        self.reading = 0
        self.sent = False

    def sends(self, *, reads: bool) -> None:
        """A request is about to leave; `reads` says that it changes nothing."""
        if not reads and not self.reading:
            self.sent = True

    def ended(self, error: Exception) -> None:
        """The attempt failed: where only reads were sent, the error says that nothing happened."""
        if not self.sent:
            leave(error, "resilience_executed", "no")


class Request:
    """One HTTP request and what came back for it."""

    __slots__ = ("began", "headers", "method", "path", "status", "text")

    def __init__(self, method: str, path: str | None) -> None:
        self.method = method
        self.path = path
        self.began = 0.0
        self.status: int | None = None
        self.headers: Mapping[str, Any] = {}
        self.text = ""


def leave(error: Exception, name: str, value: Any) -> None:
    """Put an attribute on an error; one that refuses is left alone."""
    try:
        setattr(error, name, value)
    except (AttributeError, TypeError):
        pass


ATTEMPT: ContextVar[Attempt | None] = ContextVar("resilience_ccxt_attempt", default=None)
REQUEST: ContextVar[Request | None] = ContextVar("resilience_ccxt_request", default=None)


@contextmanager
def reading() -> Iterator[None]:
    """Let what is sent meanwhile count as reads."""
    attempt = ATTEMPT.get() or Attempt()
    attempt.reading += 1
    try:
        yield
    finally:
        attempt.reading -= 1
