"""Defines what a stream must know of a venue's protocol: how frames are written and what received frames mean."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from .order_book import BookChange

__all__ = ["Arg", "Dialect", "Message", "MessageKind", "fitting_count"]

Arg = Mapping[str, Any]
"""One subscription, in the venue's own notation."""


class MessageKind(Enum):
    """What a received frame is."""

    DATA = "an update of a subscription"
    ACK = "a subscription was accepted or removed"
    LOGIN = "the login was accepted"
    PONG = "the answer to a ping"
    ERROR = "the venue reports an error"
    TRADE = "the answer to a request, matched by its id"
    OTHER = "anything else"


class Message(NamedTuple):
    """A parsed frame.

    Attributes:
        kind: what the frame is.
        body: the parsed frame.
        id: the subscription that it concerns, or None.
        op: the operation that it answers (`subscribe`, `unsubscribe`, `login`), or empty.
        code: the venue's error code, or empty.
        text: the venue's own message.
        request: the id of the request that it answers, or None.
        seq: its sequence number within the subscription, where updates are numbered.
        after: the sequence number of the update before it.
        snapshot: True if it holds the full state, False if it holds a change.
        book: the changes of an order book that is checked by a checksum; empty for everything else.
    """

    kind: MessageKind
    body: Mapping[str, Any] = MappingProxyType({})
    id: Hashable = None
    op: str = ""
    code: str = ""
    text: str = ""
    request: str | None = None
    seq: int | None = None
    after: int | None = None
    snapshot: bool = False
    book: Sequence[BookChange] = ()


class Dialect(Protocol):
    """A venue's protocol. Holds no state of a connection: all connections of a client share one instance."""

    @property
    def ping(self) -> str:
        """The ping frame."""

    def login(self, at: float) -> str:
        """Return the login frame, stamped with `at`, the venue's Unix time in seconds."""

    def subscribe(self, args: Sequence[Arg]) -> str:
        """Return the frame that requests these subscriptions."""

    def unsubscribe(self, args: Sequence[Arg]) -> str:
        """Return the frame that removes these subscriptions."""

    def id(self, arg: Arg) -> Hashable:
        """Return the identity of a subscription; the same for the arg as sent and as the venue echoes it."""

    def read(self, frame: str | bytes) -> Message:
        """Parse a frame.

        Raises:
            ValueError: the frame does not belong to this protocol.
        """


def fitting_count(args: Sequence[Arg], write: Callable[[Sequence[Arg]], str], limit: int) -> int:
    """Return how many of the first args fit into one frame of `limit` bytes; at least 1."""
    # Even one arg may be longer than the limit; only the venue can say whether it accepts that.
    count = 1
    while count < len(args) and len(write(args[: count + 1]).encode()) <= limit:
        count += 1
    return count
