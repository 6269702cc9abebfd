"""Defines the named methods of the Bitget clients, once for both: the async client returns awaitables."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

__all__ = ["OperationMethods"]

_OMITTED: Any = object()  # not None: a strict client must reject a None that the caller passes


class OperationMethods(ABC):
    """One method per operation. Parameters are keywords with Bitget's own names."""

    @abstractmethod
    def _call(self, name: str, params: dict[str, Any]) -> Any:
        """Send one operation and return its result."""

    def server_time(self) -> Any:
        """Return the exchange's Unix time in seconds."""
        return self._call("server_time", {})

    def spot_ticker(self, symbol: str | None = _OMITTED) -> Any:
        """Return the spot tickers of one symbol, or of all."""
        return self._call("spot_ticker", _without_omitted(symbol=symbol))

    def spot_balance(self, coin: str | None = _OMITTED) -> Any:
        """Return the spot balances of one coin, or of all."""
        return self._call("spot_balance", _without_omitted(coin=coin))

    def spot_order(self, **params: Any) -> Any:
        """Return an order by `orderId` or `clientOid`, or None if the exchange does not know it."""
        return self._call("spot_order", params)

    def spot_open_orders(self, **params: Any) -> Any:
        """Return the open spot orders."""
        return self._call("spot_open_orders", params)

    def spot_place_order(self, **params: Any) -> Any:
        """Place an order: `symbol side orderType size`, and `price force clientOid` if they apply."""
        return self._call("spot_place_order", params)

    def spot_place_orders(self, **params: Any) -> Any:
        """Place several orders: `symbol orderList`. If some fail, the error's `failures` lists them."""
        return self._call("spot_place_orders", params)

    def spot_cancel_order(self, **params: Any) -> Any:
        """Cancel an order by `symbol` and `orderId` or `clientOid`."""
        return self._call("spot_cancel_order", params)

    def spot_replace_order(self, **params: Any) -> Any:
        """Cancel an order and place a new one: `symbol orderId|clientOid price size newClientOid`."""
        return self._call("spot_replace_order", params)

    def mix_ticker(self, **params: Any) -> Any:
        """Return a futures ticker by `symbol productType`."""
        return self._call("mix_ticker", params)

    def mix_balance(self, **params: Any) -> Any:
        """Return the futures accounts of a `productType`."""
        return self._call("mix_balance", params)

    def mix_order(self, **params: Any) -> Any:
        """Return a futures order by `symbol productType` and `orderId` or `clientOid`; an unknown one is an error."""
        return self._call("mix_order", params)

    def mix_open_orders(self, **params: Any) -> Any:
        """Return the open futures orders of a `productType`."""
        return self._call("mix_open_orders", params)

    def mix_place_order(self, **params: Any) -> Any:
        """Place a futures order: `symbol productType marginMode marginCoin side orderType size`.

        `price force clientOid reduceOnly` if they apply, and `tradeSide` in hedge mode only.
        """
        return self._call("mix_place_order", params)

    def mix_cancel_order(self, **params: Any) -> Any:
        """Cancel a futures order by `symbol productType` and `orderId` or `clientOid`."""
        return self._call("mix_cancel_order", params)

    def mix_modify_order(self, **params: Any) -> Any:
        """Change a futures order: `symbol productType orderId|clientOid newSize newPrice newClientOid`."""
        return self._call("mix_modify_order", params)

    def uta_order(self, **params: Any) -> Any:
        """Return an order of a unified account by `orderId` or `clientOid`; an unknown one is an error."""
        return self._call("uta_order", params)

    def uta_open_orders(self, **params: Any) -> Any:
        """Return the open orders of a unified account, of one `category` or of all."""
        return self._call("uta_open_orders", params)

    def uta_place_order(self, **params: Any) -> Any:
        """Place an order of a unified account: `category symbol qty side orderType`.

        `price timeInForce clientOid posSide reduceOnly` if they apply.
        """
        return self._call("uta_place_order", params)

    def uta_cancel_order(self, **params: Any) -> Any:
        """Cancel an order of a unified account by `orderId` or `clientOid`."""
        return self._call("uta_cancel_order", params)


def _without_omitted(**params: Any) -> dict[str, Any]:
    """Return the parameters that the caller passed."""
    return {name: value for name, value in params.items() if value is not _OMITTED}
