"""Runs a small bot against the sandbox that meets every kind of trouble in turn, so that the console has what to show.

It reads prices and places orders. Some orders lose their answers and are settled by lookups; of a few the lookups fail
as well, and they stay in doubt until a person has them looked up. Now and then the account has no funds, and the prices
are down for a while.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import count
from types import TracebackType
from typing import Any, Self

from .. import Policies, wrap
from ..bitget import BitgetClient
from ..sandbox import Sandbox

__all__ = ["DemoBot"]

_WINDOW = 1.0  # seconds for which the sandbox accepts a stamp: what proves "not found" takes a few seconds
_PERIOD = 90.0  # seconds after which the troubles begin again
_MAX_DOUBTS = 4
_DOWN = (12.0, 22.0)  # seconds of the period in which the prices are down
_ORDER = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "force": "gtc", "size": "50"}
_FAULTS = ("", "", "accept_drop", "", "accept_500", "", "", "refuse_429", "", "lag")  # of the first attempts, in turn
_TROUBLES: tuple[tuple[float, str], ...] = (
    (3.0, "accept_hang"), (6.0, "no funds"), (7.0, "no funds"), (8.0, "lose"), (40.0, "no funds"),
    (60.0, "accept_hang"),
)  # fmt: skip
_LOOKUPS = 40  # that are dropped of an order that is to stay in doubt: more than its call can make


def _policies(sandbox: Sandbox) -> dict[str, Any]:
    bounds = {"window": f"{sandbox.window}s", "stamp_window": f"{sandbox.window}s"}
    late = {"processing": f"{sandbox.processing * 1000:.0f}ms", "lag": f"{sandbox.lag * 1000:.0f}ms"}
    return {
        "policies": {
            "bitget": {
                "deadline": "3s",
                "attempt_timeout": "400ms",
                "retry": {"max_attempts": 4, "backoff": {"initial": "50ms", "max": "500ms"}},
                "reconcile": {"early_checks": 2, "wait": "200ms", **bounds, **late},
                "admission": {"max_concurrent": 8},
                "quota": [{"name": "orders", "rate": "10/s", "burst": 10}],
                "breaker": {"consecutive": 10},
            },
            "prices": {
                "extends": "default",
                "deadline": "2s",
                "attempt_timeout": "500ms",
                "retry": {"max_attempts": 2, "backoff": {"initial": "20ms"}},
                "breaker": {"consecutive": 5, "open_for": "3s", "open_max": "6s"},
            },
        }
    }


class DemoBot:
    """The running bot; use it as a context manager.

    Attributes:
        policies: those under which it runs.
    """

    def __init__(self) -> None:
        """Start the exchange, but not yet the bot."""
        self._exchange = exchange = Sandbox(window=_WINDOW)
        self.policies = Policies.from_mapping(_policies(exchange), log=False)
        client = BitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)
        self._client = wrap(client, "bitget", policies=self.policies)
        self._price = self.policies.resilient("prices", operation="fetch_price", idempotent=True)(self._fetch_price)
        self._stop, self._began = threading.Event(), time.monotonic()
        self._threads = [
            threading.Thread(target=self._repeat, args=(work, pause), name="resilience-demo-bot", daemon=True)
            for work, pause in ((self._read_price, 0.08), (self._place_order, 0.35), (self._meet_trouble, 0.5))
        ]
        self._next_number, self._met = count(1).__next__, -1.0

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the bot and its exchange."""
        self._stop.set()
        for thread in self._threads:
            thread.join(1.0)
        self._exchange.close()

    def _repeat(self, work: Callable[[], object], pause: float) -> None:
        while not self._stop.wait(pause):
            try:
                work()
            except Exception:
                pass  # what the console is there to show

    def _fetch_price(self) -> Any:
        if _DOWN[0] <= self._now() % _PERIOD < _DOWN[1]:
            raise ConnectionResetError("the prices of the demo are down")
        return self._client.spot_ticker(symbol="BTCUSDT")

    def _read_price(self) -> None:
        self._price()

    def _place_order(self) -> None:
        number = self._next_number()
        self._place(f"order-{number}", _FAULTS[number % len(_FAULTS)])

    def _meet_trouble(self) -> None:
        """Meet the troubles that are due since the last time."""
        before, self._met = self._met, self._now()
        for at, fault in _TROUBLES:
            if before < self._met - (self._met - at) % _PERIOD <= self._met:
                self._begin(fault)

    def _begin(self, fault: str) -> None:
        number = self._next_number()
        if fault == "no funds":
            self._place(f"order-{number}", "http200_code")
        elif len(self.policies.snapshot()["writes_in_doubt"]) < _MAX_DOUBTS:
            client_id = f"order-{number}"
            self._exchange.script(f"query:{client_id}", ["query_drop"] * _LOOKUPS)
            threading.Thread(target=self._stay_uncertain, args=(client_id, fault), daemon=True).start()

    def _stay_uncertain(self, client_id: str, fault: str) -> None:
        try:
            self._place(client_id, fault)
        except Exception:
            self._exchange.script(f"query:{client_id}", [])  # from now on a lookup is answered

    def _place(self, client_id: str, fault: str) -> None:
        if fault:
            self._exchange.script(client_id, [fault])
        self._client.spot_place_order(**_ORDER, clientOid=client_id)

    def _now(self) -> float:
        return time.monotonic() - self._began
