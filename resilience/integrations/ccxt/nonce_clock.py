"""Measures the clock of an exchange that has refused a stamp, and corrects the stamps that ccxt signs with."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from ..._core.base.context_variables import reset_variable

__all__ = ["NonceClock", "clock_methods", "correct_time"]

_PER_MILLISECOND = {"milliseconds": 1.0, "microseconds": 1000.0, "seconds": 0.001}
"""ccxt's methods that return the time, and their units per millisecond."""
_NEAR = 60_000.0  # milliseconds between two readings of one clock
_PROBE = 10_000_000  # milliseconds, far more than passes between two readings
_MIN_CHANGE = 500.0
"""Milliseconds. A smaller one is within the error of the measurement, and would only put nonces out of order."""
_CORRECTING: ContextVar[bool] = ContextVar("resilience_ccxt_correcting", default=False)


class NonceClock:
    """The difference between an exchange's clock and ours. Safe across threads: a measurement replaces one attribute.

    Many exchanges of ccxt subtract `options["timeDifference"]` from the nonce: it is set there. Where the nonce is the
    bare time, the time itself is corrected while a nonce or a signature is made. Any other nonce is left as it is.

    Attributes:
        ahead: milliseconds by which the exchange is ahead, as far as the time itself is corrected.
    """

    __slots__ = ("ahead",)

    def __init__(self) -> None:
        self.ahead = 0.0

    def can_correct(self, exchange: Any) -> bool:
        """Return whether the exchange offers its time, and a measurement of it would change the nonces."""
        if exchange.has.get("fetchTime") is not True:
            return False
        try:
            return _honours_option(exchange) or _is_bare_time(exchange)
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
        elif abs(ahead - self.ahead) >= _MIN_CHANGE:
            self.ahead = ahead


@contextmanager
def correct_time() -> Iterator[None]:
    """Correct the time that ccxt reads inside the block."""
    token = _CORRECTING.set(True)
    try:
        yield
    finally:
        reset_variable(_CORRECTING, token)


def clock_methods(original: type) -> dict[str, Callable[..., Any]]:
    """Return ccxt's methods that return the time, for the engines of a class."""
    return {name: _clock_method(getattr(original, name), unit) for name, unit in _PER_MILLISECOND.items()}


def _clock_method(own: Callable[..., Any], unit: float) -> Callable[..., Any]:
    takes_self = bool(inspect.signature(own).parameters)  # ccxt's own are static, those of a subclass need not be

    def now(self: Any) -> Any:
        value = own(self) if takes_self else own()
        return value + int(self._resilience.clock.ahead * unit) if _CORRECTING.get() else value

    return now


def _honours_option(exchange: Any) -> bool:
    """Return whether the nonce follows `options["timeDifference"]`."""
    return abs(_nonce(exchange, 0) - _nonce(exchange, _PROBE) - _PROBE) < _NEAR


def _is_bare_time(exchange: Any) -> bool:
    """Return whether the nonce is the time, in any unit."""
    nonce, now = _nonce(exchange, 0), float(exchange.milliseconds())
    return any(abs(nonce / unit - now) < _NEAR for unit in _PER_MILLISECOND.values())


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
