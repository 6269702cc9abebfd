"""Places orders through a client and compares its reports with the exchange's ledger.

A report is *done* when the client returned, *unknown* when its error says that the order may have been executed, and
*failed* otherwise.
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

__all__ = ["CLIENTS", "DrillCounts", "compare", "drill", "place_all"]

PlaceOrder = Callable[[str], Any]
"""Places one order under a client id."""
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class DrillCounts:
    """The result of a drill; all but `requests` and `seconds` count orders.

    Attributes:
        duplicates: executed more than once.
        lost: never executed, whatever was reported.
        misreported: reported as failed but executed, or reported as done but not executed.
        unknown: reported as unknown.
        exactly_once: executed once and reported as done.
        requests: requests that reached the exchange, queries included.
        seconds: from the first order to the last report.
    """

    duplicates: int
    lost: int
    misreported: int
    unknown: int
    exactly_once: int
    requests: int
    seconds: float


def market_order(client_id: str) -> dict[str, str]:
    """Return the parameters of a market order; it fills at once, so a second one under its client id buys again."""
    return {
        "symbol": "BTCUSDT",
        "side": "buy",
        "orderType": "market",
        "force": "gtc",
        "size": "50",
        "clientOid": client_id,
    }


def plain_client(exchange: Sandbox, seed: int) -> PlaceOrder:
    """Return a client with plain retries: five attempts, any error, exponential backoff with jitter."""
    # The attempt timeout of the policy, so that both clients give up on an answer at the same time.
    client = _bitget_client(exchange, Policies.load(exchange.policy).policy("bitget").attempt_timeout or 10.0)
    jitter = random.Random(seed)

    def place(client_id: str) -> Any:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return client.spot_place_order(**market_order(client_id))
            except Exception:
                if attempt == _ATTEMPTS:
                    raise
                time.sleep(min(2.0, 0.05 * 2**attempt) * jitter.random())
        raise AssertionError("the last attempt returns or raises")

    return place


def resilient_client(exchange: Sandbox, seed: int) -> PlaceOrder:
    """Return the same client under the exchange's own policy."""
    del seed  # unused: the jitter of the library is not seeded
    client = wrap(_bitget_client(exchange, 10.0), "bitget", policies=Policies(load(exchange.policy), log=False))
    return lambda client_id: client.spot_place_order(**market_order(client_id))


CLIENTS: Mapping[str, Callable[[Sandbox, int], PlaceOrder]] = {"plain": plain_client, "resilient": resilient_client}
"""The clients that a drill can compare."""


def drill(
    name: str, exchange: Sandbox, *, orders: int, seed: int, workers: int = 32, tick: Callable[[], None] | None = None
) -> DrillCounts:
    """Place the orders through one client and compare its reports with the ledger.

    Args:
        name: one of `CLIENTS`.
        exchange: a running exchange with its faults set; its ledger is emptied first.
        orders: how many; order n has the client id `o<seed>-<n>` for every client.
        seed: of the client ids, and so of the faults that the orders meet.
        workers: orders that are placed at the same time.
        tick: called after each order.
    """
    exchange.reset()
    # The same client ids for every client, so that each meets the same faults.
    ids = [f"o{seed}-{number}" for number in range(orders)]
    started, requests_before = time.monotonic(), exchange.requests
    place = CLIENTS[name](exchange, seed)
    reports = place_all(place, name == "resilient", ids, workers, tick or (lambda: None))
    seconds = time.monotonic() - started
    # Orders that are still on their way would be missing in the ledger.
    exchange.settle()
    executions = {row["clientOid"]: row["executions"] for row in exchange.ledger()["orders"]}
    return compare(reports, executions, requests=exchange.requests - requests_before, seconds=seconds)


def compare(reports: Mapping[str, str], executions: Mapping[str, int], *, requests: int, seconds: float) -> DrillCounts:
    """Compare the reports (`done`, `failed`, `unknown`) with the number of executions, both by client id."""
    pairs = [(report, executions.get(client_id, 0)) for client_id, report in reports.items()]
    return DrillCounts(
        duplicates=sum(times > 1 for _, times in pairs),
        lost=sum(times == 0 for _, times in pairs),
        misreported=sum((report, times > 0) in (("failed", True), ("done", False)) for report, times in pairs),
        unknown=sum(report == "unknown" for report, _ in pairs),
        exactly_once=sum(report == "done" and times == 1 for report, times in pairs),
        requests=requests,
        seconds=round(seconds, 2),
    )


def place_all(
    place: PlaceOrder, knows_unknown: bool, ids: Sequence[str], workers: int, tick: Callable[[], None]
) -> dict[str, str]:
    """Place the orders with several workers, and return what was reported of each."""
    with ThreadPoolExecutor(workers) as pool:
        reports = {}
        try:
            futures = {pool.submit(_report, place, knows_unknown, client_id): client_id for client_id in ids}
            for future in as_completed(futures):
                reports[futures[future]] = future.result()
                tick()
        except BaseException:  # on Ctrl-C, the orders under way finish and no other one is started
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return reports


def _report(place: PlaceOrder, knows_unknown: bool, client_id: str) -> str:
    """Place an order and return the caller's view; a plain client cannot say that an outcome is unknown."""
    try:
        place(client_id)
    except Exception as error:
        return "unknown" if knows_unknown and failure_of(error).executed == "maybe" else "failed"
    return "done"


def _bitget_client(exchange: Sandbox, timeout: float) -> BitgetClient:
    return BitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest, timeout=timeout)
