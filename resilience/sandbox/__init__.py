"""Simulates the APIs of exchanges on loopback, with a ledger of what was executed and faults on demand."""

from __future__ import annotations

from .server import Sandbox

__all__ = ["Sandbox"]
