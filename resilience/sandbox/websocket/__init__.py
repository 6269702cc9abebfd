"""The exchange's WebSocket on loopback: what connections said and were told, its limits counted, faults on demand."""

from __future__ import annotations

from .connection import Connection
from .sockets import Sockets

__all__ = ["Connection", "Sockets"]
