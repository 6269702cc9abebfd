"""Speaks the REST APIs of several exchanges over the sandbox's one exchange: a dialect for each."""

from __future__ import annotations

from .binance.binance_rest import BINANCE
from .bitget_rest import BITGET
from .bybit.bybit_rest import BYBIT
from .okx.okx_rest import OKX

__all__ = ["DIALECTS"]

DIALECTS = {dialect.name: dialect for dialect in (BITGET, BINANCE, OKX, BYBIT)}
"""The dialect of each exchange, by its name in ccxt."""
