"""Sends what needs a person to a webhook: a chat, or a program of your own.

A bot that sends no alerts imports nothing but this file.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .alert_message import AlertMessage
    from .alert_sender import send_alerts
    from .alert_thread import Alerts

__all__ = ["AlertMessage", "Alerts", "send_alerts"]

_MODULES = {"AlertMessage": "alert_message", "Alerts": "alert_thread", "send_alerts": "alert_sender"}


def __getattr__(name: str) -> Any:
    """Import a name on its first use."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value
