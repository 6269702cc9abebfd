"""Builds the clients of the gateway table that users write themselves: decorated functions and wrapped objects."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from resilience import resilient, wrap

from .gateway_clients import BODY, GatewayClient, Site, found_in, key_header, policies

__all__ = ["OWN"]


def function(site: Site, stack: Any) -> Callable[[str], Any]:
    """Return a decorated function that sends with requests and raises as its users do."""
    session = stack.enter_context(site.requests())

    def look_up(call: Any) -> Any:
        answer = session.get(site.orders, params={"key": call.key}, timeout=10)
        return found_in(answer.status_code, answer.content)

    reconcile = {"key": "client_id", "reconcile": look_up} if site.reconciled else {}

    @resilient("gateway", policies=policies(site), **reconcile)
    def place_order(*, client_id: str) -> Any:
        url, headers = site.orders, key_header(client_id)
        answer = session.post(url, json=BODY, headers=headers, timeout=10, allow_redirects=False)
        answer.raise_for_status()
        return checked(answer.json(), client_id)

    return lambda key: place_order(client_id=key)


async def async_function(site: Site, stack: Any) -> Callable[[str], Any]:
    """Return a decorated coroutine function that sends with httpx."""
    client = await stack.enter_async_context(site.httpx(asynchronous=True))

    async def look_up(call: Any) -> Any:
        answer = await client.get(site.orders, params={"key": call.key})
        return found_in(answer.status_code, answer.content)

    reconcile = {"key": "client_id", "reconcile": look_up} if site.reconciled else {}

    @resilient("gateway", policies=policies(site), **reconcile)
    async def place_order(*, client_id: str) -> Any:
        answer = await client.post(site.orders, json=BODY, headers=key_header(client_id))
        answer.raise_for_status()
        return checked(answer.json(), client_id)

    return lambda key: place_order(client_id=key)


class UnusableAnswerError(Exception):
    """Raised for a success that is not this order's, as a careful program does."""


def checked(order: Any, key: str) -> Any:
    """Return the order of an answer.

    Raises:
        UnusableAnswerError: there is none, or it is another one.
    """
    if not isinstance(order, dict) or "orderId" not in order or order.get("clientOrderId") != key:
        raise UnusableAnswerError(f"no order in {order!r}")
    return order


class ServiceError(Exception):
    """The error of a client of one's own: the status, and the body as text."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body[:100]}")
        self.status_code, self.body = status, body


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follow no redirect."""


class OwnClient:
    """A client as users write them, on urllib."""

    def __init__(self, site: Site) -> None:
        self._site, self._opener = site, build_opener(_Stay())

    def place_order(self, *, client_id: str) -> Any:
        request = Request(self._site.orders, json.dumps(BODY).encode(), key_header(client_id))
        return checked(json.loads(self._send(request)), client_id)

    def find_order(self, key: str) -> Any:
        return found_in(200, self._send(Request(f"{self._site.orders}?key={key}")))

    def _send(self, request: Request) -> bytes:
        try:
            with self._opener.open(request, timeout=10) as answer:
                return answer.read()
        except HTTPError as error:
            with error:
                raise ServiceError(error.code, error.read().decode("utf-8", "replace")) from None


class AsyncOwnClient:
    """A client as users write them, on aiohttp."""

    def __init__(self, site: Site, session: Any) -> None:
        self._site, self._session = site, session

    async def place_order(self, *, client_id: str) -> Any:
        headers = key_header(client_id)
        body = await self._send("POST", json=BODY, headers=headers)
        return checked(json.loads(body), client_id)

    async def find_order(self, key: str) -> Any:
        return found_in(200, await self._send("GET", params={"key": key}))

    async def _send(self, method: str, **options: Any) -> bytes:
        async with self._session.request(method, self._site.orders, allow_redirects=False, **options) as answer:
            body: bytes = await answer.read()
            if answer.status >= 300:
                raise ServiceError(answer.status, body.decode("utf-8", "replace"))
            return body


def own_client(site: Site, _stack: Any) -> Callable[[str], Any]:
    client: Any = None
    rules = {"place_order": {"key": "client_id", "reconcile": lambda call: client.find_order(call.key)}}
    rules |= {"find_order": {"idempotent": True}}
    client = wrap(OwnClient(site), "gateway", operations=rules if site.reconciled else None, policies=policies(site))
    return lambda key: client.place_order(client_id=key)


async def async_own_client(site: Site, stack: Any) -> Callable[[str], Any]:
    import aiohttp

    client: Any = None

    async def look_up(call: Any) -> Any:
        return await client.find_order(call.key)

    session = await stack.enter_async_context(aiohttp.ClientSession())
    rules: Any = {
        "place_order": {"key": "client_id", "reconcile": look_up},
        "find_order": {"idempotent": True},
    }
    raw = AsyncOwnClient(site, session)
    client = wrap(raw, "gateway", operations=rules if site.reconciled else None, policies=policies(site))
    return lambda key: client.place_order(client_id=key)


OWN = (
    GatewayClient("function", function),
    GatewayClient("async function", async_function, True),
    GatewayClient("own client", own_client),
    GatewayClient("async own client", async_own_client, True),
)
