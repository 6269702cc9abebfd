"""Bitget: its codes, its errors, a REST client that a policy can stand behind, and clients of its sockets."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .async_client import AsyncBitgetClient
    from .error_codes import API_ERROR_CODE
    from .errors import BitgetApiError, BitgetSocketError, UndefinedParameterError
    from .sync_transport import BitgetClient
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

_ROOMS = {
    "API_ERROR_CODE": "codes",
    "AsyncBitgetClient": "async_rest",
    "BitgetApiError": "errors",
    "BitgetSocketError": "errors",
    "BitgetClient": "rest",
    "UndefinedParameterError": "errors",
    "WebsocketClientV2": "websocket",
    "WebsocketClientV3": "websocket",
}


def __getattr__(name: str) -> Any:
    """Import a public name on its first use: a client brings its HTTP library, the codes bring nothing."""
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_ROOMS[name]}", __name__), name)
    globals()[name] = value
    return value
