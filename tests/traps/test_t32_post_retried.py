"""A POST that is retried by default places the order twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from resilience import Policies, failure_of, wrap
from resilience.testing import no_waits


class Dropping(HTTPServer):
    """Reads every request, executes it, and closes the connection without a response."""

    done = 0


class Handler(BaseHTTPRequestHandler):
    """Counts what was executed."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        Dropping.done += 1
        self.close_connection = True

    do_GET = do_DELETE = do_PUT = do_POST  # noqa: N815  # the base class asks for these names

    def log_message(self, *_args: object) -> None:
        """Stay quiet."""


@pytest.fixture
def url() -> Iterator[str]:
    """A server that closes every connection without a response."""
    Dropping.done = 0
    server = Dropping(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/orders"
    server.shutdown()
    server.server_close()


def test_naive(url: str) -> None:
    """With urllib3's retries of all methods, the order is executed three times."""
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=Retry(2, allowed_methods=None, backoff_factor=0)))
        with pytest.raises(requests.ConnectionError):
            session.post(url, json={"size": 1}, timeout=5)
    assert Dropping.done == 3


@pytest.mark.parametrize(("method", "times"), [("POST", 1), ("GET", 3), ("PUT", 3), ("DELETE", 3)])
def test_ours(url: str, method: str, times: int) -> None:
    """The method is known from the request: an uncertain POST is sent once, and reported as uncertain."""
    with requests.Session() as plain, no_waits():
        session = wrap(plain, "http", policies=Policies.builtin())
        with pytest.raises(requests.ConnectionError) as caught:
            session.request(method, url, json={"size": 1}, timeout=5)
    assert Dropping.done == times
    if method == "POST":
        assert failure_of(caught.value).executed == "maybe"


def test_own_retries_are_switched_off_with_a_warning(url: str) -> None:
    """urllib3's own retries would multiply those of a wrapped session: they are switched off, with a warning."""
    with requests.Session() as plain:
        plain.mount("http://", HTTPAdapter(max_retries=Retry(2, allowed_methods=None, backoff_factor=0)))
        session = wrap(plain, "http", policies=Policies.builtin())
        with pytest.warns(UserWarning, match="switched off"), pytest.raises(requests.ConnectionError):
            session.post(url, json={"size": 1}, timeout=5)
    assert Dropping.done == 1
