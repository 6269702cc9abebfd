"""Stories of a web service: its health endpoint, and its answer to a call that was rejected. Through ASGI."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import httpx
import pytest

pytest.importorskip("fastapi")

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Route

from resilience import Policies, PolicyError, RejectedError, configure
from resilience.integrations.starlette import answer_rejected, health_route
from resilience.testing import FakeClock

SETTINGS = {
    "policies": {
        "trade": {"retry": "off", "breaker": {"consecutive": 1, "open_for": "10.2s", "open_max": "60s"}},
        "news": {"retry": "off", "breaker": {"consecutive": 1, "open_for": "60s", "open_max": "60s"}},
    }
}


class Service:
    """A service whose route `/price` and `/headlines` call an API that a test lets fail."""

    def __init__(self, app: str, *needed: str) -> None:
        self.clock, self.failing = FakeClock(wall=1_700_000_000.0), False
        self.policies = Policies.from_mapping(SETTINGS, clock=self.clock, log=False)
        handlers: Any = {RejectedError: answer_rejected}
        routes = [health_route("/health", policies=self.policies, needed=needed)]
        if app == "fastapi":
            fast = FastAPI(routes=routes, exception_handlers=handlers)
            fast.get("/price")(self.price)
            fast.get("/headlines")(self.headlines)
            self.app: Any = fast
        else:
            routes += [Route("/price", self.answer_price), Route("/headlines", self.headlines)]
            self.app = Starlette(routes=routes, exception_handlers=handlers)

    async def price(self) -> dict[str, int]:
        return await self.policies.resilient("trade", operation="price", idempotent=True)(self._send)()

    async def headlines(self) -> dict[str, int]:
        return await self.policies.resilient("news", operation="headlines", idempotent=True)(self._send)()

    async def answer_price(self, _request: Any) -> Any:
        from starlette.responses import JSONResponse

        return JSONResponse(await self.price())

    async def _send(self) -> dict[str, int]:
        if self.failing:
            raise ConnectionRefusedError
        return {"price": 7}

    def get(self, path: str) -> httpx.Response:
        """Return the answer of the service."""

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
                return await client.get(path)

        return asyncio.run(ask())

    def lose(self, operation: Any) -> None:
        """Let one call fail."""
        self.failing = True
        with contextlib.suppress(ConnectionRefusedError):
            asyncio.run(operation())
        self.failing = False


@pytest.fixture(params=["starlette", "fastapi"])
def app(request: pytest.FixtureRequest) -> str:
    """Runs a test once for each framework."""
    return str(request.param)


def test_a_policy_that_matters_decides_the_health(app: str) -> None:
    """503 while it does not send, with the time when it does; another policy that is open is in no one's way."""
    service = Service(app, "trade")
    healthy = {"healthy": True, "policies": {"trade": "ok"}, "writes_in_doubt": 0}
    assert (service.get("/health").status_code, service.get("/health").json()) == (200, healthy)
    service.lose(service.headlines)
    assert service.get("/health").status_code == 200
    service.lose(service.price)
    answer = service.get("/health")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "11")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json() == {"healthy": False, "policies": {"trade": "open"}, "writes_in_doubt": 0}


def test_a_breaker_whose_time_is_over_is_healthy(app: str) -> None:
    """Otherwise a load balancer would keep away the call with which it closes."""
    service = Service(app, "trade")
    service.lose(service.price)
    (breaker,) = service.policies.breakers("trade")
    breaker.isolate()
    service.clock.advance(100)
    assert service.get("/health").status_code == 503  # until somebody closes it
    breaker.close()
    service.lose(service.price)
    service.clock.advance(10.3)
    assert service.get("/health").status_code == 200
    assert service.get("/price").json() == {"price": 7}
    assert breaker.state == "closed"


def test_without_names_every_policy_matters(app: str) -> None:
    """An isolation of all has no end that is known, so no `Retry-After`."""
    service = Service(app)
    service.policies.isolate()
    answer = service.get("/health")
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, False)
    assert set(answer.json()["policies"].values()) == {"isolated"}
    assert "trade" in answer.json()["policies"]
    service.policies.release()
    service.policies.breakers("news")
    service.lose(service.headlines)
    answer = service.get("/health")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")


def test_a_rejected_call_is_503_with_whole_seconds(app: str) -> None:
    """`Retry-After` is rounded up, and the body names neither the policy nor the API."""
    service = Service(app)
    service.lose(service.price)
    answer = service.get("/price")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "11")
    assert answer.json() == {"detail": "temporarily unavailable, nothing was sent", "reason": "breaker"}
    service.clock.advance(10.3)
    assert service.get("/price").status_code == 200
    service.policies.isolate("trade", reason="internal")
    answer = service.get("/price")
    assert (answer.status_code, answer.json()["reason"]) == (503, "isolated")
    assert "Retry-After" not in answer.headers


def test_an_error_of_the_api_is_not_hidden(app: str) -> None:
    """Only what was not sent is 503: the API's own error reaches the framework."""
    service = Service(app)
    service.failing = True
    assert service.get("/price").status_code == 500


def test_the_configured_policies_are_asked_at_each_request() -> None:
    """The route may be made before anything is configured; a name that they lack is an error of the service."""
    app = Starlette(routes=[health_route(needed=["trade"])])
    service = Service("starlette")
    service.app = app
    configure(Policies.from_mapping({"policies": {}}, log=False))
    assert service.get("/health").status_code == 500
    configure(service.policies)
    assert service.get("/health").json()["policies"] == {"trade": "ok"}


def test_a_wrong_name_is_an_error_at_once() -> None:
    """So is one name in place of a list."""
    policies = Policies.from_mapping(SETTINGS, log=False)
    with pytest.raises(PolicyError, match="tarde"):
        health_route(policies=policies, needed=["tarde"])
    with pytest.raises(TypeError, match=r"needed takes a list of names, such as \['trade'\]"):
        health_route(policies=policies, needed="trade")
