"""Keeps the orders behind the gateway, and writes them in the dialects of the clients.

An order is executed once for each POST that is passed on, whatever its key: the exchange does not compare keys. It is
executed up to P after the POST, and its lookups find it up to L after that. Both are drawn from (seed, key, attempt).
"""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from resilience.sandbox.exchange.faults import seeded_fraction

from .gateway_kinds import KINDS, is_readable

__all__ = ["DIALECTS", "LAG", "PROCESSING", "WINDOW", "OrderBook", "Request", "key_for", "meaning_of"]

WINDOW, PROCESSING, LAG = 0.05, 0.1, 0.15
"""W, P and L of the stand-in, in seconds."""
FAILING_LOOKUPS = 0.1
_KEY = re.compile(r"k(\d\d)([ab])s(\d+)n(\d+)")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a key says: the kind of its answers, whether some POSTs are not passed on, the seed, and the number."""

    kind: str
    some_stop: bool
    seed: int
    number: int

    def is_passed_on(self, post: int) -> bool:
        """Return whether the gateway passes on this POST, counted from 0."""
        stopped = (1 if self.number % 5 == 4 else 0) + (1 if self.number % 10 == 9 else 0)
        return not self.some_stop or post >= stopped or is_readable(self.kind, self.number)

    def is_faulty(self, post: int) -> bool:
        """Return whether the answer to this POST is of the kind; a later one is the exchange's own."""
        return post == 0 or post < (2 if self.number % 10 == 9 or self.number % 7 == 3 else 1)


def key_for(kind: str, number: int, seed: int, *, some_stop: bool) -> str:
    """Return the key of an order: letters and digits, as every exchange accepts them."""
    return f"k{KINDS.index(kind):02}{'b' if some_stop else 'a'}s{seed}n{number}"


def meaning_of(key: str | None) -> Meaning | None:
    """Return what a key says, or None if it is not one of ours."""
    match = _KEY.fullmatch(key or "")
    if match is None:
        return None
    kind, letter, seed, number = match.groups()
    return Meaning(KINDS[int(kind)], letter == "b", int(seed), int(number))


@dataclass(frozen=True, slots=True)
class Request:
    """One request: its method, target, headers (names in lower case) and body."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the URL."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}


class Dialect:
    """The plain dialect: the key is a header, and an answer is the order itself."""

    def key(self, request: Request) -> str | None:
        """Return the key of a POST or of a lookup."""
        return request.query.get("key") if request.method == "GET" else request.headers.get("idempotency-key")

    def placed(self, order_id: str, key: str) -> Any:
        """Return the answer to a POST; without an id if that is empty."""
        return {"orderId": order_id, "clientOrderId": key, "status": "new"} if order_id else {"status": "new"}

    def found(self, order_id: str, key: str, created: float) -> Any:
        """Return the answer to a lookup that found the order."""
        return {"orders": [{**self.placed(order_id, key), "createdAt": created}], "time": time.time()}

    def missing(self) -> Any:
        """Return the answer to a lookup that found nothing."""
        return {"orders": [], "time": time.time()}


class OkxDialect(Dialect):
    """A part of OKX's V5 that is enough for ccxt's `create_order` and `fetch_order`."""

    def key(self, request: Request) -> str | None:
        """Return the client order id."""
        if request.method == "GET":
            return request.query.get("clOrdId")
        sent = json.loads(request.body or b"{}")
        return (sent[0] if isinstance(sent, list) else sent).get("clOrdId")

    def placed(self, order_id: str, key: str) -> Any:
        """Return the answer to a POST; without an order in it if the id is empty."""
        rows = [{"clOrdId": key, "ordId": order_id, "sCode": "0", "sMsg": "", "tag": ""}] if order_id else []
        return {"code": "0", "data": rows, "msg": ""}

    def found(self, order_id: str, key: str, created: float) -> Any:
        """Return the answer to a lookup that found the order."""
        row = {"ordId": order_id, "clOrdId": key, "instId": "BTC-USDT", "side": "buy", "ordType": "market"}
        return {"code": "0", "data": [{**row, "state": "filled", "cTime": str(int(created * 1000))}], "msg": ""}

    def missing(self) -> Any:
        """Return the answer to a lookup that found nothing."""
        return {"code": "51603", "data": [], "msg": "Order does not exist"}


DIALECTS = {"plain": Dialect(), "okx": OkxDialect()}


@dataclass
class OrderBook:
    """The executed orders, by key. Safe across threads."""

    seed: int
    posts: dict[str, int] = field(default_factory=dict)
    executed: dict[str, list[tuple[str, float, float]]] = field(default_factory=dict)
    lookups: dict[str, int] = field(default_factory=dict)
    lock: Any = field(default_factory=threading.Lock)

    def count_post(self, key: str) -> int:
        """Return how many POSTs with this key came before, and count one more."""
        with self.lock:
            self.posts[key] = self.posts.get(key, 0) + 1
            return self.posts[key] - 1

    def execute(self, key: str, post: int) -> str:
        """Execute an order and return its id."""
        work, hidden = (self._share(name, key, post) for name in ("work", "lag"))
        created = time.time() + work * PROCESSING
        order_id = f"{key}x{post}"
        with self.lock:
            self.executed.setdefault(key, []).append((order_id, created, created + hidden * LAG))
        return order_id

    def find(self, key: str) -> tuple[str, float] | None:
        """Return the id and the creation time of the first visible order with this key."""
        now = time.time()
        with self.lock:
            rows = [(order_id, created) for order_id, created, shown in self.executed.get(key, ()) if shown <= now]
        return rows[0] if rows else None

    def lookup_fails(self, key: str) -> bool:
        """Return whether the next lookup of this key is answered with an error."""
        with self.lock:
            number = self.lookups[key] = self.lookups.get(key, 0) + 1
        return seeded_fraction(self.seed, "lookup", key, number) < FAILING_LOOKUPS

    def executions(self) -> dict[str, int]:
        """Return how often each key was executed."""
        with self.lock:
            return {key: len(rows) for key, rows in self.executed.items()}

    def _share(self, name: str, key: str, post: int) -> float:
        drawn = seeded_fraction(self.seed, name, key, post)
        return 0.98 if drawn > 0.75 else drawn  # a quarter takes almost all of the bound
