"""The checksum of V2's order books: the rule, its texts, and what a book that misses an update leads to."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from zlib import crc32

import pytest

from resilience.bitget.book_checksum import book_changes, book_checksum
from resilience.bitget.dialect_v2 import DialectV2
from resilience.bitget.dialect_v3 import DialectV3
from resilience.sandbox import Sandbox
from resilience.streams import StreamSettings
from tests.bitget.listening import BOOKS, EventLog, client_of, run

BOOKS3 = {"instType": "spot", "topic": "books", "symbol": "BTCUSDT"}
FUTURES = {**BOOKS, "instType": "USDT-FUTURES"}


def test_the_rule() -> None:
    """Bids and asks in turn; where one side is shorter, the other goes on alone; 25 levels of each."""
    assert book_checksum([("43231.1", "4"), ("43231", "6")], [("43232.8", "9"), ("43232.9", "8")]) == crc32(
        b"43231.1:4:43232.8:9:43231:6:43232.9:8"
    )
    assert book_checksum([("3366.1", "7")], [("3366.8", "9"), ("3368", "8"), ("3372", "8")]) == crc32(
        b"3366.1:7:3366.8:9:3368:8:3372:8"
    )
    bids, asks = ([(str(price), "0.5000") for price in range(start, start + 30)] for start in (100, 200))
    assert book_checksum(bids, asks) == book_checksum(bids[:25], asks[:25]) != book_checksum(bids[:24], asks[:25])


@pytest.mark.parametrize(
    ("sent", "read"), [(-5, 2**32 - 5), (7, 7), ("-5", 2**32 - 5), (0, None), (None, None), ("x", None), (True, None)]
)
def test_how_the_checksum_is_sent(sent: Any, read: int | None) -> None:
    """It is a signed number; 0 stands for none."""
    (change,) = book_changes([{"bids": [], "checksum": sent}])
    assert change.checksum == read


def test_what_is_no_book() -> None:
    """A row without sides is none; a level without a size cannot be read."""
    assert list(book_changes([{"seq": 1}, "x"])) == list(book_changes(None)) == []
    (change,) = book_changes([{"asks": [["1.50", "2", "3"], [1, 2]], "bids": "x"}])
    assert (change.bids, change.asks) == ([], [("1.50", "2"), ("1", "2")])
    with pytest.raises(ValueError, match="without a price or a size"):
        book_changes([{"bids": [["1"]]}])


def test_numbers_of_nineteen_digits() -> None:
    """The numbers of a unified account's books are longer than other codes, and may be texts; V3 has no checksum."""
    seq = 1304314508780744705
    row = {"a": [], "b": [["1", "2"]], "checksum": 0, "pseq": str(seq - 1), "seq": seq}
    message = DialectV3().read(json.dumps({"action": "update", "arg": BOOKS3, "data": [row]}))
    assert (message.seq, message.after, message.book) == (seq, seq - 1, ())
    message = DialectV2().read(json.dumps({"action": "update", "arg": BOOKS, "data": [{**row, "bids": [], "seq": -1}]}))
    assert (message.seq, len(message.book)) == (None, 1)
    message = DialectV2().read(json.dumps({"action": "snapshot", "arg": {**BOOKS, "channel": "books5"}, "data": [row]}))
    assert (message.seq, message.book) == (None, ())


def best_of(updates: list[Any]) -> list[dict[float, str]]:
    """Return the book that a program builds of these updates."""
    sides: list[dict[float, str]] = [{}, {}]
    for update in updates:
        if update["action"] == "snapshot":
            sides = [{}, {}]
        for side, names in zip(sides, (("bids", "b"), ("asks", "a")), strict=True):
            row = update["data"][0]
            side |= {float(price): size for price, size in row.get(names[0], row.get(names[1]))}
    return [{price: size for price, size in side.items() if float(size)} for side in sides]


@pytest.mark.parametrize(("version", "arg"), [(2, BOOKS), (2, FUTURES), (3, BOOKS3)], ids=["spot", "futures", "v3"])
@pytest.mark.parametrize("blocking", [False, True], ids=["asyncio", "thread"])
def test_a_lost_update_is_reported_and_repaired(version: int, arg: dict[str, str], blocking: bool) -> None:
    """There is one exception and one request for a new snapshot; the program's book is right before and after."""
    with Sandbox() as exchange:
        if blocking:
            failures, updates = in_a_thread(exchange, version, arg)
        else:
            failures, updates = run(in_a_loop(exchange, version, arg))
        assert [(one.code, dict(one.arg), one.action_text) for one in failures] == [
            ("sequence_gap", arg, "subscribes to it again")
        ]
        ops = [json.loads(text)["op"] for text in exchange.sockets.connections[0].frames if text != "ping"]
        assert ops == ["subscribe", "unsubscribe", "subscribe"]
        assert exchange.sockets.violations == []
    second = [update["action"] for update in updates].index("snapshot", 1)
    for part in (updates[:second], updates[second:]):
        seqs = [update["data"][0]["seq"] for update in part]
        assert seqs == list(range(seqs[0], seqs[0] + len(part)))
    assert best_of(updates) == best_of(updates[second:])


def is_repaired(updates: list[Any]) -> bool:
    """Return whether updates followed the second snapshot."""
    actions = [update["action"] for update in updates]
    return actions.count("snapshot") >= 2 and actions[-3:] == ["update"] * 3


async def in_a_loop(exchange: Sandbox, version: int, arg: dict[str, str]) -> tuple[list[Any], list[Any]]:
    """Lose an update of a client under asyncio; return the exceptions and the updates."""
    async with client_of(exchange, version) as client:
        log = EventLog(client)
        client.subscribe(arg)
        await client.ready()
        exchange.sockets.feed(arg, every=0.02)
        await log.wait_for("update", 3)
        exchange.sockets.fault("skip_seq")
        await log.until(lambda: is_repaired(log.of("update")))
        return log.of("exception"), log.of("update")


def in_a_thread(exchange: Sandbox, version: int, arg: dict[str, str]) -> tuple[list[Any], list[Any]]:
    """Lose an update of a client in its own thread; return the exceptions and the updates."""
    failures: list[Any] = []
    updates: list[Any] = []
    with client_of(exchange, version).blocking() as stream:
        stream.on("exception", failures.append)
        stream.subscribe(arg)
        stream.ready(timeout=60)
        exchange.sockets.feed(arg, every=0.02)
        for update in stream:
            updates.append(update)
            if len(updates) == 3:
                exchange.sockets.fault("skip_seq")
            if is_repaired(updates):
                break
    return failures, updates


def test_a_book_whose_checksum_is_wrong_by_one_text() -> None:
    """`0.5` for `0.50` is another book: the texts of the exchange are compared, not the numbers."""

    async def story(exchange: Sandbox) -> None:
        async with client_of(exchange) as client:
            log = EventLog(client)
            client.subscribe(BOOKS)
            await client.ready()
            await log.wait_for("update")
            row = {"bids": [["59999.90", "0.50"]], "asks": [], "seq": 9, "ts": "1"}
            (first,) = log.of("update")
            book = first["data"][0]
            bids, asks = [("59999.90", "0.5"), *map(tuple, book["bids"][1:])], list(map(tuple, book["asks"]))
            exchange.sockets.push(BOOKS, [{**row, "checksum": book_checksum(bids, asks)}], action="update")
            (failure,) = await log.wait_for("exception")
            assert failure.code == "sequence_gap"
            await log.wait_for("update", 2)
            exchange.sockets.push(
                BOOKS, [{**row, "checksum": book_checksum([("59999.90", "0.50"), *bids[1:]], asks)}], action="update"
            )
            await log.wait_for("update", 3)

    with Sandbox() as exchange:
        run(story(exchange))


@pytest.mark.parametrize("overflow", ["drop_oldest", "latest"])
@pytest.mark.parametrize(("version", "arg"), [(2, BOOKS), (3, BOOKS3)], ids=["v2", "v3"])
def test_a_slow_handler_gets_no_wrong_book(version: int, arg: dict[str, str], overflow: Any) -> None:
    """What a full queue discards of a book is reported; the handler's book begins again with a snapshot.

    The updates are quick only while the handler waits: however busy the machine is, it can follow the others.
    """
    updates: list[Any] = []

    async def story(exchange: Sandbox) -> list[Any]:
        limits = StreamSettings(queue=5, overflow=overflow)
        async with client_of(exchange, version, limits=limits) as client:
            log, go_on, is_slow = EventLog(client), asyncio.Event(), asyncio.Event()

            async def slow(update: Any) -> None:
                updates.append(update)
                if len(updates) == 3:
                    is_slow.set()
                    await go_on.wait()

            client.on("update", slow)
            client.subscribe(arg)
            exchange.sockets.feed(arg, every=0.4)
            await asyncio.wait_for(is_slow.wait(), 60)
            exchange.sockets.feed(arg, every=0.01)
            await log.until(lambda: client.counts.dropped > 0)
            exchange.sockets.feed(arg, every=0.4)
            go_on.set()
            await log.until(lambda: is_repaired(updates))
            return log.of("exception")

    with Sandbox() as exchange:
        failures = run(story(exchange))
        assert exchange.sockets.violations == []
    assert {failure.code for failure in failures} == {"sequence_gap"}
    assert failures[0].action_text == "could not queue an update of this book, and subscribes to it again"
    number = 0
    for update in updates:
        row = update["data"][0]
        assert update["action"] == "snapshot" or row["seq"] == number + 1
        number = row["seq"]
