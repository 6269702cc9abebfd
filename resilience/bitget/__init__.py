"""Bitget: its codes, its errors, a REST client that a policy can stand behind, and clients of its sockets."""

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

_HOMES = {
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
    """Import a public name on its first use: a client brings its HTTP library, the codes bring nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value
