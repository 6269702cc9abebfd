"""Settings and fixtures of every test: hypothesis draws the same examples each time and measures no time."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from typing import Any
from urllib.parse import parse_qsl

import pytest
import trio
from hypothesis import HealthCheck, settings

from resilience.testing import AsyncScriptedTransport, ScriptedTransport

settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


class Driver:
    """Runs one story through a sync function, an asyncio task or a trio task.

    A story makes its transport and calls what was compiled from it; the colour is the driver's affair.
    """

    def __init__(self, colour: str) -> None:
        self.colour = colour

    def transport(self, script: Iterable[Any]) -> ScriptedTransport:
        """Return a scripted transport of this driver's colour."""
        return ScriptedTransport(script) if self.colour == "sync" else AsyncScriptedTransport(script)

    def function(self, body: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function of this driver's colour that does what `body` does."""
        if self.colour == "sync":
            return body

        async def colored(*args: Any, **kwargs: Any) -> Any:
            return body(*args, **kwargs)

        return colored

    def call(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call what was compiled or decorated and return what it returns."""
        if self.colour == "sync":
            return fn(*args, **kwargs)

        async def run() -> Any:
            return await fn(*args, **kwargs)

        return asyncio.run(run()) if self.colour == "asyncio" else trio.run(run)


@pytest.fixture(params=["sync", "asyncio", "trio"])
def driver(request: pytest.FixtureRequest) -> Driver:
    """Every story runs once through each driver."""
    return Driver(request.param)


class ScriptedApi:
    """An HTTP server on loopback that answers as a test says and remembers what it was asked.

    An answer is a mapping (JSON), `(status, body)`, or one of `drop` (the connection is closed) and `hang` (no
    answer before the end). The last answer of a path goes on answering; an unknown path is a 404.
    """

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, Any]] = []
        self._answers: dict[str, list[Any]] = {}
        self._over = threading.Event()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.rest = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def on(self, path: str, *answers: Any) -> None:
        """Answer requests of a path with these, one after the other."""
        self._answers[path] = list(answers)

    def asked(self, path: str) -> list[Any]:
        """Return what was sent to a path: bodies of writes, queries of reads."""
        return [sent for _, one, sent in self.seen if one == path]

    def close(self) -> None:
        """Let go of whoever hangs, and stop."""
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                sent = json.loads(body) if body.startswith(("{", "[")) else dict(parse_qsl(body or query))
                api.seen.append((self.command, path, sent))
                answers = api._answers.get(path, [(404, "not found")])
                self._answer(answers.pop(0) if len(answers) > 1 else answers[0])

            do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815  # the base class's names

            def _answer(self, answer: Any) -> None:
                if answer == "hang":
                    api._over.wait(30)
                if isinstance(answer, str):
                    self.close_connection = True
                    return
                status, body = answer if isinstance(answer, tuple) else (200, answer)
                raw = (body if isinstance(body, str) else json.dumps(body)).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_args: Any) -> None:
                """Say nothing."""

        return Handler


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    """A scripted HTTP server."""
    server = ScriptedApi()
    yield server
    server.close()


SPOT, SWAP = "BTC/USDT", "BTC/USDT:USDT"
_COMMON = {
    "id": "BTCUSDT",
    "base": "BTC",
    "quote": "USDT",
    "baseId": "BTC",
    "quoteId": "USDT",
    "active": True,
    "limits": {},
}
_COMMON |= {"precision": {"amount": 1e-6, "price": 0.01}, "future": False, "option": False, "margin": False}
_COMMON |= {"info": {"orderTypes": ["LIMIT", "MARKET"]}}
MARKETS = [
    {**_COMMON, "symbol": SPOT, "type": "spot", "spot": True, "swap": False, "contract": False},
    {
        **_COMMON, "symbol": SWAP, "type": "swap", "spot": False, "swap": True, "contract": True, "linear": True,
        "inverse": False, "settle": "USDT", "settleId": "USDT", "contractSize": 1,
    },
]  # fmt: skip


class CcxtBots:
    """Exchanges of ccxt in one colour, with markets that they need not load; a story runs through both colours."""

    def __init__(self, colour: str) -> None:
        self.asynchronous = colour == "asyncio"
        self._runner = asyncio.Runner() if self.asynchronous else None
        self._made: list[Any] = []

    def plain(self, where: Any, name: str = "bitget", **config: Any) -> Any:
        """Return an exchange of ccxt that talks to a sandbox or a scripted server."""
        kind = getattr(import_module("ccxt.async_support" if self.asynchronous else "ccxt"), name)
        keys = {"apiKey": "sandbox-key", "secret": "sandbox-secret-0123456789", "password": "sandbox-pass"}
        made = kind({**keys, "enableRateLimit": False, "options": {"uta": False}, **config})
        made.urls["api"] = dict.fromkeys(made.urls["api"], where.rest)
        made.timeout_on_exit = 0
        made.set_markets([dict(one) for one in MARKETS])
        self._made.append(made)
        return made

    def call(self, method: Any, *args: Any, **kwargs: Any) -> Any:
        """Call a method of an exchange and return what it returns."""
        if self._runner is None:
            return method(*args, **kwargs)

        async def run() -> Any:
            return await method(*args, **kwargs)

        return self._runner.run(run())

    def close(self) -> None:
        """Close what was made."""
        for one in self._made:
            self.call(one.close)
        if self._runner is not None:
            self._runner.close()


@pytest.fixture(params=["sync", "asyncio"])
def bots(request: pytest.FixtureRequest) -> Iterator[CcxtBots]:
    """Stories of ccxt run once through each of its colours."""
    made = CcxtBots(request.param)
    yield made
    made.close()
