"""A key counts only if the finished request carries it, for every client."""

from __future__ import annotations

import asyncio
import warnings
from typing import Any

import aiohttp
import httpx
import pytest
import requests

from resilience import failure_of, wrap
from resilience.integrations.aiohttp import resilience_middleware
from resilience.testing import FakeClock
from tests.integrations.http_clients import policies
from tests.integrations.server import Server, drop_after


class DropsTheKey(httpx.Auth, requests.auth.AuthBase):
    """Removes the key when it signs, as a requests auth, an httpx auth and an aiohttp middleware."""

    def __call__(self, request: Any) -> Any:
        request.headers.pop("Idempotency-Key", None)
        return request

    def auth_flow(self, request: httpx.Request) -> Any:
        """Sign an httpx request."""
        yield self(request)

    async def middleware(self, request: aiohttp.ClientRequest, handler: Any) -> Any:
        """Sign an aiohttp request."""
        return await handler(self(request))


class MovesTheKey(DropsTheKey):
    """Moves the key into the query."""

    def __call__(self, request: Any) -> Any:
        key = request.headers["Idempotency-Key"]
        if isinstance(request, requests.PreparedRequest):
            request.url = f"{request.url}?ref={key}"
        elif isinstance(request, httpx.Request):
            request.url = request.url.copy_set_param("ref", key)
        else:
            request.url = request.url.update_query(ref=key)
        return super().__call__(request)


LIBRARIES = ["requests", "httpx", "httpx async", "aiohttp", "aiohttp middleware"]


def lose(library: str, url: str, signer: Any, times: int = 1) -> tuple[list[Any], list[str]]:
    """Send POSTs whose answers are lost, signed by this signer; return the errors and the keys looked up."""
    looked_up: list[str] = []

    def reconcile(call: Any) -> Any:
        looked_up.append(call.key)
        raise ConnectionError("no answer")

    rules = policies(FakeClock())
    operations = {"post": {"reconcile": reconcile}}

    async def main() -> list[Any]:
        if library == "aiohttp middleware":
            middlewares = [resilience_middleware("p", policies=rules, operations=operations), signer.middleware]
            client: Any = aiohttp.ClientSession(middlewares=middlewares)
        else:
            plain: Any = {
                "requests": requests.Session,
                "httpx": lambda: httpx.Client(auth=signer),
                "httpx async": lambda: httpx.AsyncClient(auth=signer),
                "aiohttp": lambda: aiohttp.ClientSession(middlewares=[signer.middleware]),
            }[library]()
            if library == "requests":
                plain.auth = signer
            client = wrap(plain, "p", policies=rules, operations=operations)
        errors = []
        for _ in range(times):
            try:
                answered = client.post(url)
                if library not in ("requests", "httpx"):
                    await answered
            except Exception as error:
                errors.append(error)
        closed = (client.aclose if isinstance(client, httpx.AsyncClient) else client.close)()
        if closed is not None:
            await closed
        return errors

    return asyncio.run(main()), looked_up


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_key_that_was_dropped_is_not_looked_up(library: str) -> None:
    """The attempt is the last, nothing is looked up, and the report has no key; one warning says why."""
    with Server(drop_after) as server, pytest.warns(UserWarning, match="post: .* header Idempotency-Key") as warned:
        errors, looked_up = lose(library, server.url, DropsTheKey(), times=2)
    assert [(failure_of(error).executed, failure_of(error).key) for error in errors] == [("maybe", None)] * 2
    assert looked_up == []
    assert len(server.requests) == 2
    assert len(warned) == 1


@pytest.mark.parametrize("library", [name for name in LIBRARIES if name != "aiohttp middleware"])
def test_a_key_that_was_moved_counts(library: str) -> None:
    """It does not matter where in the request the key is."""
    with Server(drop_after) as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        (error,), looked_up = lose(library, server.url, MovesTheKey())
    assert failure_of(error).key in server.requests[0].path
    assert set(looked_up) == {failure_of(error).key}


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_warning_that_is_an_error_fails_no_request(library: str) -> None:
    """A program that turns warnings into errors gets the outcome of its write all the same."""
    with Server(drop_after) as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        (error,), _ = lose(library, server.url, DropsTheKey())
    assert not isinstance(error, Warning)
    assert len(server.requests) == 1
