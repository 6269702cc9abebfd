"""Keeps the orders behind the gateway and decides how each request is answered.

An order is executed once for each POST that is passed on, whatever its key: the exchange does not compare keys. It is
executed up to P after the POST, and its lookups find it up to L after that. What happens to a POST is a `Step`; the
steps of an order are given, or follow from its key.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from resilience.sandbox.exchange.faults import seeded_fraction

from .gateway_dialects import DIALECTS, Request
from .gateway_kinds import KINDS, Wire, answer, is_readable, message

__all__ = ["LAG", "PROCESSING", "WINDOW", "OrderBook", "Step", "key_for", "number_of"]

WINDOW, PROCESSING, LAG = 0.05, 0.1, 0.15
"""W, P and L of the stand-in, in seconds."""
FAILING_LOOKUPS = 0.1
_KEY = re.compile(r"k(\d\d)([ab])s(\d+)n(\d+)")


class Step(NamedTuple):
    """What happens to one POST.

    Attributes:
        kind: the kind of its answer; empty for the exchange's own.
        number: the variant of the kind.
        passed_on: whether the exchange gets it.
        work: the share of P after which it is executed.
        hidden: the share of L for which lookups do not find it then.
    """

    kind: str
    number: int = 0
    passed_on: bool = True
    work: float = 0.0
    hidden: float = 0.0


def key_for(kind: str, number: int, seed: int, *, some_stop: bool) -> str:
    """Return the key of an order: letters and digits, as every exchange accepts them."""
    return f"k{KINDS.index(kind):02}{'b' if some_stop else 'a'}s{seed}n{number}"


def steps_of(key: str | None) -> tuple[Step, ...] | None:
    """Return what happens to the POSTs with this key, or None if it is not one of ours."""
    match = _KEY.fullmatch(key or "")
    if match is None:
        return None
    kind, letter, seed, number = KINDS[int(match[1])], match[2], int(match[3]), int(match[4])
    # One order in five is not passed on at first, one in ten not at its second POST either.
    stopped = (number % 5 == 4) + (number % 10 == 9) if letter == "b" and not is_readable(kind, number) else 0
    faulty = 2 if number % 10 == 9 or number % 7 == 3 else 1
    return tuple(
        Step(
            kind if post < faulty else "",
            number,
            post >= stopped,
            _share(seed, "work", key, post),
            _share(seed, "hidden", key, post),
        )
        for post in range(10)
    )


def number_of(key: str) -> int:
    """Return the number of the order with this key."""
    return int(key.rpartition("n")[2])


def _share(seed: int, *what: Any) -> float:
    drawn = seeded_fraction(seed, *what)
    return 0.98 if drawn > 0.75 else drawn  # a quarter takes almost all of the bound


class OrderBook:
    """The executed orders, by key. Safe across threads.

    Attributes:
        steps: the steps of orders whose keys do not say them.
        failing_lookups: the share of lookups that are answered with an error.
    """

    def __init__(self, seed: int = 0, now: Callable[[], float] = time.time) -> None:
        self.seed, self.now = seed, now
        self.steps: dict[str, Sequence[Step]] = {}
        self.failing_lookups = FAILING_LOOKUPS
        self._posts: dict[str, int] = {}
        self._lookups: dict[str, int] = {}
        self._executed: dict[str, list[tuple[str, float, float]]] = {}
        self._lock = threading.Lock()

    def respond(self, dialect_name: str, request: Request, target: str) -> Wire:
        """Return the answer to a request in one of the dialects; redirects lead to the target."""
        dialect = DIALECTS[dialect_name]
        key = dialect.key(request)
        if key is None or (key not in self.steps and steps_of(key) is None):
            return Wire(message(404, b'{"error": "no such path or key"}'))
        if request.method == "GET":
            return self._look_up(dialect, key)
        step, post = self.next_step(key)
        order_id = self._execute(key, post, step) if step.passed_on else f"{key}x{post}"
        bodies = [
            json.dumps(dialect.placed(*order)).encode() for order in ((order_id, key), ("77777", f"{key}9"), ("", key))
        ]
        return answer(step.kind, step.number, *bodies, target) if step.kind else Wire(message(200, bodies[0]))

    def next_step(self, key: str) -> tuple[Step, int]:
        """Return what happens to the next POST with this key, and its number, counted from 0."""
        steps = self.steps.get(key) or steps_of(key) or ()
        with self._lock:
            post = self._posts.get(key, 0)
            self._posts[key] = post + 1
        return (steps[post] if post < len(steps) else Step("")), post

    def executions(self) -> Mapping[str, int]:
        """Return how often each key was executed."""
        with self._lock:
            return {key: len(rows) for key, rows in self._executed.items()}

    def _execute(self, key: str, post: int, step: Step) -> str:
        created = self.now() + step.work * PROCESSING
        order_id = f"{key}x{post}"
        with self._lock:
            self._executed.setdefault(key, []).append((order_id, created, created + step.hidden * LAG))
        return order_id

    def _look_up(self, dialect: Any, key: str) -> Wire:
        now = self.now()
        with self._lock:
            number = self._lookups[key] = self._lookups.get(key, 0) + 1
            rows = [(order_id, created) for order_id, created, shown in self._executed.get(key, ()) if shown <= now]
        if seeded_fraction(self.seed, "lookup", key, number) < self.failing_lookups:
            return Wire(message(503, b"<html>busy</html>", "text/html"))
        body = dialect.found(rows[0][0], key, rows[0][1], now) if rows else dialect.missing(now)
        return Wire(message(200, json.dumps(body).encode()))
