"""A rejected stamp: the client measures the exchange's clock from the response, or by a query."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from resilience import Policies, failure_of, wrap
from resilience.bitget import AsyncBitgetClient, BitgetApiError, BitgetClient
from resilience.testing import FakeClock

PLACE, TIME = "/api/v2/spot/trade/place-order", "/api/v2/public/time"
ORDER = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": "50", "clientOid": "a"}
AHEAD = 40.0


def rejected(code: str, **more: Any) -> tuple[int, dict[str, Any]]:
    """Return the response to a rejected stamp."""
    return 400, {"code": code, "msg": "Request timestamp expired", "data": None, **more}


def ahead(text: bool = False) -> Any:
    """Return the exchange's time in milliseconds, as a number or a text."""
    at = int((time.time() + AHEAD) * 1000)
    return str(at) if text else at


@pytest.fixture(params=[BitgetClient, AsyncBitgetClient])
def placed(request: pytest.FixtureRequest, api: Any) -> Any:
    """Place one order through a sync and an async client; return the error and the offset of its clock."""
    raw = request.param("key-c", "secret-of-clocks", "pass-of-clocks", base_url=api.rest)

    async def story() -> Any:
        async with raw:
            return await raw.spot_place_order(**ORDER)

    def place() -> tuple[BitgetApiError, float]:
        with pytest.raises(BitgetApiError) as caught:
            raw.spot_place_order(**ORDER) if request.param is BitgetClient else asyncio.run(story())
        return caught.value, raw.clock.offset

    return place


@pytest.mark.parametrize("code", ["40004", "40005", "40008", "40911"])
@pytest.mark.parametrize("text", [False, True])
def test_the_time_in_the_rejection(api: Any, placed: Any, code: str, text: bool) -> None:
    """The time may be a number or a string, like other times of Bitget."""
    api.on(PLACE, rejected(code, requestTime=ahead(text)))
    error, offset = placed()
    assert error.api_code == code
    assert offset == pytest.approx(AHEAD, abs=5)
    assert api.sent_to(TIME) == []


@pytest.mark.parametrize("fields", [{}, {"requestTime": None}, {"requestTime": "soon"}, {"requestTime": 0}])
def test_the_time_endpoint(api: Any, placed: Any, fields: dict[str, Any]) -> None:
    """The time is queried if the response does not contain it."""
    api.on(PLACE, rejected("40008", **fields))
    api.on(TIME, {"code": "00000", "msg": "success", "data": {"serverTime": ahead(text=True)}})
    _, offset = placed()
    assert offset == pytest.approx(AHEAD, abs=5)


@pytest.mark.parametrize("kind", [BitgetClient, AsyncBitgetClient])
def test_a_wrapped_client_signs_anew_once_and_at_once(api: Any, kind: Any) -> None:
    """The second attempt has the exchange's time, the same client id, and no wait before it."""
    clock = FakeClock()
    raw = kind("key-c", "secret-of-clocks", "pass-of-clocks", base_url=api.rest)
    bot = wrap(raw, "bitget", policies=Policies.builtin(clock=clock))
    done = {"code": "00000", "msg": "success", "requestTime": ahead(), "data": {"orderId": "7", "clientOid": "a"}}
    api.on(PLACE, rejected("40008", requestTime=ahead()), done)

    async def story() -> Any:
        async with raw:
            return await bot.spot_place_order(**ORDER)

    placed = bot.spot_place_order(**ORDER) if kind is BitgetClient else asyncio.run(story())
    first, second = api.sent_to(PLACE)
    assert (placed["orderId"], first["clientOid"], second["clientOid"], clock.sleeps) == ("7", "a", "a", [])
    assert int(second["requestTime"]) - int(first["requestTime"]) == pytest.approx(AHEAD * 1000, abs=5_000)


@pytest.mark.parametrize("answer", ["drop", (502, "Bad Gateway"), {"code": "00000", "data": {}}])
def test_the_time_cannot_be_queried(api: Any, placed: Any, answer: Any) -> None:
    """If the time cannot be queried, the caller gets the rejection, which says that nothing was executed."""
    api.on(PLACE, rejected("40008"))
    api.on(TIME, answer)
    error, offset = placed()
    assert error.api_code == "40008"
    assert (failure_of(error).executed, offset) == ("no", 0.0)
