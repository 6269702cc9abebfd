"""Orders placed through a client, and what it reported held against the truth of the exchange's ledger.

The names of the counts are those of the project's tables. An order is *done* when the client
returned, *unknown* when its error says that it may have happened, else *failed*.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from resilience import Policies, failure_of, wrap
from resilience.bitget import BitgetClient
from resilience.config.loading.policy_file import load

from .server import Sandbox

__all__ = ["CLIENTS", "Count", "compare", "drill"]

Send = Callable[[str], Any]
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Count:
    """How many orders went which way.

    Attributes:
        duplicates: executed more than once.
        lost: wanted but never executed.
        misreported: reported failed but executed, or reported done but not executed.
        unknown: reported as unknown.
        exactly_once: executed once and reported done.
        requests: requests that the exchange saw, queries included.
        seconds: from the first order to the last report.
    """

    duplicates: int
    lost: int
    misreported: int
    unknown: int
    exactly_once: int
    requests: int
    seconds: float


def order(client_id: str) -> dict[str, str]:
    """Return one market order: it fills at once, so its client id protects nothing."""
    return {
        "symbol": "BTCUSDT",
        "side": "buy",
        "orderType": "market",
        "force": "gtc",
        "size": "50",
        "clientOid": client_id,
    }


def plain(exchange: Sandbox, seed: int) -> Send:
    """Return a client with plain retries: five attempts, any error, exponential backoff with jitter."""
    client = _client(exchange, Policies.load(exchange.policy).policy("bitget").attempt_timeout or 10.0)
    noise = random.Random(seed)

    def send(client_id: str) -> Any:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return client.spot_place_order(**order(client_id))
            except Exception:
                if attempt == _ATTEMPTS:
                    raise
                time.sleep(min(2.0, 0.05 * 2**attempt) * noise.random())
        raise AssertionError("the last attempt returns or raises")

    return send


def resilient(exchange: Sandbox, seed: int) -> Send:
    """Return the same client under the exchange's own policy."""
    del seed  # it draws nothing by itself
    client = wrap(_client(exchange, 10.0), "bitget", policies=Policies(load(exchange.policy), log=False))
    return lambda client_id: client.spot_place_order(**order(client_id))


CLIENTS: Mapping[str, Callable[[Sandbox, int], Send]] = {"plain": plain, "resilient": resilient}
"""The clients that are held against each other."""


def drill(
    name: str, exchange: Sandbox, *, orders: int, seed: int, workers: int = 32, tick: Callable[[], None] | None = None
) -> Count:
    """Place the orders through one client and compare its reports with the ledger.

    Args:
        name: one of `CLIENTS`.
        exchange: a running exchange with its faults set; its ledger is emptied first.
        orders: how many; order n has the client id `o<seed>-<n>` whatever the client.
        seed: of the client ids, and so of the faults that they meet.
        workers: orders under way at the same time.
        tick: called after each order.
    """
    exchange.reset()
    ids = [f"o{seed}-{number}" for number in range(orders)]
    started, seen = time.monotonic(), exchange.requests
    reports = _place(CLIENTS[name](exchange, seed), name == "resilient", ids, workers, tick or (lambda: None))
    seconds = time.monotonic() - started
    exchange.settle()
    rows = {row["clientOid"]: row["executions"] for row in exchange.ledger()["orders"]}
    return compare(reports, rows, requests=exchange.requests - seen, seconds=seconds)


def compare(reports: Mapping[str, str], executions: Mapping[str, int], *, requests: int, seconds: float) -> Count:
    """Count what the reports (`done`, `failed`, `unknown`) are worth beside the executions."""
    pairs = [(report, executions.get(one, 0)) for one, report in reports.items()]
    return Count(
        duplicates=sum(times > 1 for _, times in pairs),
        lost=sum(times == 0 for _, times in pairs),
        misreported=sum((report, times > 0) in (("failed", True), ("done", False)) for report, times in pairs),
        unknown=sum(report == "unknown" for report, _ in pairs),
        exactly_once=sum(report == "done" and times == 1 for report, times in pairs),
        requests=requests,
        seconds=round(seconds, 2),
    )


def _place(send: Send, tells: bool, ids: Sequence[str], workers: int, tick: Callable[[], None]) -> dict[str, str]:
    with ThreadPoolExecutor(workers) as pool:
        running = {pool.submit(_report, send, tells, one): one for one in ids}
        reports = {}
        try:
            for future in as_completed(running):
                reports[running[future]] = future.result()
                tick()
        except BaseException:  # Ctrl-C: the orders under way come to their end, no other is begun
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return reports


def _report(send: Send, tells: bool, client_id: str) -> str:
    """Return the caller's view: a plain client knows done and failed only, ours tells when it does not know."""
    try:
        send(client_id)
    except Exception as error:
        return "unknown" if tells and failure_of(error).executed == "maybe" else "failed"
    return "done"


def _client(exchange: Sandbox, timeout: float) -> BitgetClient:
    return BitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest, timeout=timeout)
