"""Describes the sandbox that order drills use: its address and keys, its orders, and the policies of our clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from resilience import Policies
from resilience.config.loading.policy_file import from_mapping, load

__all__ = ["SandboxAddress", "order", "plain_policies", "policies"]


class SandboxAddress(NamedTuple):
    """The address, the keys and the policy file of a sandbox, its window in seconds, its venue, and ccxt's URLs."""

    rest: str
    key: str
    secret: str
    passphrase: str
    policy: str
    window: float
    venue: str = "bitget"
    urls: Mapping[str, str] = {}

    @property
    def name(self) -> str:
        """The policy of the sandbox's file."""
        return "bitget" if self.venue == "bitget" else "ccxt"

    @property
    def orders(self) -> str:
        """The URL of orders in the API without signatures."""
        return f"{self.rest}/plain/orders"

    @property
    def timeout(self) -> float:
        """The attempt timeout of the sandbox's own policy, in seconds."""
        return Policies(load(self.policy), log=False).policy(self.name).attempt_timeout or 10.0


def order(market: str, client_id: str, kind: str = "market") -> dict[str, str]:
    """Return the parameters of one order; a market order fills at once, so its client id is no protection."""
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


def policies(exchange: SandboxAddress) -> Policies:
    """Return the sandbox's policies, without log lines."""
    return Policies(load(exchange.policy), log=False)


def plain_policies(exchange: SandboxAddress) -> Policies:
    """Return the same settings for the API without codes of its own, as the policy `plain`."""
    bitget = policies(exchange).policy("bitget")
    assert bitget.reconcile is not None
    assert bitget.retry is not None
    rules = {
        "extends": "http",
        "deadline": bitget.deadline,
        "attempt_timeout": bitget.attempt_timeout,
        "retry": {"max_attempts": bitget.retry.max_attempts, "backoff": {"initial": 0.05, "max": exchange.window}},
        "budget": {"ratio": 1.0, "floor": 10},
        "breaker": {"when_open": "wait"},  # a rejected order would count as lost
        "reconcile": {
            "early_checks": 2,
            "wait": bitget.reconcile.wait,
            "window": exchange.window,
            "processing": exchange.window / 10,
            "lag": exchange.window / 15,
        },
    }
    return Policies(from_mapping({"version": 1, "policies": {"plain": rules}}), log=False)
