"""Defines the steps that a session asks its supervisor to perform. Connections are identified by their number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from .dialect import Message
from .request import SocketRequest
from .stream_failure import Gap

__all__ = ["Close", "DeliverAnswer", "Emit", "Fetch", "Open", "Prime", "Resync", "Send", "Step", "only_update"]


@dataclass(frozen=True, slots=True)
class Open:
    """Open a connection; report `connection_opened` or `connection_lost`."""

    connection: int


@dataclass(frozen=True, slots=True)
class Send:
    """Send a text frame; skip it if it is a request whose caller no longer waits."""

    connection: int
    text: str
    request: SocketRequest | None = None


@dataclass(frozen=True, slots=True)
class Close:
    """Close a connection, or stop opening it; report nothing more of it. `hard` skips the closing handshake."""

    connection: int
    hard: bool = False


@dataclass(frozen=True, slots=True)
class DeliverAnswer:
    """Hand an answer to the caller of a request; None means that the connection has ended."""

    request: SocketRequest
    message: Message | None


@dataclass(frozen=True, slots=True)
class Resync:
    """Measure the venue's clock; report `clock_measured`."""

    connection: int


@dataclass(frozen=True, slots=True)
class Fetch:
    """Fetch by other means what may have been missed during this gap."""

    gap: Gap


@dataclass(frozen=True, slots=True)
class Prime:
    """Load the current state of these subscriptions: they are live for the first time."""

    args: Sequence[Mapping[str, Any]]


class Emit(NamedTuple):
    """Emit an event; `key` is the subscription of an update, `change` says that it needs those before it."""

    event: str
    value: Any
    key: Any = None
    change: bool = False


def only_update(steps: Sequence[Any]) -> Emit | None:
    """Return the step that emits an update, if it is the only one."""
    if len(steps) == 1 and isinstance(steps[0], Emit) and steps[0].event == "update":
        return steps[0]
    return None


Step = DeliverAnswer | Open | Send | Close | Resync | Fetch | Prime | Emit
