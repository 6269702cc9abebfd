"""Names OKX's instruments: `BTC-USDT` on the spot market, `BTC-USDT-SWAP` for perpetual swaps."""

from __future__ import annotations

from ...exchange.order_rules import PRICES

__all__ = ["INSTRUMENTS", "SWAP_UNITS"]

SWAP_UNITS = {**dict.fromkeys(PRICES, "1"), "BTCUSDT": "0.01", "ETHUSDT": "0.1"}
"""Base coins in one contract."""
INSTRUMENTS = {
    f"{symbol.removesuffix('USDT')}-USDT{end}": (kind, symbol)
    for kind, end in (("SPOT", ""), ("SWAP", "-SWAP"))
    for symbol in PRICES
}
"""Instrument → its type, and the symbol of the exchange's own rules."""
