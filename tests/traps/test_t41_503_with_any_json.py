"""A 503 whose JSON happens to have a field `code` is taken for a refusal by the API, and the order is sent again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import aiohttp
import ccxt
import httpx
import pytest
import requests

from resilience import Policies, failure_of, wrap
from resilience.testing import FakeClock
from tests.conftest import ScriptedApi

BODIES: list[Any] = [
    {"code": -1000, "msg": "Unknown error"},
    {"code": 503, "message": "upstream timed out"},
    {"code": 14, "message": "transport is closing", "details": []},
    {"code": 429, "msg": "slow down"},
    {"code": "43012", "msg": "insufficient balance"},
]


@pytest.fixture(params=[(status, body) for status in (500, 502, 503, 504) for body in BODIES], ids=str)
def url(request: pytest.FixtureRequest, api: ScriptedApi) -> Iterator[str]:
    """A server whose gateway gives this answer to each order."""
    api.on("/orders", request.param)
    yield f"{api.rest}/orders"
    assert len(api.sent_to("/orders")) == 1


def policies() -> Policies:
    """Return policies of their own, so that no budget hides a resend."""
    return Policies.from_mapping(
        {"version": 1, "policies": {"mine": {"extends": "http", "codes": ["bitget", "http"]}}}, clock=FakeClock()
    )


def test_requests(url: str) -> None:
    """It is sent once, and its outcome is unknown."""
    with requests.Session() as session:
        answer = wrap(session, "mine", policies=policies()).post(url, json={"size": 1})
        assert failure_of(answer).executed == "maybe"


def test_httpx(url: str) -> None:
    """It is sent once, and its outcome is unknown."""
    with httpx.Client() as client:
        answer = wrap(client, "mine", policies=policies()).post(url, json={"size": 1})
        assert failure_of(answer).executed == "maybe"


def test_async_clients(url: str, api: ScriptedApi) -> None:
    """Each sends it once, and its outcome is unknown."""

    async def place() -> None:
        async with httpx.AsyncClient() as client:
            answer = await wrap(client, "mine", policies=policies()).post(url, json={"size": 1})
            assert failure_of(answer).executed == "maybe"
        assert len(api.sent_to("/orders")) == 1
        api.seen.clear()
        async with (
            aiohttp.ClientSession() as session,
            wrap(session, "mine", policies=policies()).post(url, json={"size": 1}) as answer,
        ):
            assert failure_of(answer).executed == "maybe"

    asyncio.run(place())


@pytest.mark.parametrize("body", BODIES, ids=str)
def test_the_error_of_a_client(body: Any) -> None:
    """An SDK's exception with such a body is uncertain, whether the body is an attribute or a part of the text."""
    classify = policies().pipeline("mine").shared.classifier(policies().policy("mine"))
    for error in (requests.HTTPError(json.dumps(body)), ccxt.ExchangeNotAvailable("binance " + json.dumps(body))):
        error.status_code = 503  # type: ignore[attr-defined]
        assert classify.classify(error).executed == "maybe"
