"""The named calls of a Bitget client, written once for both colours: what they return is awaited in the async one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

__all__ = ["NamedCalls"]

_LEFT_OUT: Any = object()  # no None: a strict client refuses one that the caller gives


class NamedCalls(ABC):
    """One method an operation. Parameters are Bitget's own names, given as keywords."""

    @abstractmethod
    def _call(self, name: str, params: dict[str, Any]) -> Any:
        """Send one operation and return what its caller gets."""

    def server_time(self) -> Any:
        """Return the exchange's Unix time in seconds."""
        return self._call("server_time", {})

    def spot_ticker(self, symbol: str | None = _LEFT_OUT) -> Any:
        """Return the spot tickers of one symbol, or of all."""
        return self._call("spot_ticker", _given(symbol=symbol))

    def spot_balance(self, coin: str | None = _LEFT_OUT) -> Any:
        """Return the spot balances of one coin, or of all."""
        return self._call("spot_balance", _given(coin=coin))

    def spot_order(self, **params: Any) -> Any:
        """Return an order by `orderId` or `clientOid`, or None when the exchange does not know it."""
        return self._call("spot_order", params)

    def spot_open_orders(self, **params: Any) -> Any:
        """Return the resting spot orders."""
        return self._call("spot_open_orders", params)

    def spot_place_order(self, **params: Any) -> Any:
        """Place an order: `symbol side orderType size`, and `price force clientOid` where they apply."""
        return self._call("spot_place_order", params)

    def spot_place_orders(self, **params: Any) -> Any:
        """Place several orders: `symbol orderList`. The items that failed are in the error's `failures`."""
        return self._call("spot_place_orders", params)

    def spot_cancel_order(self, **params: Any) -> Any:
        """Cancel an order by `symbol` and `orderId` or `clientOid`."""
        return self._call("spot_cancel_order", params)

    def spot_replace_order(self, **params: Any) -> Any:
        """Cancel an order and place it anew: `symbol orderId|clientOid price size newClientOid`."""
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
        """Return the resting futures orders of a `productType`."""
        return self._call("mix_open_orders", params)

    def mix_place_order(self, **params: Any) -> Any:
        """Place a futures order: `symbol productType marginMode marginCoin side orderType size`.

        `price force clientOid reduceOnly` where they apply, and `tradeSide` in hedge mode alone.
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
        """Return the resting orders of a unified account, of one `category` or of all."""
        return self._call("uta_open_orders", params)

    def uta_place_order(self, **params: Any) -> Any:
        """Place an order of a unified account: `category symbol qty side orderType`.

        `price timeInForce clientOid posSide reduceOnly` where they apply.
        """
        return self._call("uta_place_order", params)

    def uta_cancel_order(self, **params: Any) -> Any:
        """Cancel an order of a unified account by `orderId` or `clientOid`."""
        return self._call("uta_cancel_order", params)


def _given(**params: Any) -> dict[str, Any]:
    """Return the parameters that the caller gave: the defaults of named calls are no undefined ones."""
    return {name: value for name, value in params.items() if value is not _LEFT_OUT}
