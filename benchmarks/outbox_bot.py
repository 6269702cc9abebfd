"""The bot that `benchmarks.outbox` kills: it resumes its outbox, then places orders until it is killed."""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

from resilience import Policies, RejectedError, wrap
from resilience.bitget import BitgetClient
from resilience.config.loading.policy_file import load
from resilience.outbox import Outbox

THREADS = 4
ORDER = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "force": "gtc", "size": "50"}


def main(access: str, path: str, prefix: str, finish: str = "") -> None:
    """Resume the outbox at `path` and place orders; with `finish`, complete the open orders and return."""
    print("up", flush=True)
    exchange, outbox = json.loads(access), Outbox(path)
    policies = Policies(load(exchange["policy"]), log=False)
    raw = BitgetClient(exchange["key"], exchange["secret"], exchange["passphrase"], base_url=exchange["rest"])
    client = wrap(raw, "bitget", policies=policies, outbox=outbox)
    outbox.resume(client, resend=True)
    if finish:
        for row in [*outbox.rows("open"), *outbox.rows("failed")]:
            place(client, outbox, row.key)
        return
    with ThreadPoolExecutor(THREADS) as pool:
        for worker in range(THREADS):
            pool.submit(orders, client, outbox, f"{prefix}-{worker}")


def orders(client: Any, outbox: Outbox, prefix: str) -> None:
    """Place one order after the other, under keys with a running number."""
    for number in count():
        place(client, outbox, f"{prefix}-{number}")


def place(client: Any, outbox: Outbox, key: str) -> None:
    """Try until the outbox says that the order is done."""
    while True:
        row = outbox.find(key)
        if row is not None and row.state == "done":
            return
        try:
            if row is not None and row.state == "open":
                outbox.resume(client, resend=True)
            else:
                client.spot_place_order(**ORDER, clientOid=key)
        except RejectedError:
            time.sleep(0.05)  # nothing was sent, and a call at once would be rejected again
        except Exception:
            continue


if __name__ == "__main__":
    main(*sys.argv[1:])
