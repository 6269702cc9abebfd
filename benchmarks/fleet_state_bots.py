"""Runs the processes of the drills of shared state: bots with and without a fleet, and the service that they call."""

from __future__ import annotations

import http.server
import multiprocessing
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

SPAWN = multiprocessing.get_context("spawn")
# A bot with two calls a second has twenty of them in ten seconds.
BREAKER = {"failure_rate": "50%", "min_calls": 30, "window": "10s", "consecutive": None, "open_for": "1s", "growth": 2}
ATTEMPT = 1.0  # seconds that an attempt may take


class Arrival(NamedTuple):
    """A request that has reached the service: when (monotonic seconds, the same clock in all processes), and whose."""

    at: float
    bot: int


class Service:
    """An HTTP service on loopback.

    Attributes:
        mode: `ok`, `ban` (418, sixty seconds), `down` (503) or `hang`.
        ban: seconds of a ban.
        arrivals: every request.
    """

    def __init__(self) -> None:
        self.mode = "ok"
        self.ban = 60
        self.arrivals: list[Arrival] = []
        self._over = threading.Event()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Stop it."""
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def since(self, instant: float) -> list[Arrival]:
        """Return the requests that came from an instant on."""
        return [arrival for arrival in tuple(self.arrivals) if arrival.at >= instant]

    def until(self, is_so: Callable[[], Any], seconds: float = 60.0) -> Any:
        """Wait until something is so."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := is_so():
                return value
            time.sleep(0.001)
        raise TimeoutError

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                service.arrivals.append(Arrival(time.monotonic(), int(self.path.strip("/"))))
                mode = service.mode
                if mode == "hang":
                    service._over.wait(30)
                self.send_response({"ban": 418, "down": 503}.get(mode, 200))
                if mode == "ban":
                    self.send_header("Retry-After", str(service.ban))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_args: object) -> None:
                pass

        return Handler


class Bots:
    """Processes that each run `function(index, stop, report, *args)`.

    Attributes:
        processes: the processes.
        reports: what they have reported: (bot, instant, text).
    """

    def __init__(self, count: int, function: Callable[..., None], *args: Any) -> None:
        self._stop = SPAWN.Event()
        self._queue = SPAWN.Queue()
        self.reports: list[tuple[int, float, str]] = []
        self.processes = [
            SPAWN.Process(target=function, args=(index, self._stop, self._queue, *args), daemon=True)
            for index in range(count)
        ]
        for process in self.processes:
            process.start()
        threading.Thread(target=self._read, daemon=True).start()

    def named(self, text: str) -> list[tuple[int, float, str]]:
        """Return the reports of one kind."""
        return [report for report in tuple(self.reports) if report[2] == text]

    def close(self) -> None:
        """Stop all."""
        self._stop.set()
        for process in self.processes:
            process.join(5)
            process.kill()

    def _read(self) -> None:
        while True:
            self.reports.append(self._queue.get())


def bot(index: int, stop: Any, reports: Any, url: str, store: str | None, rate: float, share: list[str]) -> None:
    """Call the service at a rate, under a policy; with a store its state is shared."""
    import requests

    from resilience import Policies, wrap

    shared = {"shared": {"url": store, "namespace": "drill", "processes": 8, "share": share}} if store else {}
    policy = {"extends": "http", "retry": None, "attempt_timeout": ATTEMPT, "breaker": BREAKER}
    policies = Policies.from_mapping({**shared, "policies": {"p": policy}}, log=False)
    policies.subscribe(lambda event: reports.put((index, time.monotonic(), event.name)))
    plain = requests.Session()
    plain.trust_env = False
    session = wrap(plain, "p", policies=policies)
    reports.put((index, time.monotonic(), "ready"))
    while not stop.wait(1 / rate):
        try:
            session.get(f"{url}/{index}")
        except requests.RequestException:
            pass


def polling_bot(index: int, stop: Any, reports: Any, url: str, port: int, rate: float, every: float) -> None:
    """Call the service at a rate, and ask a store at intervals whether there is a ban: the naive way."""
    import redis
    import requests

    store = redis.Redis(port=port)
    plain = requests.Session()
    plain.trust_env = False
    reports.put((index, time.monotonic(), "ready"))
    asked, is_banned = 0.0, False
    while not stop.wait(1 / rate):
        if time.monotonic() - asked > every:
            asked, is_banned = time.monotonic(), bool(store.get("ban"))
        if not is_banned and plain.get(f"{url}/{index}").status_code == 418:
            store.set("ban", 1, ex=60)
            is_banned = True


def pybreaker_bot(index: int, stop: Any, reports: Any, port: int) -> None:
    """Open a pybreaker that all share, and call it when its time is over: the naive way."""
    import pybreaker
    import redis

    storage = pybreaker.CircuitRedisStorage(pybreaker.STATE_CLOSED, redis.Redis(port=port), namespace="naive")
    breaker = pybreaker.CircuitBreaker(fail_max=3, reset_timeout=2, state_storage=storage)

    def down() -> None:
        reports.put((index, time.monotonic(), "call"))
        time.sleep(0.2)  # a trial takes a while
        raise ConnectionRefusedError

    reports.put((index, time.monotonic(), "ready"))
    while not stop.is_set():
        try:
            breaker.call(down)
        except (pybreaker.CircuitBreakerError, ConnectionRefusedError):
            pass
        stop.wait(0.01)
