"""An order that a lookup has found is compared: programs count their keys, and `order-12` is not `order-1`."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import Found
from resilience._core.call.found_order import conflict_of, repeats_key


def place(*, key: str) -> Any:
    """Stand for a user's function."""


class Call:
    """The call that is looked up."""

    key = "order-1"
    args: tuple[Any, ...] = ()
    kwargs: Any = {}  # noqa: RUF012  # never changed


@pytest.mark.parametrize("echo", ["order-12", "order-1-2", "my-order-1", "ORDER-2"])
def test_the_order_of_another_key(echo: str) -> None:
    """It is another order, however alike the keys are."""
    call: Any = Call()
    assert conflict_of(Found({"id": 7, "clientOrderId": echo}), call, place) == "key"


@pytest.mark.parametrize("echo", ["order-1", "t-order-1", "Order-1", "order1"])
def test_the_same_key_in_another_spelling(echo: str) -> None:
    """An exchange may put a prefix before the key, or change its case and hyphens."""
    call: Any = Call()
    assert conflict_of(Found({"id": 7, "clientOrderId": echo}), call, place) == ""
    assert repeats_key(echo, "order-1")


def test_the_body_of_any_client() -> None:
    """It is where the client has it, or where the integration has put it; the call's own may be named `body`."""

    class Reply:
        resilience_body = b'{"id": 7, "clientOrderId": "beside-1", "side": "sell"}'

    call: Any = Call()
    call.kwargs = {"body": b'{"clientOid": "beside-1", "side": "buy"}'}
    assert conflict_of(Found(Reply()), call, place) == "fields"
    call.kwargs = {"body": b'{"clientOid": "beside-1"}'}
    assert conflict_of(Found(Reply()), call, place) == ""
