"""A bot on python-binance. The wrapped client is still a `binance.Client`, and an order is placed once."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from binance import Client
from binance.exceptions import BinanceAPIException

from resilience import NOT_FOUND, Found, Policies, failure_of, wrap

CODES = """
envelope: {code: code, message: msg}
rules:
  - {code: "-1003", category: retryable, executed: no, hint: backoff, remedy: "Too many requests: poll less"}
  - {code: "-1021", category: retryable, executed: no, hint: resync_clock, remedy: "Set this machine's clock"}
  - {code: "-2010", category: user_fixable, executed: no, remedy: "Deposit funds, or order less"}
  - {code: "-2013", category: fatal, executed: no, remedy: "There is no such order"}
"""
POLICY = """
version: 1
codes: [binance.yaml, http]
policies:
  read: {extends: default, deadline: 20s, retry: {max_attempts: 4, backoff: {initial: 10ms}}}
  trade: {extends: read, reconcile: {early_checks: 2, wait: 20ms, fence: 10s}}
"""


def look_up(call: Any) -> object:
    """Ask for the order by its own id."""
    try:
        order = plain.get_order(symbol=call.kwargs["symbol"], origClientOrderId=call.key)
    except BinanceAPIException as error:
        if error.code == -2013:
            return NOT_FOUND
        raise
    return Found(order, created_at=order["time"] / 1000)


OPERATIONS = {
    "get_*": {"policy": "read", "idempotent": True},
    "ping": {"policy": "read", "idempotent": True},
    "create_order": {"policy": "trade", "idempotent": False, "key": "newClientOrderId", "reconcile": look_up},
}
folder = Path(sys.argv[1])
(folder / "binance.yaml").write_text(CODES)
(folder / "policy.yaml").write_text(POLICY)
plain = Client("key", "secret", ping=False)
plain.API_URL = os.environ["BINANCE_URL"] + "/api"
bot = wrap(plain, "read", operations=OPERATIONS, policies=Policies.load(folder / "policy.yaml"))


def show(error: Exception) -> None:
    """Print what the caller sees of an error."""
    failure = failure_of(error)
    shown = {"code": failure.code, "executed": failure.executed, "attempts": failure.attempts}
    print(json.dumps(shown | {"remedy": failure.remedy, "note": getattr(error, "__notes__", [])[-1:]}))


def main() -> None:
    """Read, place an order whose answer is lost and one that is refused at first, and show two errors."""
    assert isinstance(bot, Client)
    print(json.dumps(bot.get_symbol_ticker(symbol="BTCUSDT")))
    for key in ("b-1", "b-2"):
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": 1}
        print(json.dumps(bot.create_order(**order, newClientOrderId=key)))
    for read in (lambda: bot.get_order(symbol="BTCUSDT", origClientOrderId="nobody"), bot.get_account):
        try:
            read()
        except BinanceAPIException as error:
            show(error)


if __name__ == "__main__":
    main()
