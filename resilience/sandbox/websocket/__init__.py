"""The exchange's WebSocket on loopback: connections, feeds, limits and faults.

It needs the package `websockets` once a client connects or a command is sent, and not before.
"""

from __future__ import annotations

from .connection import SandboxConnection
from .sockets import Sockets

__all__ = ["SandboxConnection", "Sockets"]
