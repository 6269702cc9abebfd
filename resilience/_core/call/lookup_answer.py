"""Defines what a lookup may return or raise, and recognises an answer that is none."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

from ..classify.error_chain import is_program_error

__all__ = [
    "NOT_FOUND",
    "Found",
    "InconclusiveLookupError",
    "NotFound",
    "OtherOrderError",
    "answer_error",
    "is_broken_lookup",
]

_MAX_SECONDS = 1e11  # the year 5138 in seconds, 1973 in milliseconds


@dataclass(frozen=True, slots=True)
class Found:
    """The answer of a reconciler that has found the write: it happened.

    Attributes:
        value: the result in the shape that the write returns.
        created_at: the server's creation time, Unix seconds, or None when the answer has none.
        matches: False when the fields found are not those of this call: the key belongs to another order.
        server_time: the server's time of this answer, Unix seconds, or None.
    """

    value: Any
    created_at: float | None = None
    matches: bool = True
    server_time: float | None = None


@dataclass(frozen=True, slots=True)
class NotFound:
    """The server does not know the key at `server_time` (Unix seconds, its own clock), or at an unknown time.

    Use the instance `NOT_FOUND`, or `NOT_FOUND(server_time=…)` where the answer has the time.

    Attributes:
        server_time: the server's time of this answer, Unix seconds, or None.
        retention: for how many seconds after the first stamp such an answer says anything; the server may have
            forgotten an older order.
    """

    server_time: float | None = None
    retention: float = inf

    def __call__(self, server_time: float | None = None) -> NotFound:
        """Return the same answer with the server's time of it."""
        return NotFound(server_time)


NOT_FOUND = NotFound()
"""The server does not have the key. `NOT_FOUND(server_time=…)` adds the server's time of the answer, Unix seconds."""


class InconclusiveLookupError(Exception):
    """A lookup got an answer that says neither "found" nor "not found": the write is looked up again."""


class OtherOrderError(InconclusiveLookupError):
    """A lookup returned an order with another client id than the one it was asked for."""


def is_broken_lookup(answer: object) -> bool:
    """Return whether a reconciler raised an error of the program, which it would raise again.

    Bytes that are not text came from the server, so an error of decoding is none of the program. A coroutine turns
    the `StopIteration` of a `next()` that found nothing into a `RuntimeError`.
    """
    if type(answer) is RuntimeError and isinstance(answer.__cause__, (StopIteration, StopAsyncIteration)):
        return True
    return is_program_error(answer) and not isinstance(answer, UnicodeError)


def answer_error(answer: object) -> TypeError | None:
    """Return what is wrong with a reconciler's answer, or None: milliseconds would be past every fence."""
    if not isinstance(answer, (Found, NotFound)):
        return TypeError(f"reconcile must return Found(...) or NOT_FOUND, not {type(answer).__name__}")
    times = (answer.server_time, answer.created_at if isinstance(answer, Found) else None)
    if all(time is None or (isinstance(time, (int, float)) and abs(time) < _MAX_SECONDS) for time in times):
        return None
    return TypeError("reconcile must return server_time and created_at as Unix seconds")
