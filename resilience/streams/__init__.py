"""Keeps WebSocket streams alive under a policy: reconnects, reports errors as events, observes the venue's limits."""

from __future__ import annotations

import warnings
from typing import Any

from .._core.policy.stream_limits import MessageRate, StreamSettings
from .blocking import BlockingStream
from .buffer import Counts
from .client import StreamClient
from .io.supervisor import Supervisor
from .session.dialect import Dialect, Message, MessageKind
from .session.request import ClosedClientError, GaveUpError
from .session.session import Session, State
from .session.stream_failure import Gap, Notice, StreamFailure
from .venue import StreamVenue

__all__ = [
    "BlockingStream",
    "ClosedClientError",
    "Counts",
    "Dialect",
    "Gap",
    "GaveUpError",
    "Message",
    "MessageKind",
    "MessageRate",
    "Notice",
    "Session",
    "State",
    "StreamClient",
    "StreamFailure",
    "StreamSettings",
    "StreamVenue",
    "Supervisor",
]

_RENAMED = {"Kind": "MessageKind", "Limits": "StreamSettings", "Pace": "MessageRate", "Venue": "StreamVenue"}
"""Names of 0.1 and what they are called now."""


def __getattr__(name: str) -> Any:
    """Return a class by the name that it had in 0.1, with a warning."""
    if name not in _RENAMED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    message = f"resilience.streams.{name} is deprecated: use {_RENAMED[name]}"
    warnings.warn(message, DeprecationWarning, stacklevel=2)
    return globals()[_RENAMED[name]]
