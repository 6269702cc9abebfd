"""An order that could not be built was looked up for a minute and then reported as if it had been sent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from resilience import failure_of, wrap
from resilience.bitget import BitgetClient, UndefinedParameterError

ORDER = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": "50"}
NOBODY = "http://127.0.0.1:9"


@pytest.mark.parametrize("odd", [None, b"50", Decimal(50), float("nan"), float("inf"), {"50"}])
@pytest.mark.parametrize("keys", [("key-123", "secret-123", "pass-123"), ()])
def test_an_order_that_cannot_be_built_fails_at_once(odd: Any, keys: tuple[str, ...]) -> None:
    """Nothing was sent, so nothing is looked up or waited for, and `executed` is "no"."""
    client = BitgetClient(*keys, base_url=NOBODY, strict_param_validation=True)
    with pytest.raises((ValueError, TypeError)) as caught:
        wrap(client, "bitget").spot_place_order(**ORDER | {"size": odd})
    failure = failure_of(caught.value)
    assert (failure.executed, failure.attempts, str(failure.category)) == ("no", 1, "fatal")


def test_the_error_alone_says_the_same() -> None:
    """Without a policy too, `failure_of` says that an undefined parameter was not executed."""
    client = BitgetClient("key-123", "secret-123", "pass-123", base_url=NOBODY, strict_param_validation=True)
    with pytest.raises(ValueError, match="'price'") as caught:
        client.spot_place_order(**ORDER, price=None)
    assert failure_of(caught.value).executed == "no"


def test_an_optional_parameter_of_none_is_undefined() -> None:
    """A strict client rejects an explicit None, because without the parameter the request means every symbol."""
    client = BitgetClient("key-123", "secret-123", "pass-123", base_url=NOBODY, strict_param_validation=True)
    for call in (lambda: client.spot_ticker(None), lambda: client.spot_balance(coin=None)):
        with pytest.raises(UndefinedParameterError):
            call()
