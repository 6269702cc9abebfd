"""A row that cannot be resumed is reported and stays; every other row is resumed."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from shutil import copy
from typing import Any

import pytest

from resilience import Found, Policies, RejectedError, current_call, wrap
from resilience.bitget import AsyncBitgetClient, BitgetClient
from resilience.outbox import Outbox
from resilience.sandbox import Sandbox
from tests.outbox.bots import STAMP, Bot, Killed, found_none, wrapped

OLD = Path(__file__).parents[1] / "data" / "outbox" / "outbox_of_0_1.db"
"""Written by version 0.1: orders that are open, done and failed, and an open one of a method that is gone."""


def change(path: Path, statement: str, *values: Any) -> None:
    """Change a file as a damaged disk or a hand would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as base:
        base.execute(statement, values)


def three_open(path: Path) -> None:
    """Leave three open writes in a file: `first`, `bad` and `last`."""
    with Outbox(path) as outbox:
        for key in ("first", "bad", "last"):
            with pytest.raises(Killed):
                wrapped(Bot(dies=True), outbox).place("BTC", client_id=key)


DAMAGE = {
    "its arguments are no JSON": "arguments = '{'",
    "its arguments are no pair": "arguments = '[1]'",
    "its arguments are no list and mapping": "arguments = '[{}, []]'",
    "an argument has an unknown tag": """arguments = '[[{"$price": "1"}], {}]'""",
    "an argument is no Decimal": """arguments = '[[{"$decimal": "BTC"}], {}]'""",
    "its arguments are a blob": "arguments = x'ff00'",
    "its arguments are not UTF-8": "arguments = CAST(x'5b5b22ff225d2c7b7d5d' AS TEXT)",
    "its arguments have an unknown format": "format = 99",
    "its format is a text": "format = 'json'",
    "its stamps are no JSON": "stamps = 'now'",
    "its stamps are no numbers": "stamps = '[true]'",
    "its stamps are not finite": "stamps = '[NaN]'",
    "its state is unknown": "state = 'opened'",
    "its state is empty": "state = ''",
    "its time is a text": "changed_at = 'yesterday'",
    "its account is a number": "account = x'01'",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_row_is_reported_and_the_others_are_resumed(path: Path, damage: str) -> None:
    """It is an item of the list with the reason, and is in the file afterwards as it was; nothing is sent for it."""
    three_open(path)
    change(path, f"UPDATE writes SET {damage} WHERE key = 'bad'")
    with Outbox(path) as outbox:
        bot = Bot()
        resumed = {write.key: write for write in outbox.resume(wrapped(bot, outbox), resend=True)}
        assert {key: write.outcome for key, write in resumed.items()} == {
            "first": "done", "bad": "unreadable", "last": "done",
        }  # fmt: skip
        assert resumed["bad"].value.startswith("the row cannot be read: ")
        assert isinstance(resumed["bad"].error, Exception)
        assert [row.key for row in outbox.open] == ["bad"]
        assert outbox.open[0].problem
        assert bot.sent == []


def test_a_damaged_key_is_reported(path: Path) -> None:
    """The key is a blob: its bytes are shown."""
    three_open(path)
    change(path, "UPDATE writes SET key = x'00ff' WHERE key = 'bad'")
    with Outbox(path) as outbox:
        resumed = {write.key: write.outcome for write in outbox.resume(wrapped(Bot(), outbox))}
        assert resumed == {"first": "done", repr(b"\x00\xff"): "unreadable", "last": "done"}


def test_a_damaged_row_keeps_its_key(path: Path) -> None:
    """A new write with that key is rejected, until somebody has settled the row by hand."""
    three_open(path)
    change(path, "UPDATE writes SET arguments = '{' WHERE key = 'bad'")
    with Outbox(path) as outbox:
        bot = Bot()
        client = wrapped(bot, outbox)
        with pytest.raises(RejectedError, match="has a row that cannot be read"):
            client.place("BTC", client_id="bad")
        outbox.settle("bad", "failed")
        assert client.place("BTC", client_id="bad") == "bad"
        assert bot.sent == ["bad"]


def test_only_interrupted_writes_are_settled_by_hand(outbox: Outbox) -> None:
    """A write that is done, or that a call is working on, is left alone; so is an outcome that is none."""
    problems: list[str] = []

    def settle_meanwhile() -> None:
        with pytest.raises(LookupError) as caught:
            outbox.settle("a", "failed")
        problems.append(str(caught.value))

    wrapped(Bot(before_stamp=settle_meanwhile), outbox).place(client_id="a")
    assert problems == ["no interrupted write with key a is open"]
    with pytest.raises(LookupError):
        outbox.settle("a", "failed")
    with pytest.raises(LookupError):
        outbox.settle("b", "failed")
    with pytest.raises(ValueError, match="not as 'open'"):
        outbox.settle("a", "open")  # type: ignore[arg-type]  # what a typing error gives
    assert [row.key for row in outbox.rows("done")] == ["a"]


class Renamed:
    """A later version of the bot: `place` is gone, and what has its name is no method."""

    place = "buy"

    def place_v2(self, *, client_id: str) -> str:
        raise AssertionError("sent")


class Rekeyed:
    """A later version of the bot, in which `place` takes no key."""

    def place(self, symbol: str) -> str:
        raise AssertionError("sent")


@pytest.mark.parametrize("later", [Renamed, Rekeyed])
def test_a_method_that_is_gone_is_reported(path: Path, later: Callable[[], Any]) -> None:
    """The writes of other methods are resumed; the row waits for a client that has the method."""
    with Outbox(path) as outbox:
        with pytest.raises(Killed):
            wrapped(Bot(dies=True), outbox).place("BTC", client_id="bad")
        (refused,) = outbox.resume(wrapped(later(), outbox))
        assert (refused.key, refused.outcome) == ("bad", "unknown_operation")
        assert refused.value == str(refused.error)
        assert [write.outcome for write in outbox.resume(wrapped(Bot(), outbox))] == ["done"]


def test_a_method_that_is_gone_keeps_no_other_row_from_being_resumed_async(outbox: Outbox) -> None:
    """`aresume` reports it too."""
    client = wrapped(Bot(dies=True), outbox)
    for method, key in ((client.place_async, "a"), (client.place, "b")):
        with pytest.raises(Killed):
            asyncio.run(method(client_id=key)) if key == "a" else method(client_id=key)

    class Async:
        async def place_async(self, *, client_id: str) -> str:
            raise AssertionError("sent")

    resumed = asyncio.run(outbox.aresume(wrapped(Async(), outbox)))
    assert {write.key: write.outcome for write in resumed} == {"a": "done", "b": "unknown_operation"}


def test_a_row_whose_request_lacked_the_key_is_unknown(outbox: Outbox) -> None:
    """It cannot be looked up by its key, so that "not found" would prove nothing: nothing is looked up or sent."""

    class KeyDropper:
        def place(self, *, client_id: str) -> str:
            call = current_call()
            assert call is not None
            call.stamp(STAMP)
            call.report_key_missing()
            raise Killed

    with pytest.raises(Killed):
        wrapped(KeyDropper(), outbox).place(client_id="a")
    assert outbox.open[0].key_missing
    bot = Bot()
    (write,) = outbox.resume(wrapped(bot, outbox, lookup=found_none), resend=True)
    assert (write.outcome, bot.sent) == ("unknown", [])
    assert "did not carry the key" in write.value
    assert [row.key for row in outbox.open] == ["a"]


@pytest.fixture
def exchange() -> Any:
    """A calm exchange."""
    with Sandbox() as running:
        yield running


def bitget(exchange: Sandbox, outbox: Outbox, **over: Any) -> Any:
    """Return a Bitget client; `over` replaces its key and its address."""
    access = {"key": exchange.key, "base_url": exchange.rest, **over}
    raw = BitgetClient(access["key"], exchange.secret, exchange.passphrase, base_url=access["base_url"])
    return wrap(raw, "bitget", policies=Policies.load(exchange.policy), outbox=outbox)


@pytest.mark.parametrize(
    "other", [{"key": "other-account"}, {"base_url": "http://127.0.0.1:9"}], ids=["account", "host"]
)
def test_a_client_of_another_account_or_host_is_refused(exchange: Sandbox, outbox: Outbox, other: Any) -> None:
    """There the order would not be found, which would prove nothing; with the right client the row is resumed."""

    def die(**_params: Any) -> Any:
        raise Killed

    bot = bitget(exchange, outbox)
    vars(vars(bot)["_resilience_client"])["spot_place_order"] = die
    with pytest.raises(Killed):
        bot.spot_place_order(symbol="BTCUSDT", side="buy", orderType="market", force="gtc", size="50", clientOid="a")
    row = outbox.open[0]
    assert row.account is not None
    assert row.host == exchange.rest.removeprefix("http://")
    (refused,) = outbox.resume(bitget(exchange, outbox, **other), resend=True)
    assert (refused.key, refused.outcome) == ("a", "other_account")
    assert "the write was made with" in refused.value
    assert exchange.key not in refused.value
    assert exchange.requests == 0
    assert [write.outcome for write in outbox.resume(bitget(exchange, outbox))] == ["failed"]


def test_a_client_of_another_account_is_refused_async(exchange: Sandbox, outbox: Outbox) -> None:
    """`aresume` refuses it too."""

    async def story() -> Any:
        outcomes = []
        for key, act in ((exchange.key, "place"), ("other-account", "resume")):
            async with AsyncBitgetClient(key, exchange.secret, exchange.passphrase, base_url=exchange.rest) as raw:
                bot: Any = wrap(raw, "bitget", policies=Policies.load(exchange.policy), outbox=outbox)
                if act == "place":

                    async def die(**_params: Any) -> Any:
                        raise Killed

                    vars(raw)["spot_place_order"] = die
                    with pytest.raises(Killed):
                        await bot.spot_place_order(symbol="BTCUSDT", side="buy", clientOid="a")
                else:
                    outcomes += await outbox.aresume(bot)
        return outcomes

    assert [write.outcome for write in asyncio.run(story())] == ["other_account"]
    assert len(outbox.open) == 1


def test_a_file_of_0_1_is_migrated_and_resumed(path: Path) -> None:
    """Its open writes are looked up with the arguments that they had; its settled ones keep their keys."""
    copy(OLD, path)
    looked_up = []

    def lookup(call: Any) -> Any:
        looked_up.append((call.args, call.kwargs))
        return found_none(call)

    class Later:
        def place(self, symbol: str, size: Decimal, *, client_id: str, note: Any = None) -> str:
            return client_id

    with Outbox(path) as outbox:
        assert [row.key for row in outbox.open] == ["open", "gone"]
        assert (outbox.open[0].account, outbox.open[0].process, outbox.open[0].problem) == (None, None, "")
        note = {"tags": ["a", 1, 2.5, None, True]}
        bot = wrapped(Later(), outbox, lookup=lookup)
        resumed = {write.key: write.outcome for write in outbox.resume(bot, resend=True)}
        assert resumed == {"open": "done", "gone": "unknown_operation"}
        assert looked_up[0] == (("BTCUSDT", Decimal("0.10")), {"client_id": "open", "note": note})
        with pytest.raises(RejectedError, match="executed already"):
            bot.place("BTCUSDT", Decimal(1), client_id="done")
        assert bot.place("BTCUSDT", Decimal(1), client_id="failed") == "failed"
    with Outbox(path) as again:
        assert {row.key for row in again.rows("done")} == {"open", "done", "failed"}
        assert [row.key for row in again.open] == ["gone"]


def test_a_file_of_a_newer_version_is_refused(path: Path) -> None:
    """It is left as it was: what this version does not know might matter."""
    Outbox(path).close()
    change(path, "PRAGMA user_version = 3")
    with pytest.raises(ValueError, match="was written by a newer version"):
        Outbox(path)


def test_another_programs_table_of_the_same_name_is_left_alone(path: Path) -> None:
    """It gets no columns of ours."""
    change(path, "CREATE TABLE writes (text)")
    before = path.read_bytes()
    with pytest.raises(ValueError, match="SQLite database of another program"):
        Outbox(path)
    assert path.read_bytes() == before


def test_a_damaged_page_hides_one_row_only(path: Path) -> None:
    """SQLite cannot read the whole table any more; every row on other pages is resumed."""
    with Outbox(path) as outbox:
        client = wrapped(Bot(dies=True), outbox)
        for key, note in (("first", ""), ("bad", "x" * 30_000), ("last", "")):
            with pytest.raises(Killed):
                client.place(note, client_id=key)
    content = bytearray(path.read_bytes())
    page = next(at for at in range(0, len(content), 4096) if content[at + 4 : at + 4096] == b"x" * 4092)
    content[page : page + 4] = b"\x7f\xff\xff\xff"  # the number of the page that has the rest of the row
    path.write_bytes(content)
    with Outbox(path) as outbox:
        assert {row.key: row.problem for row in outbox.open} == {
            "first": "", "bad": "SQLite cannot read it", "last": "",
        }  # fmt: skip
        resumed = {write.key: write.outcome for write in outbox.resume(wrapped(Bot(), outbox))}
        assert resumed == {"first": "done", "bad": "unreadable", "last": "done"}
        assert outbox.find("first").state == "done"  # type: ignore[union-attr]  # it is there


def test_a_write_of_a_nested_resource_is_resumed(tmp_path: Path) -> None:
    """Its operation is a path, `orders.place`, and the method is found by it."""

    class Exchange:
        def __init__(self, *, dies: bool) -> None:
            self.orders = Bot(dies=dies)

    def client(outbox: Outbox, *, dies: bool) -> Any:
        policies = Policies.from_mapping({"policies": {"trade": {"deadline": "90s"}}})
        rules = {"orders.place": {"key": "client_id", "reconcile": lambda _call: Found("found")}}
        return wrap(Exchange(dies=dies), "trade", operations=rules, policies=policies, outbox=outbox)

    with Outbox(tmp_path / "outbox.db") as outbox, pytest.raises(Killed):
        client(outbox, dies=True).orders.place("BTC", client_id="a")
    with Outbox(tmp_path / "outbox.db") as outbox:
        (item,) = outbox.resume(client(outbox, dies=False))
        assert (item.operation, item.outcome, item.value) == ("orders.place", "done", "found")
