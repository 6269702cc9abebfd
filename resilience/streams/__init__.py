"""Streams under a policy: connections that are supervised, errors that are events, limits that are kept."""

from __future__ import annotations

from .._core.policy.stream import Limits, Pace
from .blocking import BlockingStream
from .buffer import Counts
from .client import StreamClient
from .dialect import Dialect, Kind, Message
from .failure import Gap, Notice, StreamFailure
from .session import Session, State
from .supervisor import Supervisor
from .venue import Venue

__all__ = [
    "BlockingStream",
    "Counts",
    "Dialect",
    "Gap",
    "Kind",
    "Limits",
    "Message",
    "Notice",
    "Pace",
    "Session",
    "State",
    "StreamClient",
    "StreamFailure",
    "Supervisor",
    "Venue",
]
