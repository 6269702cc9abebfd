"""Serves the exchange's WebSocket on loopback: connections, feeds, limits and faults.

It needs the library `websockets` (extra `streams`); without it, nothing listens.
"""

from __future__ import annotations

from .connection import SandboxConnection
from .sockets import Sockets

__all__ = ["SandboxConnection", "Sockets"]
