"""Puts the exchanges of `ccxt` under a policy, sync and async."""

from .._missing_library import name_extra

with name_extra("resilience.integrations.ccxt", library="ccxt", extra="ccxt"):
    from .exchange import REJECTION_TYPES, wrap

__all__ = ["REJECTION_TYPES", "wrap"]
