"""The demo: the promise, counted by the exchange's own ledger."""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from resilience.cli import main
from resilience.sandbox import Sandbox, order_drill
from resilience.sandbox.order_drill import compare, drill


@pytest.mark.slow
def test_every_order_exactly_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Under the same faults the plain client duplicates orders and ours does not."""
    assert main(["demo", "--orders", "80", "--seed", "7", "--json"]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    ours, plain = result["clients"]["resilient"], result["clients"]["plain"]
    assert (result["orders"], result["seed"]) == (80, 7)
    assert (ours["duplicates"], ours["lost"], ours["misreported"], ours["exactly_once"]) == (0, 0, 0, 80)
    assert plain["duplicates"] > 0
    assert set(ours) == {"duplicates", "lost", "misreported", "unknown", "exactly_once", "requests", "seconds"}


def test_what_is_shown_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line per client counts its orders, duplicates and faults, and stays; the last sentence says what came of it."""
    shown, out = io.StringIO(), io.StringIO()
    shown.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stderr", shown)
    monkeypatch.setattr("sys.stdout", out)
    assert main(["demo", "--orders", "20", "--seed", "7"]) == 0
    lines = [line.rpartition("\r\x1b[K")[2] for line in shown.getvalue().split("\n")]
    counted = [re.fullmatch(r"(\w+) +20/20 orders: (\d+) duplicates, (\d+) faults", line) for line in lines]
    first, second = (one.groups() for one in counted if one)
    (plain, plain_duplicates, plain_faults), (ours, our_duplicates, our_faults) = first, second
    assert (plain, ours, our_duplicates) == ("plain", "resilient", "0")
    assert int(plain_duplicates) > 0
    assert int(plain_faults) > 0
    assert int(our_faults) > 0
    last = out.getvalue().splitlines()[-1]
    assert re.fullmatch(
        r"Plain retries executed \d+ of 20 orders more than once, and resilience .* exactly once\.", last
    )


@pytest.mark.slow
def test_the_same_seed_gives_the_same_ledger() -> None:
    """Faults hang on seed, client id and attempt: two runs leave the same truth."""
    ledgers = []
    for workers in (8, 16):
        with Sandbox(seed=3, window=2.0, faults="ordinary", limits=False) as exchange:
            drill("resilient", exchange, orders=40, seed=3, workers=workers)
            ledgers.append(exchange.ledger())
    assert ledgers[0] == ledgers[1]


def test_what_is_counted() -> None:
    """Each count by its definition."""
    reports = {"a": "done", "b": "done", "c": "done", "d": "failed", "e": "failed", "f": "unknown"}
    count = compare(reports, {"a": 1, "b": 2, "d": 1, "f": 1}, requests=9, seconds=1.0)
    assert (count.duplicates, count.lost, count.misreported, count.unknown, count.exactly_once) == (1, 2, 2, 1, 1)


def test_an_interrupted_run_begins_no_other_order() -> None:
    """Ctrl-C ends a long run: the orders under way come to their end, the thousands after them are not placed."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    with Sandbox(window=1.0, limits=False) as exchange:
        with pytest.raises(KeyboardInterrupt):
            drill("plain", exchange, orders=5000, seed=1, workers=4, tick=interrupted)
        assert len(exchange.ledger()["orders"]) < 2500


def test_an_interrupt_before_all_orders_are_queued_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while thousands are being queued does not wait for those that are queued already."""
    placed: list[str] = []
    cancelled = threading.Event()

    class Pool(ThreadPoolExecutor):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            super().shutdown(False, cancel_futures=cancel_futures)
            cancelled.set()
            super().shutdown(wait)

    def place(client_id: str) -> None:
        placed.append(client_id)
        cancelled.wait(30)

    class Ids(list[str]):
        def __iter__(self) -> Iterator[str]:
            yield from map(str, range(50))
            raise KeyboardInterrupt

    monkeypatch.setattr(order_drill, "ThreadPoolExecutor", Pool)
    with pytest.raises(KeyboardInterrupt):
        order_drill.place_all(place, False, Ids(), 2, lambda: None)
    assert len(placed) <= 2


@pytest.mark.parametrize("words", [["--orders", "0"], ["--orders", "many"], ["--seed", "x"]])
def test_wrong_use(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong arguments print one line and give exit code 2."""
    assert main(["demo", *words]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
