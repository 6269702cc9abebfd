"""Measures the clock of an exchange that has refused a stamp, and corrects the nonces that ccxt signs with."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

__all__ = ["NonceClock"]

_UNITS = {1.0: "milliseconds", 1000.0: "microseconds", 0.001: "seconds"}  # nonces per millisecond
_NEAR = 60_000.0  # milliseconds between two readings of one clock
_PROBE = 10_000_000  # milliseconds, far more than passes between two readings
_MIN_CHANGE = 500.0
"""Milliseconds. A smaller one is within the error of the measurement, and would only put nonces out of order."""


class NonceClock:
    """The difference between an exchange's clock and ours. Safe across threads: a measurement replaces one attribute.

    Many exchanges of ccxt subtract `options["timeDifference"]` from the nonce: it is set there. Where the nonce is the
    bare time, it is corrected here. Any other nonce is left as it is.
    """

    __slots__ = ("_ahead", "_per_millisecond")

    def __init__(self) -> None:
        self._ahead = 0.0  # milliseconds by which the exchange is ahead, as far as `correct` adds them
        self._per_millisecond = 0.0

    def can_correct(self, exchange: Any) -> bool:
        """Return whether the exchange offers its time, and a measurement of it would change the nonces."""
        if exchange.has.get("fetchTime") is not True:
            return False
        try:
            return _honours_option(exchange) or _per_millisecond(exchange) is not None
        except Exception:
            return False  # a nonce that cannot be made without credentials, say

    def learn(self, exchange: Any, server_time: float, sent_at: float) -> None:
        """Learn the exchange's time in milliseconds, from the answer to a request sent at this monotonic instant."""
        # Cristian's algorithm: the server's time belongs to the middle between sending and receiving.
        ahead = server_time - (exchange.milliseconds() - (time.monotonic() - sent_at) * 500)
        if _honours_option(exchange):
            options = exchange.options
            if abs(ahead + float(options.get("timeDifference") or 0)) >= _MIN_CHANGE:
                options["timeDifference"] = -int(ahead)
            return
        unit = _per_millisecond(exchange)
        if unit is not None and abs(ahead - self._ahead) >= _MIN_CHANGE:
            self._per_millisecond = unit
            self._ahead = ahead

    def correct(self, own: Any) -> Any:
        """Return ccxt's own nonce by the exchange's clock."""
        return own + int(self._ahead * self._per_millisecond) if self._ahead else own


def _honours_option(exchange: Any) -> bool:
    """Return whether the nonce follows `options["timeDifference"]`."""
    return abs(_nonce(exchange, 0) - _nonce(exchange, _PROBE) - _PROBE) < _NEAR


def _per_millisecond(exchange: Any) -> float | None:
    """Return the nonce's unit as its number per millisecond, or None if it is not the bare time."""
    nonce, now = _nonce(exchange, 0), float(exchange.milliseconds())
    return next((unit for unit in _UNITS if abs(nonce / unit - now) < _NEAR), None)


def _nonce(exchange: Any, difference: int) -> float:
    """Return the nonce that the exchange would make with this option, without a trace in the exchange."""
    original: Any = type(exchange)
    probe: Any = object.__new__(_probe_class(original))
    probe.__dict__ = {**exchange.__dict__, "options": {**exchange.options, "timeDifference": difference}}
    return float(probe.nonce())


@cache
def _probe_class(original: Any) -> type:
    # ccxt's async exchanges complain in `__del__` about a session that was not closed: the probe has none of its own.
    return type(original.__name__, (original,), {"__del__": lambda _self: None})
