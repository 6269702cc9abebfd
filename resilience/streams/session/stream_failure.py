"""What the events of a stream carry: a failure with what the client does about it, a gap, and plain notices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from ..._core.classify.failure import Failure
from ...telemetry.redaction import redact

__all__ = ["EVENTS", "Gap", "Notice", "StreamFailure", "failed"]

EVENTS = ("authenticated", "close", "exception", "gap", "open", "reconnect", "reconnected", "response", "update")
"""The events that a client has."""


@dataclass(frozen=True, slots=True)
class StreamFailure(Failure):
    """Something that went wrong in a stream, and what the client does about it.

    Attributes:
        during: what the client was doing: `connect`, `login`, `subscribe`, `read`, `request`, `handler` or
            `fetch_missed`.
        doing: what it does now, in words.
        action: the same by its name in the code table; empty where the table has none.
        arg: the subscription that it is about, or None where the venue did not say.
        message: the venue's own words, secrets taken out.
        caused_by: class of the error, such as `ConnectionRefusedError`.
        socket: which of the client's sockets, `public` or `private`.
        wait_for: seconds until the client connects again or sends again, or None.
    """

    during: str = ""
    doing: str = ""
    action: str = ""
    arg: Mapping[str, Any] | None = None
    message: str = ""
    caused_by: str | None = None
    socket: str = ""
    wait_for: float | None = None

    def __str__(self) -> str:
        code = f" {self.code}" if self.code else ""
        about = f" of {dict(self.arg)}" if self.arg else ""
        words = [one for one in (self.message, self.remedy, self.doing and f"the client {self.doing}") if one]
        return f"{self.socket} {self.during}{about}: {self.category}{code}: " + "; ".join(words)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that happened to a socket.

    Attributes:
        event: the event's name.
        socket: which of the client's sockets.
        connection: number of the connection, from 1.
        at: Unix time in seconds.
        wait_for: seconds until the next connection is tried, where it has to wait.
    """

    event: str
    socket: str
    connection: int = 0
    at: float = 0.0
    wait_for: float | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """A span of time in which updates may have been missed.

    Attributes:
        socket: which of the client's sockets.
        since: Unix time up to which updates surely came.
        until: Unix time from which they come again.
        args: the subscriptions that were restored.
    """

    socket: str
    since: float
    until: float
    args: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


def failed(failure: Failure, **told: Any) -> StreamFailure:
    """Return a failure with what a stream adds to it; the venue's words pass the redactor."""
    known = {one.name: getattr(failure, one.name) for one in fields(Failure)}
    if told.get("message"):
        told["message"] = redact(str(told["message"]))[:500]
    return StreamFailure(**{**known, **told})
