"""Finds what is known of a single exchange: a module for it, or the data of its venue.

The integration knows ccxt and no exchange. Exchanges are data: a file of `resilience/venues/`, which `venue_support.py`
binds. Other packages offer through the entry-point group `resilience.venues`: the exchange's id → the data of a venue,
or a module with `exchange_support(exchange)`, which returns an `ExchangeSupport`. Such a module, and the hook of a
venue, may have `methods(original, asynchronous)`, which returns methods that replace those of the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from ..._core.base.entry_points import describe_entry_point, installed, load_entry_point
from ...venues.shipped_venues import GROUP, find_venue, is_data
from .exchange_support import ExchangeSupport, WrappedExchange
from .venue_support import VenueSupport

__all__ = ["load_support", "methods_of", "support_from"]

_METHODS = tuple(name for name in vars(ExchangeSupport) if not name.startswith("_"))


def load_support(exchange_id: str) -> Any:
    """Return the support module of an exchange, or None.

    Raises:
        ImportError: the module of an entry point cannot be imported.
        TypeError: it has no `exchange_support`.
    """
    point = installed(GROUP).get(exchange_id)
    if point is None:
        return None
    module = load_entry_point(point)
    if is_data(module):
        return None
    if not callable(getattr(module, "exchange_support", None)):
        raise TypeError(_not_support(point, module))
    return module


def methods_of(module: Any, exchange_id: str) -> Callable[[type, bool], dict[str, Any]] | None:
    """Return the function that gives the methods of an exchange's engines, or None.

    Args:
        module: the support module of the exchange; None where its venue is data, whose hook may have the function.
        exchange_id: ccxt's id of the exchange.
    """
    if module is None:
        venue = find_venue(exchange_id)
        module = import_module(venue.hook) if venue is not None and venue.hook else None
    methods: Callable[[type, bool], dict[str, Any]] | None = getattr(module, "methods", None)
    return methods


def support_from(module: Any, exchange_id: str, wrapped: WrappedExchange) -> ExchangeSupport | None:
    """Return what the support module of an exchange knows of it; without one, what the data of its venue says.

    Raises:
        TypeError: it returned something that lacks the methods of an `ExchangeSupport`, such as None or a class.
    """
    if module is None:
        venue = find_venue(exchange_id)
        return None if venue is None else VenueSupport(venue, wrapped)
    support = module.exchange_support(wrapped)
    if isinstance(support, type) or any(not hasattr(support, name) for name in _METHODS):
        kind = f"the class {support.__name__}" if isinstance(support, type) else f"a {type(support).__name__}"
        origin = describe_entry_point(installed(GROUP)[exchange_id])
        raise TypeError(
            f"{origin}: exchange_support(exchange) returned {kind}, not an object derived from ExchangeSupport"
        )
    return support  # type: ignore[no-any-return]


def _not_support(point: Any, module: Any) -> str:
    """Return what is wrong with the module of an entry point."""
    old = ", but venue(handle), the function of 0.1" if callable(getattr(module, "venue", None)) else ""
    return (
        f"{describe_entry_point(point)} has no exchange_support(exchange){old}; "
        f"exchange_support returns an ExchangeSupport, a protocol of {ExchangeSupport.__module__}"
    )
