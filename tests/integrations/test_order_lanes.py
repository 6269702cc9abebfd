"""The lanes of trading calls: cancels and reduce-only orders are high-priority."""

from __future__ import annotations

from typing import Any

import pytest

from resilience.integrations._order_lanes import lane_by_parameters, lane_of


@pytest.mark.parametrize(
    ("operation", "lane"),
    [
        ("spot_cancel_order", "cancel"),
        ("cancel_all_orders", "cancel"),
        ("post /api/v2/mix/order/cancel-order", "cancel"),
        ("post /api/v3/trade/countdown-cancel-all", "cancel"),
        ("post /api/v2/spot/trade/cancel-replace-order", lane_by_parameters),
        ("create_order", lane_by_parameters),
        ("post /api/v2/mix/order/place-order", lane_by_parameters),
        ("withdraw", None),
    ],
)
def test_lanes_by_name(operation: str, lane: Any) -> None:
    """A cancel has the lane of cancels; the lane of an order depends on its parameters."""
    assert lane_of(operation) is lane or lane_of(operation) == lane


@pytest.mark.parametrize(
    ("args", "kwargs", "lane"),
    [
        ((), {"reduceOnly": "YES"}, "cancel"),
        ((), {"reduceOnly": "NO"}, None),
        (("BTC/USDT", "market", "sell", 1, None, {"reduceOnly": True}), {}, "cancel"),
        ((), {"params": {"reduceOnly": True}}, "cancel"),
        ((), {"reduceOnly": object(), "params": 7}, None),
    ],
)
def test_reduce_only_orders(args: Any, kwargs: Any, lane: str | None) -> None:
    """The parameter is found in keywords, in `params`, and in a mapping among the arguments."""
    assert lane_by_parameters(args, kwargs) == lane
