"""Settings and fixtures of all tests. Hypothesis draws the same examples in each run and has no deadline."""

from __future__ import annotations

import asyncio
import http.server
import json
import logging
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
import structlog
import trio
from hypothesis import HealthCheck, settings

from resilience.testing import AsyncScriptedTransport, ScriptedTransport

pytest_plugins = ["tests.workers"]

slow_machine = [HealthCheck.too_slow]
settings.register_profile("quick", derandomize=True, deadline=None, suppress_health_check=slow_machine, max_examples=40)
settings.register_profile("thorough", derandomize=True, deadline=None, suppress_health_check=slow_machine)
settings.load_profile("quick")


@pytest.fixture(autouse=True)
def _unconfigured_log() -> Iterator[None]:
    """Undo what a test has configured of structlog, as `capture_logs` does, and of our loggers: there our lines go."""
    yield
    structlog.reset_defaults()
    for name in ("", ".call", ".breaker", ".stream", ".policy"):
        logger = logging.getLogger(f"resilience{name}")
        logger.setLevel(logging.NOTSET)
        logger.handlers.clear()
        logger.propagate, logger.disabled = True, False


@pytest.fixture(autouse=True)
def forget_secrets() -> Iterator[None]:
    """Forget the secrets that a test has registered: "secret" itself, say, would be redacted in every later test."""
    redaction = import_module("resilience.telemetry.redaction")
    before = dict(redaction._registered.permanent)
    yield
    if redaction._registered.permanent != before:
        redaction._registered = type(redaction._registered)(before)


class Driver:
    """Runs a test through a sync function, an asyncio task or a trio task.

    A test makes its transport by the driver and calls what was compiled from it by the driver, so that its text is the
    same for all three.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def transport(self, script: Iterable[Any]) -> ScriptedTransport:
        """Return a scripted transport: sync or async, as the driver is."""
        return ScriptedTransport(script) if self.kind == "sync" else AsyncScriptedTransport(script)

    def function(self, body: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that does what `body` does: sync or async, as the driver is."""
        if self.kind == "sync":
            return body

        async def call_body(*args: Any, **kwargs: Any) -> Any:
            return body(*args, **kwargs)

        return call_body

    def call(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a compiled or decorated function and return its result."""
        if self.kind == "sync":
            return fn(*args, **kwargs)

        async def run() -> Any:
            return await fn(*args, **kwargs)

        return asyncio.run(run()) if self.kind == "asyncio" else trio.run(run)


@pytest.fixture(params=["sync", "asyncio", "trio"])
def driver(request: pytest.FixtureRequest) -> Driver:
    """Runs a test once through each driver."""
    return Driver(request.param)


class ScriptedApi:
    """An HTTP server on loopback that answers as a test says and records each request.

    An answer is a mapping (JSON), `(status, body)`, or one of `drop` (the connection is closed) and `hang` (no
    answer before the end of the test), or a function that returns one of these for what was sent. The last answer of a
    path is repeated; an unknown path is a 404.
    """

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self._answers: dict[str, list[Any]] = {}
        self._over = threading.Event()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.rest = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def on(self, path: str, *answers: Any) -> None:
        """Set the answers to requests of a path, in order."""
        self._answers[path] = list(answers)

    def sent_to(self, path: str) -> list[Any]:
        """Return what was sent to a path: bodies of writes, queries of reads."""
        return [sent for _, requested, sent in self.seen if requested == path]

    def close(self) -> None:
        """Answer the hanging requests and stop."""
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
                api.headers.append({name.lower(): value for name, value in self.headers.items()})
                api.seen.append((self.command, path, sent))
                answers = api._answers.get(path, [(404, "not found")])
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                self._answer(answer(sent) if callable(answer) else answer)

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
                """Write no log."""

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


def _moved(urls: Any, base: str) -> Any:
    """Return URLs, which may be nested, with another scheme and host."""
    if isinstance(urls, dict):
        return {name: _moved(value, base) for name, value in urls.items()}
    return re.sub(r"^https?://[^/]+", base, urls) if isinstance(urls, str) else urls


class CcxtBots:
    """Exchanges of ccxt, sync or async, with markets that they need not load."""

    def __init__(self, kind: str) -> None:
        self.asynchronous = kind == "asyncio"
        self._runner = asyncio.Runner() if self.asynchronous else None
        self._exchanges: list[Any] = []

    def plain(self, where: Any, name: str = "bitget", **config: Any) -> Any:
        """Return an exchange of ccxt that talks to a sandbox or a scripted server."""
        cls = getattr(import_module("ccxt.async_support" if self.asynchronous else "ccxt"), name)
        keys = {"apiKey": "sandbox-key", "secret": "sandbox-secret-0123456789", "password": "sandbox-pass"}
        exchange = cls({**keys, "enableRateLimit": False, "options": {"uta": False}, **config})
        exchange.urls["api"] = dict.fromkeys(exchange.urls["api"], where.rest)
        exchange.timeout_on_exit = 0
        exchange.set_markets([dict(market) for market in MARKETS])
        self._exchanges.append(exchange)
        return exchange

    def at(self, url: str, name: str, symbol: str = SPOT, **config: Any) -> Any:
        """Return any exchange of ccxt with its addresses moved to a local server, their paths kept."""
        cls = getattr(import_module("ccxt.async_support" if self.asynchronous else "ccxt"), name)
        keys = {"apiKey": "account-1", "secret": "c2VjcmV0", "password": "words"}
        keys |= {"walletAddress": "0x" + "12" * 20, "privateKey": "0x" + "34" * 32}
        exchange = cls({**keys, "enableRateLimit": False, **config})
        exchange.urls["api"] = _moved(exchange.urls["api"], url)
        exchange.timeout_on_exit = 0
        swap, (base, quote) = ":" in symbol, symbol.partition(":")[0].split("/")
        market = {**MARKETS[swap], "id": base + quote, "symbol": symbol, "base": base, "quote": quote}
        limits = {key: {"min": None, "max": None} for key in ("amount", "price", "cost", "leverage")}
        market |= {"settle": quote if swap else None, "settleId": quote if swap else None, "limits": limits}
        market |= {"baseId": "0" if swap else base, "quoteId": quote, "baseName": base}
        market |= {"linear": swap or None, "inverse": False if swap else None}
        exchange.set_markets([market])
        self._exchanges.append(exchange)
        return exchange

    def call(self, method: Any, *args: Any, **kwargs: Any) -> Any:
        """Call a method of an exchange and return what it returns."""
        if self._runner is None:
            return method(*args, **kwargs)

        async def run() -> Any:
            return await method(*args, **kwargs)

        return self._runner.run(run())

    def close(self) -> None:
        """Close the exchanges."""
        for exchange in self._exchanges:
            self.call(exchange.close)
        if self._runner is not None:
            self._runner.close()


@pytest.fixture(params=["sync", "asyncio"])
def bots(request: pytest.FixtureRequest) -> Iterator[CcxtBots]:
    """Runs a test once with sync and once with async exchanges."""
    ccxt_bots = CcxtBots(request.param)
    yield ccxt_bots
    ccxt_bots.close()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that installs a package `shop-plugins` with one entry point, and the modules that it needs."""

    def install_package(group: str, name: str, value: str, **modules: str) -> None:
        info = tmp_path / f"shop_plugins_{len(list(tmp_path.iterdir()))}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shop-plugins\nVersion: 1.2\n", encoding="utf-8")
        (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {value}\n", encoding="utf-8")
        for module, source in modules.items():
            (tmp_path / f"{module}.py").write_text(source, encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)

    return install_package
