"""A loopback stand-in for Bitget's REST API, with a ledger of what really happened and faults on demand."""

from __future__ import annotations

from .server import Sandbox

__all__ = ["Sandbox"]
