"""What a session asks of its supervisor. Plain records; the numbers are those of connections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .dialect import Message
from .request import Request
from .stream_failure import Gap

__all__ = ["Answer", "Fetch", "Open", "Prime", "Resync", "Send", "Shut", "Step", "Tell"]


@dataclass(frozen=True, slots=True)
class Open:
    """Make a connection; report `opened` or `lost`."""

    link: int


@dataclass(frozen=True, slots=True)
class Send:
    """Send a text frame; one that is a request is asked first whether anybody still waits for it."""

    link: int
    text: str
    request: Request | None = None


@dataclass(frozen=True, slots=True)
class Shut:
    """Close a connection, or stop making it; nothing more of it is reported. A hard one says no goodbye."""

    link: int
    hard: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """Hand an answer to who waits for it; None: the connection is over."""

    request: Request
    message: Message | None


@dataclass(frozen=True, slots=True)
class Resync:
    """Measure the venue's clock; report `resynced`."""

    link: int


@dataclass(frozen=True, slots=True)
class Fetch:
    """Fetch by other means what this gap may have swallowed."""

    gap: Gap


@dataclass(frozen=True, slots=True)
class Prime:
    """Learn what there is already: these subscriptions are live for the first time."""

    args: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell an event; `key` names the subscription of an update."""

    event: str
    value: Any
    key: Any = None


Step = Answer | Open | Send | Shut | Resync | Fetch | Prime | Tell
