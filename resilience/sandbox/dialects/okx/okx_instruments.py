"""Names OKX's instruments: `BTC-USDT` on the spot market, `BTC-USDT-SWAP` for perpetual swaps."""

from __future__ import annotations

from ...exchange.order_rules import PRICES

__all__ = ["INSTRUMENTS", "SWAP_UNITS", "code_of_instrument", "instrument_of_code"]

SWAP_UNITS = {symbol: {"BTCUSDT": "0.01", "ETHUSDT": "0.1"}.get(symbol, "1") for symbol in PRICES}
"""Base coins in one contract."""
INSTRUMENTS = {
    f"{symbol.removesuffix('USDT')}-USDT{end}": (kind, symbol)
    for kind, end in (("SPOT", ""), ("SWAP", "-SWAP"))
    for symbol in PRICES
}
"""Instrument → its type, and the symbol of the exchange's own rules."""
_CODES = {name: 10_001 + number for number, name in enumerate(INSTRUMENTS)}
_NAMES = {code: name for name, code in _CODES.items()}


def code_of_instrument(name: str) -> int:
    """Return the number by which sockets call an instrument."""
    return _CODES[name]


def instrument_of_code(code: object) -> str | None:
    """Return the name of the instrument that sockets call by a number, or None."""
    return _NAMES.get(code) if isinstance(code, int) else None
