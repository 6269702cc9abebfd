"""What ccxt returns for an order must have an id, and no other order's client id."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from resilience.integrations.ccxt.order_results import find_problem


def problem(key: str | None, **order: Any) -> Any:
    """Return what is wrong with an order of an exchange without support."""
    state: Any = SimpleNamespace(original=SimpleNamespace(id="mexc"), support=None)
    return find_problem("create_order", order, key, state, (), {})


@pytest.mark.parametrize("echo", ["order-12", "order-1-2", "my-order-1", "ORDER-2"])
def test_the_order_of_another_key(echo: str) -> None:
    """Programs count their keys: the answer to `order-12` is not the one to `order-1`."""
    assert "another order" in problem("order-1", id=7, clientOrderId=echo)


@pytest.mark.parametrize("echo", ["order-1", "t-order-1", "Order-1", "order1", None])
def test_the_same_key_in_another_spelling(echo: str | None) -> None:
    """An exchange may put a prefix before the key, change its case and hyphens, or leave it out."""
    assert problem("order-1", id=7, clientOrderId=echo) is None


@pytest.mark.parametrize("value", [None, "", "null", "None", "undefined", "0", "<html>", "under repair", '{"a": 1}'])
def test_ids_that_are_none(value: Any) -> None:
    """On some exchanges ccxt makes an order of a bare text: `null` and a page are no ids."""
    assert problem(None, id=value) == "the answer has no order id"
    assert problem(None, id="C02__443776") is None
