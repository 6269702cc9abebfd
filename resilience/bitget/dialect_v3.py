"""Writes and reads the frames of Bitget's V3 sockets, those of unified accounts, whose subscriptions name topics."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..streams.session.dialect import Arg
from .dialect import BitgetDialect, first_mapping, required_text

__all__ = ["DialectV3"]


class DialectV3(BitgetDialect):
    """The protocol of V3: `{"instType": "spot", "topic": "ticker", "symbol": "BTCUSDT"}`.

    A private subscription has the `instType` `UTA`.
    """

    name = "topic"

    @property
    def example(self) -> dict[str, str]:
        """A correct subscription."""
        return {"instType": "spot", "topic": "ticker", "symbol": "BTCUSDT"}

    def trade(self, request: str, action: str, params: Mapping[str, Any]) -> str:
        """Return the frame of an order request: `category` at the top, the rest in `args`."""
        category = required_text(params, "category", "category='spot'")
        rest = {name: value for name, value in params.items() if name != "category"}
        # V3 has the request's id, category and topic at the top, unlike every other frame.
        frame = {"op": "trade", "id": request, "category": category, "topic": action, "args": [rest]}
        return json.dumps(frame, separators=(",", ":"), allow_nan=False)

    def order_ids(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the ids in the `args` of an answer."""
        return first_mapping(body.get("args"))

    def _is_private(self, arg: Arg) -> bool:
        return str(arg["instType"]).upper() == "UTA"
