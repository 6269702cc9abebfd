"""What passes between a recovery and its driver: the call, and the next step."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple

from ..classify.failure import Failure

__all__ = ["Action", "Call", "Step"]


class Action(Enum):
    """What the driver does next."""

    WAIT = "sleep, then report `waited`"
    PARK = "wait for at most these seconds to be woken, then ask the door again"
    SEND = "ask `begin`, send, report `failed` or `recovered`"
    LOOK_UP = "ask the reconciler, report `looked` or `missed`"
    RETURN = "return the value"
    RAISE = "raise the error"


class Step(NamedTuple):
    """An action with its seconds, value or error."""

    action: Action
    value: Any = None


class Call:
    """What a reconciler is told of the call in doubt.

    Attributes:
        operation: the operation's name.
        args: positional arguments of the call.
        kwargs: keyword arguments, the key in its place.
        key: the idempotency key, or None.
        attempt: number of attempts so far.
        failure: the last `Failure`.
        sent_at: stamp of the first attempt, Unix seconds.
    """

    __slots__ = ("args", "attempt", "failure", "key", "kwargs", "operation", "sent_at")

    def __init__(self, operation: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], key: str | None) -> None:
        self.operation = operation
        self.args = args
        self.kwargs = kwargs
        self.key = key
        self.attempt = 0
        self.failure: Failure | None = None
        self.sent_at: float | None = None
