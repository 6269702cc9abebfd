"""Writes and reads the frames of Bitget's V2 sockets, whose subscriptions name channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..streams.session.order_book import BookChange
from .book_checksum import book_changes
from .dialect import BitgetDialect, first_mapping, op_frame, required_text

__all__ = ["DialectV2"]


class DialectV2(BitgetDialect):
    """The protocol of V2: `{"instType": "SPOT", "channel": "ticker", "instId": "BTCUSDT"}`."""

    name = "channel"
    private = frozenset(
        {
            "account", "account-crossed", "account-isolated", "adl-notification", "equity", "fill", "orders",
            "orders-algo", "orders-crossed", "orders-isolated", "positions", "positions-history",
        }
    )  # fmt: skip

    @property
    def example(self) -> dict[str, str]:
        """A correct subscription."""
        return {"instType": "SPOT", "channel": "ticker", "instId": "BTCUSDT"}

    def _complete(self, arg: dict[str, Any]) -> dict[str, Any]:
        """Add `default`, which Bitget requires of a private channel that is subscribed as a whole.

        Raises:
            ValueError: a public channel has no `instId`.
        """
        if "instId" in arg or "coin" in arg:
            return arg
        if not self._is_private(arg):
            raise ValueError(f"{arg}: needs instId, for example {self.example}")
        # Account and equity channels are by coin, all others by instrument.
        return {**arg, ("coin" if arg["channel"].startswith(("account", "equity")) else "instId"): "default"}

    def trade(self, request: str, action: str, params: Mapping[str, Any]) -> str:
        """Return the frame of an order request: `instType` and `instId` at the top, the rest in `params`."""
        example = "instType='SPOT', instId='BTCUSDT'"
        head = {name: required_text(params, name, example) for name in ("instType", "instId")}
        rest = {name: value for name, value in params.items() if name not in head}
        return op_frame("trade", [{"id": request, **head, "channel": action, "params": rest}])

    def _book_changes(self, rows: Any) -> Sequence[BookChange]:
        """Return the changes of an order book: V2 does not name the update before, and sends a checksum."""
        return book_changes(rows)

    def order_ids(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the ids in the `arg` of an answer."""
        params = first_mapping(body.get("arg")).get("params")
        return params if isinstance(params, Mapping) else {}
