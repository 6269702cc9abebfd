"""Programs count their keys: the answer to `order-12` must not settle `order-1`, for any client."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from resilience import Found
from resilience._core.call.found_order import conflict_of, repeats_key
from resilience.integrations.ccxt.order_results import find_problem


def place(*, key: str) -> Any:
    """Stand for a user's function."""


@pytest.mark.parametrize("echo", ["order-12", "order-1-2", "my-order-1", "ORDER-2"])
def test_the_order_of_another_key(echo: str) -> None:
    """Neither as the answer of an exchange nor as what a lookup has found."""
    state: Any = SimpleNamespace(original=SimpleNamespace(id="binance"), support=None)
    call: Any = SimpleNamespace(key="order-1", args=(), kwargs={})
    assert "another order" in str(
        find_problem("create_order", {"id": 7, "clientOrderId": echo}, "order-1", state, (), {})
    )
    assert conflict_of(Found({"id": 7, "clientOrderId": echo}), call, place) == "key"


@pytest.mark.parametrize("echo", ["order-1", "t-order-1", "Order-1", "order1"])
def test_the_same_key_in_another_spelling(echo: str) -> None:
    """An exchange may put a prefix before the key, or change its case and hyphens."""
    state: Any = SimpleNamespace(original=SimpleNamespace(id="gate"), support=None)
    call: Any = SimpleNamespace(key="order-1", args=(), kwargs={})
    assert find_problem("create_order", {"id": 7, "clientOrderId": echo}, "order-1", state, (), {}) is None
    assert conflict_of(Found({"id": 7, "clientOrderId": echo}), call, place) == ""
    assert repeats_key(echo, "order-1")
