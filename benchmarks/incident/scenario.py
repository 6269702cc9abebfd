"""Runs the incident, and records what happens in it: samples of the snapshot, events, and messages of the webhook."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Self

from resilience import Policies, wrap
from resilience.bitget import BitgetClient
from resilience.sandbox import Sandbox
from resilience.telemetry.alerts import send_alerts

from .front import Front
from .inbound import Inbound

__all__ = ["PHASES", "Incident", "Sample"]

PHASES: tuple[tuple[str, float], ...] = (
    ("calm", 3.0), ("outage", 4.0), ("calm", 2.0), ("ban", 4.0), ("calm", 3.0), ("unknown order", 4.0),
    ("calm", 1.5), ("wrong key", 3.0), ("calm", 1.0),
)  # fmt: skip
"""What happens one after the other, and for how many seconds."""
_ALERTS = {"outage": "breaker_open", "ban": "hold", "unknown order": "order-unknown", "wrong key": "user_fixable"}
"""The kind, or the key, of the entry that a phase leads to; on a slow machine it lasts until somebody is alerted."""
_MAX_LONGER = 60.0
OUTCOMES = ("ok", "failed", "rejected", "unknown")
_EVERY = {"price": 0.05, "order": 0.25}
_SAMPLE = 0.1
_ORDER = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": "50"}
_LOOKUPS = 50  # that fail of the order that stays unknown: more than its call makes


class Sample(NamedTuple):
    """The state at one moment.

    Attributes:
        at: seconds since the beginning.
        phase: what happens.
        calls: calls so far, by outcome.
        breaker: the worst state of a breaker.
        held: whether a hold lasts.
        in_doubt: how many writes are in doubt.
    """

    at: float
    phase: str
    calls: dict[str, int]
    breaker: str
    held: bool
    in_doubt: int


class Incident:
    """The exchange, the bot and the webhook of the incident. Use it as a context manager, and call `run`.

    Attributes:
        policies: those of the bot; watch them from before `run` on.
        events: what they emitted.
        samples: their state, ten times a second.
        inbound: the webhook.
        began: when `run` was called, Unix seconds.
    """

    def __init__(self, *, scale: float = 1.0) -> None:
        """Start the exchange and the webhook, but not yet the bot.

        Args:
            scale: by how much each phase is longer than in `PHASES`.
        """
        self._scale = scale
        self._sandbox = sandbox = Sandbox(window=1.0, limits=False)
        self._front, self.inbound = Front(sandbox.rest), Inbound()
        self.policies = Policies.from_mapping(_settings(sandbox), log=False)
        self.events: list[Any] = []
        self.samples: list[Sample] = []
        self.policies.subscribe(self.events.append)
        self._alerts = send_alerts(self.policies, self.inbound.url, name="bot-1", every=0.5, open_for=2.0)
        self._prices, self._orders, self._wrong = (
            wrap(
                BitgetClient(sandbox.key, secret, sandbox.passphrase, base_url=self._front.url),
                policy,
                policies=self.policies,
            )
            for policy, secret in (("prices", sandbox.secret), ("orders", sandbox.secret), ("orders", "wrong"))
        )
        self._phase, self._stop, self.began = "calm", threading.Event(), 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """Stop everything; the alerts that wait are sent."""
        self._stop.set()
        self._alerts.close(10)
        self._front.close()
        self.inbound.close()
        self._sandbox.close()

    def run(self, on_phase: Callable[[str], object] | None = None) -> None:
        """Let it happen. It takes the seconds of `PHASES` times the scale, or longer on a slow machine.

        Args:
            on_phase: called with the name of each phase shortly before it ends, such as to take a picture.
        """
        self.began = time.time()
        works = [(self._read_price, _EVERY["price"]), (self._place_order, _EVERY["order"]), (self._sample, _SAMPLE)]
        threads = [threading.Thread(target=self._repeat, args=work, daemon=True) for work in works]
        for thread in threads:
            thread.start()
        for phase, seconds in PHASES:
            self._begin(phase, seconds * self._scale)
            self._stop.wait(seconds * self._scale)
            self._await_alert(_ALERTS.get(phase), time.time() + _MAX_LONGER)
            if on_phase is not None:
                on_phase(phase)
        self._stop.set()
        for thread in threads:
            thread.join()

    def _begin(self, phase: str, seconds: float) -> None:
        self._phase = phase
        self._front.state = {"outage": "down", "ban": "banned"}.get(phase, "up")
        self._front.ban = int(seconds) + 2  # until after the phase, or a second ban would follow
        if phase == "unknown order":
            self._sandbox.script("order-unknown", ["accept_drop"])
            self._sandbox.script("query:order-unknown", ["query_drop"] * _LOOKUPS)
            threading.Thread(target=self._quietly, args=(self._place, "order-unknown"), daemon=True).start()

    def _await_alert(self, wanted: str | None, until: float) -> None:
        while wanted is not None and time.time() < until and not self._stop.wait(0.02):
            entries = (entry for _, body in self.inbound.messages for entry in body["entries"])
            if any(wanted in (entry["kind"], entry["key"]) for entry in entries):
                return

    def _repeat(self, work: Callable[[], object], pause: float) -> None:
        while not self._stop.wait(pause):
            self._quietly(work)

    def _quietly(self, work: Callable[..., object], *args: Any) -> None:
        try:
            work(*args)
        except Exception:
            pass  # what whoever watches is to see

    def _read_price(self) -> None:
        self._prices.spot_ticker(symbol="BTCUSDT")

    def _place_order(self) -> None:
        self._place(f"order-{len(self.samples)}")

    def _place(self, client_id: str) -> None:
        client = self._wrong if self._phase == "wrong key" else self._orders
        client.spot_place_order(**_ORDER, clientOid=client_id)

    def _sample(self) -> None:
        snapshot = self.policies.snapshot()
        states = {row["state"] for row in snapshot["breakers"]}
        worst = next((state for state in ("open", "half-open") if state in states), "closed")
        calls = {name: sum(row[name] for row in snapshot["counters"]) for name in OUTCOMES}
        at = time.time() - self.began
        in_doubt = len(snapshot["writes_in_doubt"])
        self.samples.append(Sample(at, self._phase, calls, worst, bool(snapshot["holds"]), in_doubt))


def _settings(sandbox: Sandbox) -> dict[str, Any]:
    """Return the bot's policies: as in the built-in ones, but with times that fit into seconds."""
    bounds = dict.fromkeys(("window", "stamp_window"), f"{sandbox.window * 1000:.0f}ms")
    late = {"processing": f"{sandbox.processing * 1000:.3f}ms", "lag": f"{sandbox.lag * 1000:.3f}ms"}
    common = {
        "attempt_timeout": "300ms",
        "retry": {"max_attempts": 2, "backoff": {"initial": "20ms", "max": "50ms"}},
        "breaker": {"consecutive": 5, "open_for": "500ms", "open_max": "1s", "when_open": "reject"},
        "hold_max": "1s",
        "quota": "off",
    }
    reconcile = {"early_checks": 2, "wait": "100ms", **bounds, **late}
    return {
        "policies": {
            "prices": {"extends": "bitget", "deadline": "1s", **common},
            "orders": {"extends": "bitget", "deadline": "5s", "reconcile": reconcile, **common},
        }
    }
