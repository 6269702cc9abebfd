"""Defines the values of a stream's events: failures, gaps and notices."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ..._core.classify.failure import Failure
from ..._printable import printable
from ...telemetry.redaction import redact

__all__ = ["EVENTS", "Gap", "Notice", "StreamFailure", "kind_of", "merge", "stream_failure"]

EVENTS = ("authenticated", "close", "exception", "gap", "open", "reconnect", "reconnected", "response", "update")
"""The events of a client."""

_MAX_MESSAGE = 500  # characters of the venue's message that a failure keeps


@dataclass(frozen=True, slots=True)
class StreamFailure(Failure):
    """A failure of a stream, and what the client does about it.

    Attributes:
        phase: what the client was doing: `connect`, `login`, `subscribe`, `read`, `request`, `handler` or
            `fetch_missed`.
        action_text: what the client does about it, in words.
        action: the name of that action in code tables; empty if there is none.
        arg: the subscription that it concerns, or None if the venue did not say.
        message: the venue's own message, without secrets, and safe to print.
        caused_by: class of the error, such as `ConnectionRefusedError`.
        socket: name of the client's socket, `public` or `private`.
        wait_for: seconds until the client reconnects or sends again, or None.
        handler: name of the handler that raised; empty if none did.
        error: the exception with its traceback; None if nothing was raised, as for silence.
        repeated: how many more failures of this kind the event stands for: those that came while it waited for a
            handler.
    """

    phase: str = ""
    action_text: str = ""
    action: str = ""
    arg: Mapping[str, Any] | None = None
    message: str = ""
    caused_by: str | None = None
    socket: str = ""
    wait_for: float | None = None
    handler: str = ""
    error: BaseException | None = field(default=None, compare=False, repr=False)
    repeated: int = 0

    def __str__(self) -> str:
        code = f" {self.code}" if self.code else ""
        about = f" of {dict(self.arg)}" if self.arg else ""
        action = self.action_text and f"the client {self.action_text}"
        times = self.repeated and f"{self.repeated} more of this kind"
        texts = [text for text in (self.message, self.remedy, action, times) if text]
        where = " ".join(text for text in (self.socket, self.phase, self.handler) if text)
        return printable(f"{where}{about}: {self.category}{code}: " + "; ".join(texts))

    @property
    def during(self) -> str:
        """The name that `phase` had in 0.1. Deprecated."""
        _warn_renamed("during", "phase")
        return self.phase

    @property
    def doing(self) -> str:
        """The name that `action_text` had in 0.1. Deprecated."""
        _warn_renamed("doing", "action_text")
        return self.action_text


@dataclass(frozen=True, slots=True)
class Notice:
    """A change in the state of a socket.

    Attributes:
        event: the event's name.
        socket: name of the client's socket.
        connection: number of the connection, from 1.
        at: Unix time in seconds.
        wait_for: seconds until the next connection attempt, or None.
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
        socket: name of the client's socket.
        since: Unix time in seconds; every update before it was received.
        until: Unix time in seconds from which updates are received again.
        args: the subscriptions that were restored.
    """

    socket: str
    since: float
    until: float
    args: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


def stream_failure(failure: Failure, **details: Any) -> StreamFailure:
    """Return a `StreamFailure` with the fields of `failure` and these details; secrets are removed from `message`."""
    # `asdict` would copy the nested failures of batch items as mappings.
    known = {item.name: getattr(failure, item.name) for item in fields(Failure)}
    if details.get("message"):
        details["message"] = printable(redact(str(details["message"])))[:_MAX_MESSAGE]
    return StreamFailure(**{**known, **details})


def kind_of(value: Any) -> Hashable:
    """Return what failures of one kind have in common; None for a value that is no `StreamFailure`."""
    if not isinstance(value, StreamFailure):
        return None
    arg = None if value.arg is None else repr(sorted(value.arg.items(), key=str))
    return value.socket, value.phase, value.code, value.caused_by, value.handler, value.action, arg


def merge(older: Any, newer: Any) -> Any:
    """Return the newer of two failures of one kind, with the count of both."""
    return replace(newer, repeated=older.repeated + newer.repeated + 1)


def _warn_renamed(old: str, new: str) -> None:
    # The frames between here and the reader are the property and this function.
    warnings.warn(f"StreamFailure.{old} is deprecated: use .{new}", DeprecationWarning, stacklevel=3)
