"""The sandbox's controls are for programs: a web page in a browser on this machine cannot use them."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import requests

from resilience.sandbox import Sandbox


@pytest.fixture(scope="module")
def exchange() -> Iterator[Sandbox]:
    """A calm exchange."""
    with Sandbox() as running:
        yield running


def asked(exchange: Sandbox, method: str = "GET", path: str = "/sandbox/status", **headers: str) -> requests.Response:
    """Return the answer to a request with these headers."""
    return requests.request(method, exchange.rest + path, headers=headers, timeout=60)


@pytest.mark.parametrize(
    "host", ["localhost:80", "127.0.0.1", "[::1]:8000", "10.1.2.3:1", "sandbox:8000", "a.localhost"]
)
def test_programs_may_use_them(exchange: Sandbox, host: str) -> None:
    """Addresses, localhost and names of a local network are no page of the internet."""
    assert asked(exchange, Host=host).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:8000", "localhost.evil.example", "a b", ":80"]
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/sandbox/ledger"), ("POST", "/sandbox/reset")])
def test_a_domain_that_resolves_to_loopback_is_refused(exchange: Sandbox, host: str, method: str, path: str) -> None:
    """DNS rebinding gives a page's own domain the address of the sandbox; its name stays in `Host`."""
    answer = asked(exchange, method, path, Host=host)
    assert answer.status_code == 403
    assert answer.json()["error"].startswith("Host: ")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3000", "http://127.0.0.1"])
@pytest.mark.parametrize("path", ["/sandbox/faults", "/sandbox/reset", "/sandbox/sockets"])
def test_a_page_of_another_origin_is_refused(exchange: Sandbox, origin: str, path: str) -> None:
    """A page may send a plain POST to any port, and its browser says from where."""
    answer = asked(exchange, "POST", path, Origin=origin)
    assert answer.status_code == 403
    assert answer.json()["error"].startswith("Origin: ")


def test_the_own_origin_and_the_api_are_not_refused(exchange: Sandbox) -> None:
    """The check concerns the controls alone."""
    assert asked(exchange, Origin=exchange.rest).status_code == 200
    assert asked(exchange, "GET", "/api/v2/public/time", Host="api.bitget.com", Origin="null").status_code == 200


def test_a_port_that_is_in_use_is_named() -> None:
    """The error of the constructor says which address is taken."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(OSError, match=f"127.0.0.1:{port}"):
            Sandbox(port)
