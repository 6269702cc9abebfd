"""What a stream needs to know of a venue: how frames are written, and what a frame that came means."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

__all__ = ["Arg", "Dialect", "Kind", "Message", "batched"]

Arg = Mapping[str, Any]
"""What one subscription asks for, as the venue writes it."""


class Kind(Enum):
    """What a frame is."""

    DATA = "an update of a subscription"
    ACK = "a subscription was taken or given up"
    LOGIN = "the login was accepted"
    PONG = "the answer to a ping"
    ERROR = "something was refused"
    TRADE = "the answer to a request, by its id"
    OTHER = "anything else"


@dataclass(frozen=True, slots=True)
class Message:
    """A frame, read.

    Attributes:
        kind: what it is.
        body: the frame as it was parsed.
        id: the subscription that it speaks of, or None.
        op: the operation that it answers (`subscribe`, `unsubscribe`, `login`), or empty.
        code: the venue's code of an error.
        text: the venue's own words.
        request: the id of the request that it answers.
        seq: its number within the subscription, where updates are numbered.
        after: the number of the one before it.
        snapshot: it holds the whole state, not a change.
    """

    kind: Kind
    body: Mapping[str, Any] = field(default_factory=dict)
    id: Hashable = None
    op: str = ""
    code: str = ""
    text: str = ""
    request: str | None = None
    seq: int | None = None
    after: int | None = None
    snapshot: bool = False


class Dialect(Protocol):
    """How one venue's sockets talk. Holds no state of a connection: shared by all of a client's."""

    @property
    def ping(self) -> str:
        """The frame that asks for life."""

    def login(self, at: float) -> str:
        """Return the login frame, stamped with this Unix time of the venue."""

    def subscribe(self, args: Sequence[Arg]) -> str:
        """Return the frame that asks for these subscriptions."""

    def unsubscribe(self, args: Sequence[Arg]) -> str:
        """Return the frame that gives these subscriptions up."""

    def id(self, arg: Arg) -> Hashable:
        """Return what tells a subscription from others, from what was asked or from what the venue echoes."""

    def read(self, frame: str | bytes) -> Message:
        """Say what a frame means.

        Raises:
            ValueError: it is no frame of this venue.
        """


def batched(args: Sequence[Arg], write: Callable[[Sequence[Arg]], str], limit: int) -> int:
    """Return how many of these, from the first on, fit one frame of `limit` bytes; at least one."""
    count = 1
    while count < len(args) and len(write(args[: count + 1]).encode()) <= limit:
        count += 1
    return count
