"""Checks whether `websockets` is installed, without importing it: it belongs to the extra `streams`."""

from __future__ import annotations

from importlib.util import find_spec

__all__ = ["MISSING_WEBSOCKETS", "require_websockets", "websockets_installed"]

MISSING_WEBSOCKETS = "a WebSocket needs websockets: pip install 'resilience-middleware[streams]'"


def websockets_installed() -> bool:
    """Return True if the library is installed."""
    return find_spec("websockets") is not None


def require_websockets() -> None:
    """Check that the library is installed.

    Raises:
        ModuleNotFoundError: it is not; the message says how to install it.
    """
    if not websockets_installed():
        raise ModuleNotFoundError(MISSING_WEBSOCKETS, name="websockets")
