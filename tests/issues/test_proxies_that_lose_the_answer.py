"""urllib3 says "unable to connect to proxy" of a proxy that got the request, and it was sent again."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import requests
import urllib3

from resilience import Pipeline, Policy, failure_of, wrap
from resilience.integrations.requests import ResilientAdapter
from resilience.testing import FakeClock

URL = "http://shop.test/orders"
POLICY = Policy(retry={"max_attempts": 3, "backoff": {"initial": 0}})  # type: ignore[arg-type]


class Proxy:
    """Reads a request to its end, and closes the connection.

    Attributes:
        requests: first lines of the requests.
        url: its address.
    """

    def __init__(self) -> None:
        self.requests: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                data = b""
                while b"\r\n\r\n" not in data:
                    data += connection.recv(65536)
                self.requests.append(data.decode().partition("\r\n")[0])

    def close(self) -> None:
        """Stop."""
        with suppress(OSError):  # it has been stopped
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(60)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """Run a proxy."""
    made = Proxy()
    yield made
    made.close()


def session(proxy: Proxy) -> requests.Session:
    """Return a session that uses the proxy."""
    made = requests.Session()
    made.trust_env, made.proxies = False, {"http": proxy.url}
    return made


def with_adapter(proxy: Proxy) -> requests.Session:
    """Return a session whose adapter has the policy."""
    made = session(proxy)
    made.mount("http://", ResilientAdapter(POLICY))
    return made


def under_policy(send: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of the program under the policy."""
    return Pipeline(POLICY, operation="place", clock=FakeClock()).compile(send)


WAYS: dict[str, Callable[[Proxy], Callable[[], Any]]] = {
    "wrapped urllib3": lambda proxy: lambda: wrap(urllib3.ProxyManager(proxy.url), POLICY).request("POST", URL),
    "wrapped requests": lambda proxy: lambda: wrap(session(proxy), POLICY).post(URL),
    "urllib3 in a function": lambda proxy: under_policy(
        lambda: urllib3.ProxyManager(proxy.url).request("POST", URL, retries=False)
    ),
    "urllib3 that retries": lambda proxy: under_policy(
        lambda: urllib3.ProxyManager(proxy.url).request("POST", URL, retries=0)
    ),
    "requests in a function": lambda proxy: under_policy(lambda: session(proxy).post(URL)),
    "adapter": lambda proxy: lambda: with_adapter(proxy).post(URL),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_write_that_a_proxy_got(proxy: Proxy, way: str) -> None:
    """The proxy may have passed it on: it is sent once, and reported as unknown."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  # each client has its own
        WAYS[way](proxy)()
    assert proxy.requests == [f"POST {URL} HTTP/1.1"]
    assert failure_of(caught.value).executed == "maybe"


@pytest.mark.parametrize("way", WAYS)
def test_a_proxy_that_nobody_reaches(proxy: Proxy, way: str) -> None:
    """Nothing was sent, and that is certain."""
    proxy.close()
    with pytest.raises(Exception) as caught:  # noqa: PT011  # each client has its own
        WAYS[way](proxy)()
    assert failure_of(caught.value).executed == "no"
