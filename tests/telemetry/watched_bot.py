"""Runs a bot on the sandbox that is scraped while it gets into trouble, such as an outage, an unknown order, a ban.

Everything that the library exports gets a value: limits, slots and lanes, lookups, a socket, a store that is shared.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import CollectorRegistry, start_http_server

from benchmarks.incident.front import Front
from benchmarks.sandbox_address import order
from resilience import Policies, wrap
from resilience.bitget import BitgetClient, WebsocketClientV2
from resilience.sandbox import Sandbox
from resilience.telemetry.prometheus import collector

__all__ = ["PHASES", "WatchedBot", "play", "running_bot"]

PHASES = ("calm", "outage", "calm", "unknown order", "wrong order", "ban", "calm", "isolated", "calm again")
"""What happens one after the other, each for the same time."""
POLICY: dict[str, Any] = {
    "deadline": "3s",
    "retry": {"max_attempts": 4, "backoff": {"initial": "50ms", "max": "200ms"}},
    "budget": {"ratio": "50%", "floor": "10/s"},
    "breaker": {"consecutive": 6, "open_for": "500ms", "open_max": "1s", "when_open": "reject"},
    "quota": [{"name": "orders", "rate": "40/s", "burst": 4}],
    "admission": {"max_concurrent": 4, "max_queue": 20, "queue_timeout": "1s"},
}
SHARED = {"namespace": "desk", "processes": 2, "patience": "1s", "share": ["holds"]}


class WatchedBot:
    """A bot that places orders from several threads.

    Attributes:
        exchange: the sandbox.
        policies: its policies.
        target: where its metrics are, host and port.
    """

    def __init__(self, exchange: Sandbox, policies: Policies, target: str) -> None:
        self.exchange, self.policies, self.target = exchange, policies, target
        self.front = Front(exchange.rest)
        client = BitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=self.front.url)
        self._client = wrap(client, "bitget", policies=policies)
        self._stop = threading.Event()
        self._pause = 0.05
        self._threads = [threading.Thread(target=self._work, args=(n,)) for n in range(6)]

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the work."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self.front.close()

    def begin(self, phase: str, number: int) -> None:
        """Begin a phase; `number` distinguishes its orders."""
        exchange = self.exchange
        self.front.state = {"outage": "down", "ban": "banned"}.get(phase, "up")
        if phase == "calm again":
            self.policies.release()
        if phase == "unknown order":
            exchange.script(f"lost-{number}", ["accept_drop"])
            exchange.script(f"query:lost-{number}", ["query_drop"] * 50)
            exchange.script(f"found-{number}", ["accept_drop"])
            exchange.script(f"again-{number}", ["lose"])
            for name in ("lost", "found", "again"):
                self._order(f"{name}-{number}")
        elif phase == "wrong order":
            self._order(f"wrong-{number}", size="99999999999")
        elif phase == "isolated":
            self.policies.isolate("bitget", reason="the strategy is wrong")

    def _order(self, key: str, **changes: str) -> None:
        """Place an order in a thread of its own: it may take long."""
        thread = threading.Thread(target=self._call, args=(self._place, key), kwargs=changes)
        self._threads.append(thread)
        thread.start()

    def _place(self, key: str, **changes: str) -> None:
        self._client.spot_place_order(**{**order("spot", key), **changes})

    def _work(self, number: int) -> None:
        count = 0
        while not self._stop.wait(self._pause):
            count += 1
            self._call(self._place, f"bot-{number}-{count}")

    def _call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        with suppress(Exception):  # trouble is what this is about
            function(*args, **kwargs)


@contextmanager
def running_bot(folder: Path, store: str | None) -> Iterator[WatchedBot]:
    """Run a bot whose metrics can be scraped, until the block ends.

    Args:
        folder: where its policy file goes.
        store: the URL of a store that it shares, or None.
    """
    with Sandbox(window=1.0, limits=False) as exchange:
        settings = yaml.safe_load(Path(exchange.policy).read_text())
        settings["policies"]["bitget"] |= POLICY
        if store is not None:
            settings["shared"] = {
                "url": store,
                "namespace": "desk",
                "processes": 2,
                "patience": "1s",
                "share": ["holds"],
            }
        path = folder / "bot.yaml"
        path.write_text(yaml.safe_dump(settings))
        policies = Policies.load(path, log=False)
        registry = CollectorRegistry()
        registry.register(collector(policies))
        server, thread = start_http_server(0, addr="127.0.0.1", registry=registry)
        bot = WatchedBot(exchange, policies, f"127.0.0.1:{server.server_port}")
        stream = WebsocketClientV2(base_url=exchange.ws, policies=policies).blocking()
        try:
            with stream:
                stream.subscribe({"instType": "SPOT", "channel": "ticker", "instId": "BTCUSDT"})
                bot.start()
                try:
                    yield bot
                finally:
                    bot.stop()
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def play(bot: WatchedBot, seconds: float) -> None:
    """Go through all phases in these seconds."""
    for number, phase in enumerate(PHASES):
        bot.begin(phase, number)
        time.sleep(seconds / len(PHASES))
