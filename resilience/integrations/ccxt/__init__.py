"""ccxt exchanges under a policy."""

from .exchange import REFUSALS, wrap

__all__ = ["REFUSALS", "wrap"]
