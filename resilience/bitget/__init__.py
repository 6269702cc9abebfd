"""Provides clients of Bitget's REST API and WebSockets, with its error codes and errors."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .async_client import AsyncBitgetClient
    from .error_codes import API_ERROR_CODE
    from .errors import BitgetApiError, BitgetSocketError, UndefinedParameterError
    from .sync_client import BitgetClient
    from .websocket import WebsocketClientV2, WebsocketClientV3

__all__ = [
    "API_ERROR_CODE",
    "AsyncBitgetClient",
    "BitgetApiError",
    "BitgetClient",
    "BitgetSocketError",
    "UndefinedParameterError",
    "WebsocketClientV2",
    "WebsocketClientV3",
]

_MODULES = {
    "API_ERROR_CODE": "error_codes",
    "AsyncBitgetClient": "async_client",
    "BitgetApiError": "errors",
    "BitgetSocketError": "errors",
    "BitgetClient": "sync_client",
    "UndefinedParameterError": "errors",
    "WebsocketClientV2": "websocket",
    "WebsocketClientV3": "websocket",
}


def __getattr__(name: str) -> Any:
    """Import a public name on its first use: each client needs another HTTP library, and the codes need none."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value
