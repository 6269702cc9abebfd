"""Puts `httpx` under a policy: wrapped clients, transports to plug in, and single requests for our own clients."""

from .._missing_library import name_extra

with name_extra("resilience.integrations.httpx", library="httpx", extra="httpx"):
    from .attempt import REJECTION_TYPES
    from .client import wrap
    from .single_request import new_async_client, new_client, send, send_async
    from .transport import AsyncResilientTransport, ResilientTransport

__all__ = [
    "REJECTION_TYPES",
    "AsyncResilientTransport",
    "ResilientTransport",
    "new_async_client",
    "new_client",
    "send",
    "send_async",
    "wrap",
]
