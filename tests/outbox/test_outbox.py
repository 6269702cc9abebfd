"""A restarted bot finds its orders: what is on disk, when, and what a replay makes of it."""

from __future__ import annotations

import asyncio
import pickle
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from resilience import NOT_FOUND, Found, Policies, RejectedError, current_call, wrap
from resilience.bitget import AsyncBitgetClient, BitgetApiError, BitgetClient
from resilience.outbox import Outbox
from resilience.sandbox import Sandbox

ORDER = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "force": "gtc", "size": "50"}


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """A calm exchange with a short window."""
    with Sandbox(window=1.0) as running:
        yield running


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    """An outbox in a folder of its own."""
    box = Outbox(tmp_path / "bot.db")
    yield box
    box.close()


SHORT = {
    "version": 1,
    "policies": {
        "trade": {
            "extends": "default",
            "deadline": "500ms",
            "attempt_timeout": "100ms",
            "reconcile": {"wait": "10ms"},
        }
    },
}
"""A deadline that ends before the fence."""


class Killed(BaseException):
    """Stands for the end of the process: nothing of ours runs after it."""


def client(exchange: Sandbox, outbox: Outbox, **over: Any) -> Any:
    """Return a client of the exchange with the outbox; `over` replaces methods of the raw client."""
    raw = BitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)
    vars(raw).update(over)
    return wrap(raw, "bitget", policies=Policies.load(exchange.policy), outbox=outbox)


def executions(exchange: Sandbox) -> dict[str, int]:
    """Return how often each client id was executed."""
    return {row["clientOid"]: row["executions"] for row in exchange.ledger()["orders"]}


def test_a_row_and_its_stamp_are_on_disk_before_the_order_leaves(
    exchange: Sandbox, outbox: Outbox, tmp_path: Path
) -> None:
    """A second connection sees both while the request is being made."""
    seen = []
    bot = client(exchange, outbox)
    session = vars(bot)["_resilience_client"]._session
    real = session.request

    def request(*args: Any, **kwargs: Any) -> Any:
        with closing(sqlite3.connect(tmp_path / "bot.db")) as other:
            seen.append(other.execute("SELECT key, state, stamps FROM writes").fetchone())
        return real(*args, **kwargs)

    session.request = request
    bot.spot_place_order(**ORDER, clientOid="a")
    assert seen[0][:2] == ("a", "open")
    assert len(seen[0][2]) > len("[]")
    assert outbox.find("a").state == "done"  # type: ignore[union-attr]  # it is there


def test_a_write_that_was_executed_is_found_and_not_sent_again(exchange: Sandbox, outbox: Outbox) -> None:
    """The process ended after the exchange had accepted: the replay returns the order."""
    bot = client(exchange, outbox)
    raw = vars(bot)["_resilience_client"]

    def send_and_die(**params: Any) -> Any:
        BitgetClient.spot_place_order(raw, **params)
        raise Killed

    with pytest.raises(Killed):
        client(exchange, outbox, spot_place_order=send_and_die).spot_place_order(**ORDER, clientOid="a")
    assert [row.key for row in outbox.open] == ["a"]
    (found,) = outbox.resume(bot, resend=True)
    assert (found.key, found.outcome, found.value["status"]) == ("a", "done", "filled")
    assert executions(exchange) == {"a": 1}
    assert outbox.open == []


@pytest.mark.parametrize(("resend", "outcome", "times"), [(False, "failed", 0), (True, "done", 1)])
def test_a_write_that_never_arrived_is_sent_again_only_when_asked(
    exchange: Sandbox, outbox: Outbox, resend: bool, outcome: str, times: int
) -> None:
    """Past the fence it provably did not happen: it is told, or sent with the same key."""

    def stamp_and_die(**_params: Any) -> Any:
        call = current_call()
        assert call is not None
        call.stamp(exchange.now())
        raise Killed

    with pytest.raises(Killed):
        client(exchange, outbox, spot_place_order=stamp_and_die).spot_place_order(**ORDER, clientOid="a")
    (found,) = outbox.resume(client(exchange, outbox), resend=resend)
    assert (found.outcome, executions(exchange).get("a", 0)) == (outcome, times)
    assert outbox.open == []


def test_a_row_without_a_stamp_was_never_sent(exchange: Sandbox, outbox: Outbox) -> None:
    """The client signs before it sends: without a stamp there is nothing to wait for."""

    def die(**_params: Any) -> Any:
        raise Killed

    with pytest.raises(Killed):
        client(exchange, outbox, spot_place_order=die).spot_place_order(**ORDER, clientOid="a")
    seen = exchange.requests
    (found,) = outbox.resume(client(exchange, outbox))
    assert (found.outcome, exchange.requests - seen) == ("failed", 0)


def test_a_key_is_used_once(exchange: Sandbox, outbox: Outbox) -> None:
    """A key that was executed, or is in doubt, is refused before anything is sent; one that failed is free."""
    bot = client(exchange, outbox)
    bot.spot_place_order(**ORDER, clientOid="a")
    with pytest.raises(RejectedError, match="executed already"):
        bot.spot_place_order(**ORDER, clientOid="a")
    with pytest.raises(BitgetApiError):
        bot.spot_place_order(**{**ORDER, "size": "0.1"}, clientOid="b")
    assert outbox.find("b").state == "failed"  # type: ignore[union-attr]  # it is there
    bot.spot_place_order(**ORDER, clientOid="b")
    assert executions(exchange) == {"a": 1, "b": 1}


def test_what_is_in_doubt_stays_open(exchange: Sandbox, outbox: Outbox) -> None:
    """A look that finds nothing out settles nothing: the next replay asks again."""
    sent: list[str] = []

    class Bot:
        def place(self, *, client_id: str) -> str:
            sent.append(client_id)
            raise TimeoutError

    def look(_call: Any) -> Any:
        raise ConnectionError

    policies = Policies.from_mapping(SHORT)
    rules = {"place": {"key": "client_id", "reconcile": look}}
    bot = wrap(Bot(), "trade", operations=rules, policies=policies, outbox=outbox)
    with pytest.raises(TimeoutError):
        bot.place(client_id="a")
    assert [one.outcome for one in outbox.resume(bot)] == ["unknown"]
    assert [row.state for row in outbox.open] == ["open"]
    assert sent == ["a"]


def test_any_client_with_a_reconciler_has_an_outbox(outbox: Outbox) -> None:
    """A client of one's own: arguments come back as they were, Decimals too."""
    seen = []

    class Bot:
        def place(self, symbol: str, size: Decimal, *, client_id: str) -> str:
            seen.append((symbol, size, client_id))
            raise Killed

    def look(call: Any) -> Any:
        return Found((call.args, call.key))

    rules = {"place": {"key": "client_id", "reconcile": look}}
    bot = wrap(Bot(), operations=rules, policies=Policies.builtin(), outbox=outbox)
    with pytest.raises(Killed):
        bot.place("BTCUSDT", Decimal("0.10"), client_id="a")
    (found,) = outbox.resume(bot)
    assert found.value == (("BTCUSDT", Decimal("0.10")), "a")
    assert len(seen) == 1


def test_the_async_client_replays_too(exchange: Sandbox, outbox: Outbox) -> None:
    """A cancelled task leaves its order open; the replay finds it."""

    async def story() -> Any:
        raw = AsyncBitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)
        async with raw:
            bot: Any = wrap(raw, "bitget", policies=Policies.load(exchange.policy), outbox=outbox)
            exchange.set_faults(rates={"accept_hang": 1.0})
            task = asyncio.create_task(bot.spot_place_order(**ORDER, clientOid="a"))
            while not exchange.ledger()["orders"]:  # noqa: ASYNC110  # the exchange is no task of ours
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            exchange.set_faults()
            return await outbox.aresume(bot)

    (found,) = asyncio.run(story())
    assert (found.outcome, executions(exchange)) == ("done", {"a": 1})


def test_plain_http_clients_are_refused(outbox: Outbox) -> None:
    """Their arguments may hold credentials, which do not belong on a disk."""
    with pytest.raises(TypeError, match="wrap the client that signs them"):
        wrap(requests.Session(), "http", outbox=outbox)


def test_what_cannot_be_kept_is_refused_before_it_is_sent(exchange: Sandbox, outbox: Outbox) -> None:
    """An argument that is no JSON is a clear error; nothing was sent."""
    with pytest.raises(TypeError, match="an outbox stores strings"):
        client(exchange, outbox).spot_place_order(**{**ORDER, "size": object()}, clientOid="a")
    assert exchange.ledger()["orders"] == []


def test_a_file_that_cannot_be_written_refuses_the_order(exchange: Sandbox, tmp_path: Path) -> None:
    """A write that cannot be recorded is not sent."""
    box = Outbox(tmp_path / "bot.db")
    bot = client(exchange, box)
    box.close()
    with pytest.raises(RejectedError, match="cannot be written"):
        bot.spot_place_order(**ORDER, clientOid="a")
    assert exchange.ledger()["orders"] == []


def test_a_file_that_is_something_else_is_refused(tmp_path: Path) -> None:
    """A clear error, and the file is left as it was."""
    path = tmp_path / "notes.txt"
    path.write_text("these are no rows, but a text that is long enough to be taken for a header" * 20)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="is no outbox"):
        Outbox(path)
    assert path.read_bytes() == before


def test_rows_hold_no_credentials_and_are_the_owners_alone(exchange: Sandbox, tmp_path: Path) -> None:
    """Key, secret and passphrase are the client's; nobody else may read the orders."""
    path = tmp_path / "bot.db"
    with Outbox(path) as outbox:
        client(exchange, outbox).spot_place_order(**ORDER, clientOid="a")
    kept = b"".join(one.read_bytes() for one in tmp_path.iterdir())
    assert not any(one.encode() in kept for one in (exchange.key, exchange.secret, exchange.passphrase))
    assert path.stat().st_mode & 0o077 == 0


def test_settled_writes_can_be_forgotten(exchange: Sandbox, outbox: Outbox) -> None:
    """What is open is never forgotten."""
    client(exchange, outbox).spot_place_order(**ORDER, clientOid="a")
    assert outbox.forget(3600) == 0
    assert outbox.forget(-1) == 1
    assert outbox.find("a") is None


def test_a_find_that_says_not_yet_keeps_looking(outbox: Outbox) -> None:
    """NOT_FOUND inside the fence is no proof: with a short deadline the write stays open."""

    class Bot:
        def place(self, *, client_id: str) -> str:
            raise Killed

    policies = Policies.from_mapping(SHORT)
    rules = {"place": {"key": "client_id", "reconcile": lambda _call: NOT_FOUND}}
    bot = wrap(Bot(), "trade", operations=rules, policies=policies, outbox=outbox)
    with pytest.raises(Killed):
        bot.place(client_id="a")
    assert [one.outcome for one in outbox.resume(bot, resend=True)] == ["unknown"]


def test_a_replay_leaves_what_was_settled_meanwhile_alone(exchange: Sandbox, outbox: Outbox) -> None:
    """A call was under way when the replay began and is over when its row's turn comes: it is not made again."""
    bot = client(exchange, outbox)
    begun, told, raw = threading.Event(), threading.Event(), vars(bot)["_resilience_client"]

    def first(**params: Any) -> Any:
        begun.set()
        told.wait(5)
        return BitgetClient.spot_place_order(raw, **params)

    def die(**_params: Any) -> Any:
        raise Killed

    with pytest.raises(Killed):
        client(exchange, outbox, spot_place_order=die).spot_place_order(**ORDER, clientOid="old")
    vars(raw)["spot_place_order"] = first
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(bot.spot_place_order, **ORDER, clientOid="a")
        begun.wait(5)
        replay = outbox._interrupted(client(exchange, outbox), resend=True)
        assert next(replay)[0].key == "old"
        told.set()
        running.result()
    assert [row.key for row, _ in replay] == []
    assert executions(exchange) == {"a": 1}


def test_a_row_is_one_replays_alone(exchange: Sandbox, outbox: Outbox) -> None:
    """Of two replays at once, each leaves the other's rows alone, those that it has settled too."""

    def die(**_params: Any) -> Any:
        raise Killed

    for key in ("a", "b", "c"):
        with pytest.raises(Killed):
            client(exchange, outbox, spot_place_order=die).spot_place_order(**ORDER, clientOid=key)
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda _: outbox.resume(client(exchange, outbox), resend=True), range(4)))
    assert sorted(one.key for each in told for one in each) == ["a", "b", "c"]
    assert executions(exchange) == {"a": 1, "b": 1, "c": 1}


def test_a_replay_with_a_client_of_another_kind_takes_nothing(outbox: Outbox, exchange: Sandbox) -> None:
    """It fails, and the right client can replay afterwards."""

    def die(**_params: Any) -> Any:
        raise Killed

    with pytest.raises(Killed):
        client(exchange, outbox, spot_place_order=die).spot_place_order(**ORDER, clientOid="a")
    with pytest.raises(AttributeError):
        outbox.resume(wrap(object(), policies=Policies.builtin()))
    assert [one.outcome for one in outbox.resume(client(exchange, outbox))] == ["failed"]


def test_a_file_is_one_outboxs_alone(tmp_path: Path) -> None:
    """A second one would take the first one's writes for interrupted; it may open once that was closed, or has died."""
    path = tmp_path / "bot.db"
    first = Outbox(path)
    with pytest.raises(BlockingIOError, match="another outbox"):
        Outbox(path)
    first.close()
    story = (
        "import os, sys; from resilience.outbox import Outbox; box = Outbox(sys.argv[1]); print(flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", story, path], stdin=-1, stdout=-1) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(BlockingIOError):
            Outbox(path)
        other.kill()
    Outbox(path).close()


def test_a_clock_that_was_set_right_in_between(exchange: Sandbox, outbox: Outbox) -> None:
    """The first stamp, far ahead, was refused, and the second was accepted: the order is ours."""
    raw = BitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)
    raw.spot_place_order(**ORDER, clientOid="a")
    outbox._table.add("a", "spot_place_order", (), {**ORDER, "clientOid": "a"})
    outbox._table.set_stamps("a", "spot_place_order", [exchange.now() + 40, exchange.now()])
    (found,) = outbox.resume(client(exchange, outbox))
    assert (found.outcome, executions(exchange)) == ("done", {"a": 1})


def test_its_refusals_are_the_clients_too(exchange: Sandbox, outbox: Outbox) -> None:
    """Who catches the errors of requests catches them."""
    bot = client(exchange, outbox)
    bot.spot_place_order(**ORDER, clientOid="a")
    with pytest.raises(requests.RequestException, match="executed already") as caught:
        bot.spot_place_order(**ORDER, clientOid="a")
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), RejectedError)


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    """It gets no table of ours; a folder is no file at all."""
    path = tmp_path / "notes.db"
    with closing(sqlite3.connect(path)) as notes:
        notes.execute("CREATE TABLE notes (text)")
    before = path.read_bytes()
    with pytest.raises(ValueError, match="is no outbox: it holds other tables"):
        Outbox(path)
    assert path.read_bytes() == before
    with pytest.raises(OSError, match="unable to open"):
        Outbox(tmp_path)
