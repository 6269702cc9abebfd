"""Tests that the first call and the first failure find everything loaded: no module is imported, no file is opened.

Each program runs in an interpreter of its own. What a client's library loads at its own first answer and first error
has been loaded by a client that is not wrapped.
"""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

HARNESS = """
import asyncio, contextlib, json, logging, os, sys, urllib.request
from pathlib import Path

import resilience
from resilience import Pipeline, Policies, Policy, configure, failure_of, resilient, warm_up, wrap

URL, FOLDER = sys.argv[1], Path(sys.argv[2])
NOBODY = "http://127.0.0.1:9"
logging.basicConfig(level="WARNING")
logging.getLogger("resilience").warning("the logging of the program works")
loads, now = {}, None

def hook(event, args):
    if now is not None and event in ("import", "open"):
        loads.setdefault(now, []).append(f"{event} {args[0]}")

sys.addaudithook(hook)

@contextlib.contextmanager
def watched(what):
    "Record what is loaded meanwhile."
    global now
    before, now = set(sys.modules), what
    try:
        yield
    finally:
        now = None
        new = set(sys.modules) - before
        if new:
            loads.setdefault(what, []).append(f"modules {sorted(new)}")

def check(what, answer, error, fails):
    status = 200
    for name in ("status", "status_code"):
        status = getattr(answer, name, status)
    assert fails == (error is not None or status >= 400), (what, answer, error)
    return error

def call(what, fn, *args, fails=False):
    "Call a function while loads are recorded, and expect that it fails, or that it does not."
    answer = error = None
    with watched(what):
        try:
            answer = fn(*args)
        except Exception as raised:
            error = raised
    return check(what, answer, error, fails)

async def call_async(what, fn, *args, fails=False):
    "Await a function while loads are recorded, and expect that it fails, or that it does not."
    answer = error = None
    with watched(what):
        try:
            answer = await fn(*args)
        except Exception as raised:
            error = raised
    return check(what, answer, error, fails)

async def try_async(fn, *args):
    "Await a function of a client that is not wrapped, so that its library loads what it needs."
    with contextlib.suppress(Exception):
        await fn(*args)

def service(mood):
    "Let the service fail, or work again."
    urllib.request.urlopen(f"{URL}/{mood}").read()

QUICK = {"max_attempts": 3, "backoff": {"initial": "1ms", "max": "2ms"}}
POLICIES = {"version": 1, "policies": {name: {"extends": name, "retry": QUICK} for name in ("default", "http")}}
"Without the tables of any API: a client has to bring its own."
failing = [False]

def send():
    if failing[0]:
        raise ConnectionResetError("down")
    return 1

async def send_async():
    return send()

"""
PROGRAMS = {
    "decorator, configured before": """
        configure(POLICIES)
        price = resilient(idempotent=True)(send)
        call("first call", price)
        failing[0] = True
        assert failure_of(call("first failure", price, fails=True)).attempts == 3
    """,
    "async decorator, configured afterwards": """
        price = resilient("bitget", idempotent=True)(send_async)
        configure(FOLDER / "bot.yaml")

        async def main():
            await call_async("first call", price)
            failing[0] = True
            await call_async("first failure", price, fails=True)

        asyncio.run(main())
    """,
    "decorator, warmed up": """
        price = resilient("ccxt", idempotent=True)(send)
        warm_up()
        call("first call", price)
        failing[0] = True
        call("first failure", price, fails=True)
    """,
    "decorator with a policy, not configured": """
        price = resilient(Policy(name="p", retry=QUICK), idempotent=True)(send)
        price()  # the first call loads the default policies
        failing[0] = True
        call("first failure", price, fails=True)
    """,
    "several policies warmed up in a running loop": """
        async def main():
            await asyncio.to_thread(warm_up, "bitget", Policy(name="p", codes=("discord", "http")), policies)
            prices = [resilient(name, idempotent=True)(send_async) for name in ("bitget", "default")]
            prices.append(policies.resilient("http", idempotent=True)(send_async))
            for number, price in enumerate(prices):
                failing[0] = False
                await call_async(f"first call {number}", price)
                failing[0] = True
                await call_async(f"first failure {number}", price, fails=True)

        policies = Policies.builtin()
        asyncio.run(main())
    """,
    "a breaker that opens": """
        breaker = {"consecutive": 2, "open_for": "1ms"}
        configure({"version": 1, "policies": {"default": {"breaker": breaker, "retry": QUICK}}})
        price = resilient(idempotent=True)(send)
        call("first call", price)
        failing[0] = True
        for number in range(5):
            call(f"failure {number}", price, fails=True)
    """,
    "trio": """
        import trio

        configure(POLICIES)
        price = resilient("http", idempotent=True)(send_async)

        async def main():
            await trio.sleep(0.001)
            await call_async("first call", price)
            failing[0] = True
            await call_async("first failure", price, fails=True)

        trio.run(main)
    """,
    "policies of their own": """
        policies = Policies.from_mapping(POLICIES)
        price = policies.resilient("bitget", idempotent=True)(send)
        pipeline = policies.pipeline("http")
        call("first call", price)
        call("first call of a pipeline", pipeline.call, send)
        failing[0] = True
        call("first failure", price, fails=True)
        call("first failure of a pipeline", pipeline.call, send, fails=True)
    """,
    "pipeline": """
        pipeline = Pipeline(Policy(name="p", retry=QUICK, codes=("bitget", "http")), idempotent=True)
        compiled = pipeline.compile(send)
        call("first call", compiled)
        failing[0] = True
        call("first failure", compiled, fails=True)
        call("first failure without compile", pipeline.call, send, fails=True)
    """,
    "requests": """
        import requests

        configure(POLICIES)
        session = wrap(requests.Session(), "http")
        plain = requests.Session()
        plain.get(URL), service("fail"), plain.get(URL), service("work")
        with contextlib.suppress(requests.ConnectionError):
            plain.get(NOBODY)
        call("first call", session.get, URL)
        service("fail")
        call("first failure", session.get, URL, fails=True)
        call("first write that fails", session.post, URL, fails=True)
        call("first refused connection", session.get, NOBODY, fails=True)
    """,
    "requests, wrapped before configure": """
        import requests

        session = wrap(requests.Session(), "bitget", operations={"get": "http"})
        configure(POLICIES)
        plain = requests.Session()
        plain.get(URL), service("fail"), plain.get(URL), service("work")
        call("first call", session.get, URL)
        service("fail")
        call("first failure", session.get, URL, fails=True)
        call("first write that fails", session.post, URL, fails=True)
    """,
    "requests, adapter": """
        import requests
        from resilience.integrations.requests import ResilientAdapter

        session = requests.Session()
        session.mount(URL, ResilientAdapter("bitget"))
        configure(POLICIES)
        plain = requests.Session()
        plain.get(URL), service("fail"), plain.get(URL), service("work")
        call("first call", session.get, URL)
        service("fail")
        call("first failure", session.get, URL, fails=True)
    """,
    "urllib3": """
        import urllib3

        configure(POLICIES)
        pool, plain = wrap(urllib3.PoolManager(), "http"), urllib3.PoolManager()
        plain.request("GET", URL), service("fail"), plain.request("GET", URL), service("work")
        call("first call", pool.request, "GET", URL)
        service("fail")
        call("first failure", pool.request, "GET", URL, fails=True)
    """,
    "httpx": """
        import httpx

        configure(POLICIES)
        client, plain = wrap(httpx.Client(), "http"), httpx.Client()
        plain.get(URL), service("fail"), plain.get(URL), service("work")
        with contextlib.suppress(httpx.ConnectError):
            plain.get(NOBODY)
        call("first call", client.get, URL)
        service("fail")
        call("first failure", client.get, URL, fails=True)
        call("first refused connection", client.get, NOBODY, fails=True)
    """,
    "async httpx": """
        import httpx

        configure(POLICIES)

        async def main():
            async with httpx.AsyncClient() as plain, wrap(httpx.AsyncClient(), "http") as client:
                await plain.get(URL), service("fail"), await plain.get(URL), service("work")
                await try_async(plain.get, NOBODY)
                await call_async("first call", client.get, URL)
                service("fail")
                await call_async("first failure", client.get, URL, fails=True)
                await call_async("first refused connection", client.get, NOBODY, fails=True)

        asyncio.run(main())
    """,
    "async httpx, transport": """
        import httpx
        from resilience.integrations.httpx import AsyncResilientTransport

        transport = AsyncResilientTransport("bitget")
        configure(POLICIES)

        async def main():
            async with httpx.AsyncClient() as plain, httpx.AsyncClient(transport=transport) as client:
                await plain.get(URL), service("fail"), await plain.get(URL), service("work")
                await call_async("first call", client.get, URL)
                service("fail")
                await call_async("first failure", client.get, URL, fails=True)

        asyncio.run(main())
    """,
    "aiohttp": """
        import aiohttp

        configure(POLICIES)

        async def main():
            async with aiohttp.ClientSession() as plain, wrap(aiohttp.ClientSession(), "http") as session:
                await plain.get(URL), service("fail"), await plain.get(URL), service("work")
                await try_async(plain.get, NOBODY)
                await call_async("first call", session.get, URL)
                service("fail")
                await call_async("first failure", session.get, URL, fails=True)
                await call_async("first refused connection", session.get, NOBODY, fails=True)

        asyncio.run(main())
    """,
    "ccxt": """
        import ccxt

        def exchange():
            made = ccxt.bitget({"enableRateLimit": False})
            made.urls["api"] = dict.fromkeys(made.urls["api"], URL)
            return made

        configure(POLICIES)
        plain, wrapped = exchange(), wrap(exchange(), "http")  # a policy without the tables of ccxt and Bitget
        plain.fetch_time(), service("fail")
        with contextlib.suppress(ccxt.BaseError):
            plain.fetch_time()
        service("work")
        call("first call", wrapped.fetch_time)
        service("fail")
        assert failure_of(call("first failure", wrapped.fetch_time, fails=True)).code == "40725"
    """,
    "ccxt, an exchange of the program": """
        import ccxt

        class Mine(ccxt.bitget):
            def describe(self):
                return self.deep_extend(super().describe(), {"id": "telegram"})  # a table that ccxt does not speak of

        def exchange():
            made = Mine({"enableRateLimit": False})
            made.urls["api"] = dict.fromkeys(made.urls["api"], URL)
            return made

        configure(POLICIES)
        plain, wrapped = exchange(), wrap(exchange(), "http")
        plain.fetch_time(), service("fail")
        with contextlib.suppress(ccxt.BaseError):
            plain.fetch_time()
        service("work")
        call("first call", wrapped.fetch_time)
        service("fail")
        call("first failure", wrapped.fetch_time, fails=True)
    """,
    "async ccxt": """
        import ccxt.async_support as ccxt

        def exchange():
            made = ccxt.bitget({"enableRateLimit": False})
            made.urls["api"] = dict.fromkeys(made.urls["api"], URL)
            return made

        configure(POLICIES)

        async def main():
            plain, other = exchange(), exchange()
            wrapped = wrap(other, "ccxt")
            await plain.fetch_time(), service("fail"), await try_async(plain.fetch_time), service("work")
            await call_async("first call", wrapped.fetch_time)
            service("fail")
            error = await call_async("first failure", wrapped.fetch_time, fails=True)
            assert failure_of(error).code == "40725"
            await plain.close()
            await wrapped.close()

        asyncio.run(main())
    """,
    "ccxt, not wrapped": """
        import ccxt

        plain = ccxt.bitget({"enableRateLimit": False})
        plain.urls["api"] = dict.fromkeys(plain.urls["api"], URL)
        configure(POLICIES)
        fetch_time = resilient(idempotent=True)(plain.fetch_time)
        plain.fetch_time(), service("fail")
        with contextlib.suppress(ccxt.BaseError):
            plain.fetch_time()
        service("work")
        call("first call", fetch_time)
        service("fail")
        assert failure_of(call("first failure", fetch_time, fails=True)).code == "40725"
    """,
    "BitgetClient": """
        import requests
        from resilience.bitget import BitgetClient

        client = wrap(BitgetClient(base_url=URL), "http")
        configure(POLICIES)
        requests.get(URL), service("fail"), requests.get(URL), service("work")
        call("first call", client.server_time)
        service("fail")
        assert failure_of(call("first failure", client.server_time, fails=True)).code == "40725"
    """,
    "BitgetClient, not wrapped": """
        import requests
        from resilience.bitget import BitgetClient

        configure(POLICIES)
        server_time = resilient(idempotent=True)(BitgetClient(base_url=URL).server_time)
        requests.get(URL), service("fail"), requests.get(URL), service("work")
        call("first call", server_time)
        service("fail")
        assert failure_of(call("first failure", server_time, fails=True)).code == "40725"
    """,
    "AsyncBitgetClient": """
        import httpx
        from resilience.bitget import AsyncBitgetClient

        configure(POLICIES)

        async def main():
            async with httpx.AsyncClient() as plain, AsyncBitgetClient(base_url=URL) as other:
                client = wrap(other, "http")
                await plain.get(URL), service("fail"), await plain.get(URL), service("work")
                await call_async("first call", client.server_time)
                service("fail")
                error = await call_async("first failure", client.server_time, fails=True)
                assert failure_of(error).code == "40725"

        asyncio.run(main())
    """,
    "stream": """
        from resilience.bitget import WebsocketClientV3
        from websockets.asyncio.client import connect

        configure(POLICIES)

        async def main():
            await try_async(connect, NOBODY.replace("http", "ws"))
            failed = asyncio.Event()
            async with WebsocketClientV3(base_url=NOBODY.replace("http", "ws"), policy="http") as client:
                client.on("exception", lambda failure: failed.set())
                with watched("first failure"):
                    client.subscribe({"instType": "spot", "topic": "ticker", "symbol": "BTCUSDT"})
                    await failed.wait()

        asyncio.run(main())
    """,
    "reload": """
        path = FOLDER / "bot.yaml"
        policies = Policies.load(path)
        price = policies.resilient("p", idempotent=True)(send)
        price()
        text = path.read_text().replace("codes: [http]", "codes: [bitget, telegram, http]")
        assert text != path.read_text()
        path.write_text(text + "  q: {extends: bitget}\\n")
        policies.reload()
        failing[0] = True
        call("first failure", price, fails=True)
        call("first failure of a new policy", policies.resilient("q", idempotent=True)(send), fails=True)
    """,
    "fork": """
        price = resilient("bitget", idempotent=True)(send)
        configure(POLICIES)
        child = os.fork()
        if child == 0:
            call("first call", price)
            failing[0] = True
            call("first failure", price, fails=True)
            os._exit(len(loads))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    """,
    "structlog, configured": """
        import structlog

        structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
        structlog.get_logger().warning("the logging of the program works")
        configure(POLICIES)
        price = resilient(idempotent=True)(send)
        call("first call", price)
        failing[0] = True
        call("first failure", price, fails=True)
    """,
    "structlog, configured after the policies": """
        configure(POLICIES, log="structlog")
        price = resilient(idempotent=True)(send)
        call("first call", price)
        failing[0] = True
        call("first failure", price, fails=True)
    """,
    "a registry of the program": """
        table = FOLDER / "mine.yaml"
        table.write_text("rules:\\n  - {code: '7', category: retryable, executed: no, remedy: Wait}\\n")
        policies = Policies.from_mapping({"version": 1, "policies": {"p": {"codes": [str(table), "http"]}}})
        price = policies.resilient("p", idempotent=True)(send)
        call("first call", price)
        failing[0] = True
        call("first failure", price, fails=True)
    """,
}


class _Service(http.server.ThreadingHTTPServer):
    """A service that works until it is told to fail."""

    daemon_threads = True
    fails = False


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Service
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        switch = self.path.removeprefix("/") in ("fail", "work")
        if switch:
            self.server.fails = self.path == "/fail"
        fails = self.server.fails and not switch
        body = b'{"code": "40725", "msg": "down"}' if fails else b'{"code": "00000", "data": {"serverTime": "1"}}'
        self.send_response(503 if fails else 200)
        self.send_header("Content-Type", "application/json")
        if fails:
            self.send_header("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_args: object) -> None:
        """Write no log."""


@pytest.fixture
def url() -> Iterator[str]:
    """The address of a service that works until a request of `/fail`, and again from `/work` on."""
    with _Service(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a policy file."""
    text = "version: 1\npolicies:\n  p: {extends: http, codes: [http], retry: {backoff: {initial: 1ms, max: 2ms}}}\n"
    (tmp_path / "bot.yaml").write_text(text)
    return tmp_path


QUICK = ("decorator, configured before", "async decorator, configured afterwards", "requests", "ccxt", "stream")
"""Programs that are not left to the full run."""


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.full) for name in PROGRAMS]
)
def test_nothing_is_loaded(name: str, url: str, folder: Path) -> None:
    """Neither the first call nor the first failure imports a module or opens a file."""
    text = f"{HARNESS}{textwrap.dedent(PROGRAMS[name])}\nprint(json.dumps(loads))\n"
    command = [sys.executable, "-c", text, url, str(folder)]
    ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    loads = json.loads(ran.stdout.splitlines()[-1])
    assert not loads, {what: [len(things), *things[:4], things[-1][:200]] for what, things in loads.items()}
