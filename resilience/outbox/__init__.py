"""A restarted bot finds its orders: every keyed write is on disk before it is sent, and settled after."""

from __future__ import annotations

from .outbox import Outbox
from .resume import Replayed
from .rows import Row

__all__ = ["Outbox", "Replayed", "Row"]
