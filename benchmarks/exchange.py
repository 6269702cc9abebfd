"""The exchange that the order drills run against, what is ordered there, and the policies of our clients."""

from __future__ import annotations

from typing import NamedTuple

from resilience import Policies
from resilience.config.loading.policy_file import from_mapping, load

__all__ = ["Exchange", "order", "plain_policies", "policies"]


class Exchange(NamedTuple):
    """Where the sandbox is, how it is talked to, and its window in seconds."""

    rest: str
    key: str
    secret: str
    passphrase: str
    policy: str
    window: float

    @property
    def orders(self) -> str:
        """Where the API without signatures takes orders."""
        return f"{self.rest}/plain/orders"

    @property
    def timeout(self) -> float:
        """Seconds for one attempt, as the sandbox's own policy has it."""
        return Policies(load(self.policy), log=False).policy("bitget").attempt_timeout or 10.0


def order(market: str, client_id: str, kind: str = "market") -> dict[str, str]:
    """Return one order in Bitget's words; a market order fills at once, so that its client id protects nothing."""
    price = {} if kind == "market" else {"price": "50000"}
    if market == "spot":
        size = {"size": "50" if kind == "market" else "0.01"}
        common = {"symbol": "BTCUSDT", "side": "buy", "orderType": kind, "force": "gtc", "clientOid": client_id}
        return {**common, **size, **price}
    return {
        "symbol": "BTCUSDT",
        "productType": "USDT-FUTURES",
        "marginMode": "crossed",
        "marginCoin": "USDT",
        "side": "buy",
        "orderType": kind,
        "force": "gtc",
        "size": "0.01",
        "clientOid": client_id,
        **price,
    }


def policies(exchange: Exchange) -> Policies:
    """Return the sandbox's policy, without log lines."""
    return Policies(load(exchange.policy), log=False)


def plain_policies(exchange: Exchange) -> Policies:
    """Return the same settings for an API without codes of its own, under the name `plain`."""
    told = policies(exchange).policy("bitget")
    assert told.reconcile is not None
    assert told.retry is not None
    rules = {
        "extends": "http",
        "deadline": told.deadline,
        "attempt_timeout": told.attempt_timeout,
        "retry": {"max_attempts": told.retry.max_attempts, "backoff": {"initial": 0.05, "max": exchange.window}},
        "budget": {"ratio": 1.0, "floor": 10},
        "breaker": {"when_open": "wait"},  # a refused order would be a lost one
        "reconcile": {
            "early_checks": 2,
            "wait": told.reconcile.wait,
            "window": exchange.window,
            "processing": exchange.window / 10,
            "lag": exchange.window / 15,
        },
    }
    return Policies(from_mapping({"version": 1, "policies": {"plain": rules}}), log=False)
