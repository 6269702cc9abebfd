"""Streams under a policy: connections that are supervised, errors that are events, limits that are kept."""

from __future__ import annotations

from .._core.policy.stream_limits import MessageRate, StreamSettings
from .blocking import BlockingStream
from .buffer import Counts
from .client import StreamClient
from .io.supervisor import Supervisor
from .session.dialect import Dialect, Kind, Message
from .session.session import Session, State
from .session.stream_failure import Gap, Notice, StreamFailure
from .venue import Venue

__all__ = [
    "BlockingStream",
    "Counts",
    "Dialect",
    "Gap",
    "Kind",
    "Message",
    "MessageRate",
    "Notice",
    "Session",
    "State",
    "StreamClient",
    "StreamFailure",
    "StreamSettings",
    "Supervisor",
    "Venue",
]
