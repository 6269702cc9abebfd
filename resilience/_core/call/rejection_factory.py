"""The refusals of one operation: an open breaker refuses at a price of next to nothing.

The first of a kind is constructed, with the client's own error base where there is one; every later
one is a copy of it with its own times. Each caller gets an object of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import Any

from ...errors import RejectedError
from ..base.clock import Clock

__all__ = ["RejectionFactory"]

_First = tuple[Callable[..., Any], type, tuple[Any, ...], dict[str, Any]]
"""What makes one, of which class, with which arguments and fields."""


class RejectionFactory:
    """Makes the refusals of one operation. Safe across threads: whichever came first, it is the same."""

    __slots__ = ("_first", "_kinds", "_monotonic", "_operation", "_policy", "_time")

    def __init__(self, kinds: Mapping[type, type], policy: str, operation: str, clock: Clock) -> None:
        """Make them for an operation of a policy; `kinds` maps ours to those that inherit the client's base."""
        self._kinds = kinds
        self._policy = policy
        self._operation = operation
        self._monotonic, self._time = clock.monotonic, clock.time
        self._first: dict[str, _First] = {}

    def make(self, kind: type, message: str, retry_at: float = inf, now: float | None = None) -> RejectedError:
        """Return a refusal.

        Args:
            kind: one of our errors.
            message: why, in words; each is said by one kind alone.
            retry_at: monotonic instant from which asking again makes sense; inf when nobody knows.
            now: the present instant, where it was read already.
        """
        new, refused, args, fields = self._first.get(message) or self._made(kind, message)
        made: RejectedError = new(refused, *args)
        fields = fields.copy()
        if retry_at != inf:
            wait = retry_at - (self._monotonic() if now is None else now)
            fields["retry_after"] = wait = wait if wait > 0 else 0.0
            fields["retry_at"] = self._time() + wait
        made.__dict__ = fields
        return made

    def _made(self, kind: type, message: str) -> _First:
        refused = self._kinds.get(kind, kind)
        made = refused(f"{self._operation}: {message}", policy=self._policy, operation=self._operation)
        new = refused.__new__ if not issubclass(refused, OSError) else _with_args
        first = self._first[message] = new, refused, made.args, made.__dict__
        return first


def _with_args(kind: type[RejectedError], *args: Any) -> RejectedError:
    """Make an `OSError`, which leaves its arguments to the constructor."""
    made = kind.__new__(kind, *args)
    made.args = args
    return made
