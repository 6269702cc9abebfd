"""Defines what a recovery or a gate passes to its driver: the next step, and the call as a reconciler gets it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple

from ..classify.failure import Failure

__all__ = ["Action", "FailedCall", "Step"]


class Action(Enum):
    """What the driver does next."""

    WAIT = "sleep for these seconds, then call `after_wait`, or `next_step` of a gate"
    PARK = "wait to be woken, at most for these seconds, then call `next_step` of the gate again"
    SEND = "call `begin_attempt`, send, then call `on_failure` or `on_success`"
    LOOK_UP = "call the reconciler, then `on_lookup`"
    RETURN = "return the value"
    RAISE = "raise the error"


class Step(NamedTuple):
    """An action with its seconds, value or error."""

    action: Action
    value: Any = None


class FailedCall:
    """A call whose attempt failed, as a reconciler and the function of a fallback get it.

    Attributes:
        operation: the operation's name.
        args: positional arguments of the call.
        kwargs: keyword arguments, with the key.
        key: the idempotency key, or None.
        attempt: number of attempts so far.
        failure: the last `Failure`.
        sent_at: stamp of the first attempt, Unix seconds.
        began: when it began, monotonic seconds; None where its first attempt did not have to wait.
    """

    __slots__ = ("args", "attempt", "began", "failure", "key", "kwargs", "operation", "sent_at")

    def __init__(self, operation: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], key: str | None) -> None:
        self.operation = operation
        self.args = args
        self.kwargs = kwargs
        self.key = key
        self.attempt = 0
        self.began: float | None = None
        self.failure: Failure | None = None
        self.sent_at: float | None = None
