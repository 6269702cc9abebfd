"""A bot on pybit: its session keeps its class, and an order whose answer is lost is looked up first."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from pybit.exceptions import InvalidRequestError
from pybit.unified_trading import HTTP

from resilience import NOT_FOUND, Found, Policies, failure_of, wrap

CODES = """
envelope: {code: retCode, message: retMsg, success: ["0"]}
rules:
  - {code: "10006", category: retryable, executed: no, hint: backoff, remedy: "Too many requests: send fewer"}
  - {code: "10016", category: retryable, executed: maybe, hint: query_first, remedy: "Bybit has an error: look"}
  - {code: "110007", category: user_fixable, executed: no, remedy: "Deposit funds, or order less"}
"""
POLICY = """
version: 1
codes: [bybit.yaml, http]
policies:
  read: {extends: default, deadline: 20s, retry: {max_attempts: 4, backoff: {initial: 10ms}}}
  trade: {extends: read, reconcile: {early_checks: 2, wait: 20ms, processing: 50ms, lag: 50ms, fence: 2s}}
"""


def look_up(call: Any) -> object:
    """Ask for the order by its own id."""
    answer = plain.get_open_orders(category="spot", symbol=call.kwargs["symbol"], orderLinkId=call.key)
    found = answer["result"]["list"]
    return Found(answer, created_at=int(found[0]["createdTime"]) / 1000) if found else NOT_FOUND


OPERATIONS = {
    "get_*": {"policy": "read", "idempotent": True},
    "place_order": {"policy": "trade", "idempotent": False, "key": "orderLinkId", "reconcile": look_up},
}
folder = Path(sys.argv[1])
(folder / "bybit.yaml").write_text(CODES)
(folder / "policy.yaml").write_text(POLICY)
# pybit tries again by itself where it meets one of `retry_codes`; the policy does that here, within its deadline.
plain = HTTP(api_key="key", api_secret="secret", retry_codes={-1}, logging_level=50)
plain.endpoint = os.environ["BYBIT_URL"]
bot = wrap(plain, "read", operations=OPERATIONS, policies=Policies.load(folder / "policy.yaml"))
ORDER = {"category": "spot", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "1"}


def main() -> None:
    """Read, place an order whose answer is lost, one that is refused at first, and one that lacks funds."""
    assert isinstance(bot, HTTP)
    print(json.dumps(bot.get_server_time()["result"]))
    print(json.dumps(bot.place_order(**ORDER, orderLinkId="y-1")["result"]))
    print(json.dumps(bot.place_order(**ORDER, orderLinkId="y-2")["result"]))
    try:
        bot.place_order(**ORDER, orderLinkId="y-3")
    except InvalidRequestError as error:
        failure = failure_of(error)
        print(json.dumps([failure.code, failure.executed, failure.attempts, failure.remedy]))


if __name__ == "__main__":
    main()
