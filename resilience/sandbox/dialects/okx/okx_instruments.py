"""Names OKX's instruments: `BTC-USDT` on the spot market, `BTC-USDT-SWAP` for perpetual swaps."""

from __future__ import annotations

from ...exchange.order_rules import PRICES

__all__ = ["INSTRUMENTS", "SWAP_UNITS"]

SWAP_UNITS = {symbol: {"BTCUSDT": "0.01", "ETHUSDT": "0.1"}.get(symbol, "1") for symbol in PRICES}
"""Base coins in one contract."""
INSTRUMENTS = {
    f"{symbol.removesuffix('USDT')}-USDT{end}": (kind, symbol)
    for kind, end in (("SPOT", ""), ("SWAP", "-SWAP"))
    for symbol in PRICES
}
"""Instrument → its type, and the symbol of the exchange's own rules."""
