"""Puts `aiohttp` under a policy: a wrapped session, and a client middleware."""

from .._missing_library import name_extra

with name_extra("resilience.integrations.aiohttp", library="aiohttp", extra="aiohttp"):
    from .attempt import REJECTION_TYPES
    from .middleware import resilience_middleware
    from .session import wrap

__all__ = ["REJECTION_TYPES", "resilience_middleware", "wrap"]
