"""What single exchanges add to ccxt: where it is found, and what it may answer.

An integration knows ccxt and no exchange. What is known of an exchange stands in a module on top,
which is imported by name when such an exchange is wrapped. Other packages bring theirs through the
entry-point group `resilience.venues`: the exchange's id → a module, or an object like one.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any, Literal, NamedTuple, Protocol

from .method_names import Kind

__all__ = ["Drawn", "Handle", "Venue", "venue_module"]

_GROUP = "resilience.venues"
_SHIPPED = {"bitget": "resilience.bitget.ccxt_venue"}


class Drawn(NamedTuple):
    """The request that a call makes, as it stands before it is signed."""

    method: str
    path: str
    params: Mapping[str, Any]


class Handle(Protocol):
    """What a venue is given to work with."""

    engine: Any
    """The exchange; its calls are single attempts."""
    asynchronous: bool

    def draw(self, call: Any) -> Any:
        """Return the `Drawn` request of a call, without sending it; to be awaited where the exchange is async.

        Raises:
            LookupError: the call would first ask the exchange something.
        """


class Venue(Protocol):
    """What is known of one exchange. One instance a wrapped exchange; safe across threads and tasks."""

    reads_by_get: bool
    """A GET never writes here."""

    def info(self, kind: Kind, wrapped: Any) -> Mapping[str, Any]:
        """Return fields of `OperationInfo` for an operation: key, reconcile, fence, can_resync_clock, signs."""

    def prepared(self, method: str, path: str, params: Any) -> Any:
        """Return the parameters to sign and send.

        Raises:
            ValueError: they must not be sent; the text says why.
        """

    def stamp(self, headers: Mapping[str, Any]) -> float | None:
        """Return the stamp in signed headers, Unix seconds."""

    def nonce(self, own: Any) -> Any:
        """Return the nonce to sign with in place of ccxt's own."""

    def refused(self, body: str, began: float) -> bool:
        """Take note of an error's body; `began` is the monotonic instant at which its request was sent.

        True asks for the exchange's time: a stamp was refused, and the answer does not tell it.
        """

    def told(self, at: Any, began: float) -> None:
        """Take the exchange's time in milliseconds, asked for at a monotonic instant."""

    def doubt(self, method: str, path: str, answer: Any) -> tuple[Literal["unreadable", "partial"], str] | None:
        """Say why an answer under a success status is no success, or return None."""


def venue_module(exchange_id: str) -> Any:
    """Return what offers `venue(handle)` and `methods(original, asynchronous)` for an exchange, or None."""
    name = _SHIPPED.get(exchange_id)
    if name is not None:
        return import_module(name)
    point = _others().get(exchange_id)
    return None if point is None else point.load()


@cache
def _others() -> dict[str, Any]:
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=_GROUP)}
