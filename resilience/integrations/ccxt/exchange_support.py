"""Finds the module that adds what is known of a single exchange to the ccxt integration, and defines its protocol.

The integration knows ccxt and no exchange. Modules for single exchanges are in the layer above, and are imported
by name when such an exchange is wrapped. Other packages offer theirs through the entry-point group
`resilience.venues`: the exchange's id → a module with `exchange_support(exchange)`, which returns an
`ExchangeSupport`, and where needed `methods(original, asynchronous)`, which returns methods that replace those of the
engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Literal, NamedTuple, Protocol

from ..._core.base.entry_points import describe_entry_point, installed, load_entry_point
from .method_names import MethodInfo

__all__ = ["ExchangeSupport", "MethodInfo", "PreparedRequest", "WrappedExchange", "load_support", "support_from"]

_GROUP = "resilience.venues"
# By name, because these modules are in a layer above and import this one.
_BUILT_IN = {"bitget": "resilience.bitget.ccxt_venue"}


class PreparedRequest(NamedTuple):
    """The request of a call, before it is signed."""

    method: str
    path: str
    params: Mapping[str, Any]


class WrappedExchange(Protocol):
    """The exchange that a support module works with."""

    engine: Any
    """The exchange; each call on it is a single attempt."""
    asynchronous: bool

    def dry_run(self, call: Any) -> Any:
        """Return the `PreparedRequest` of a call, without sending it; to be awaited if the exchange is async.

        It is the first request of the call: load the markets before, else it is the one that loads them.

        Raises:
            LookupError: the call made no request in the dry run.
        """


class ExchangeSupport(Protocol):
    """What is known of one exchange. One instance per wrapped exchange; safe across threads and tasks.

    A class derived from it overrides what it knows; all other methods say that nothing is known.
    """

    reads_by_get: bool = False
    """Whether a GET never writes on this exchange."""

    def describe(self, method: MethodInfo, wrapped: Any) -> Mapping[str, Any]:
        """Return fields of `OperationInfo` for a method: key, reconcile, fence, can_resync_clock, signs.

        Args:
            method: what its name says.
            wrapped: the wrapped exchange, whose calls are under the policy: lookups go through it.
        """
        return {}

    def prepare_params(self, method: str, path: str, params: Any) -> Any:
        """Return the parameters to sign and send.

        Raises:
            ValueError: they must not be sent; the text says why.
        """
        return params

    def stamped_params(self, method: str, path: str, params: Any) -> Any:
        """Return the parameters to sign, with the time of signing where the exchange takes it as a parameter."""
        return params

    def stamp(self, headers: Mapping[str, Any]) -> float | None:
        """Return the stamp in signed headers, in Unix seconds, or None."""
        return None

    def nonce(self, own: Any) -> Any:
        """Return the nonce to sign with instead of ccxt's own."""
        return own

    def learn_rejection(self, body: str, sent_at: float) -> bool:
        """Learn the exchange's time from the body of an error, if a stamp was rejected.

        Args:
            body: the text of the response.
            sent_at: the monotonic instant at which its request was sent.

        Returns:
            Whether a stamp was rejected and the body has no time, so that the exchange has to be asked for it.
        """
        return False

    def learn_time(self, milliseconds: Any, sent_at: float) -> None:
        """Learn the exchange's time, from the response to a request that was sent at a monotonic instant."""
        return

    def find_problem(
        self, method: str, path: str, response: Any
    ) -> tuple[Literal["unreadable", "partial"], str] | None:
        """Return why a response with a success status is not a success, or None if it is one."""
        return None


_METHODS = tuple(name for name in vars(ExchangeSupport) if not name.startswith("_"))


def load_support(exchange_id: str) -> Any:
    """Return the support module of an exchange, or None.

    Raises:
        ImportError: the module of an entry point cannot be imported.
        TypeError: it has no `exchange_support`.
    """
    name = _BUILT_IN.get(exchange_id)
    if name is not None:
        return import_module(name)
    point = installed(_GROUP).get(exchange_id)
    if point is None:
        return None
    module = load_entry_point(point)
    if not callable(getattr(module, "exchange_support", None)):
        raise TypeError(_not_support(point, module))
    return module


def support_from(module: Any, exchange_id: str, wrapped: WrappedExchange) -> ExchangeSupport:
    """Return what the support module of an exchange knows of it.

    Raises:
        TypeError: it returned something that lacks the methods of an `ExchangeSupport`, such as None or a class.
    """
    support = module.exchange_support(wrapped)
    if isinstance(support, type) or any(not hasattr(support, name) for name in _METHODS):
        kind = f"the class {support.__name__}" if isinstance(support, type) else f"a {type(support).__name__}"
        origin = module.__name__ if exchange_id in _BUILT_IN else describe_entry_point(installed(_GROUP)[exchange_id])
        raise TypeError(
            f"{origin}: exchange_support(exchange) returned {kind}, not an object derived from ExchangeSupport"
        )
    return support  # type: ignore[no-any-return]


def _not_support(point: Any, module: Any) -> str:
    """Return what is wrong with the module of an entry point."""
    old = ", but venue(handle), the function of 0.1" if callable(getattr(module, "venue", None)) else ""
    return (
        f"{describe_entry_point(point)} has no exchange_support(exchange){old}; "
        f"exchange_support returns an ExchangeSupport, a protocol of {__name__}"
    )
