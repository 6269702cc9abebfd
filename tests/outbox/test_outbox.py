"""A restarted bot finds its orders: what is on disk, when, and how a resume settles it."""

from __future__ import annotations

import asyncio
import pickle
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

import resilience.outbox
from resilience import NOT_FOUND, Found, Policies, RejectedError, current_call, wrap
from resilience.bitget import AsyncBitgetClient, BitgetApiError, BitgetClient
from resilience.outbox import Outbox, ResumedWrite
from resilience.outbox.argument_codec import encode_arguments
from resilience.outbox.outbox_store import HeldWrite, NewWrite
from resilience.outbox.resumable import begin_resume
from resilience.sandbox import Sandbox
from resilience.testing import FakeClock

ORDER = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "force": "gtc", "size": "50"}


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """A calm exchange."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def quick() -> Iterator[Sandbox]:
    """A calm exchange whose fence can be waited for."""
    with Sandbox(window=2.0) as running:
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
            "deadline": "20s",
        }
    },
}
"""A policy whose deadline ends before the fence."""


class Killed(BaseException):
    """Simulates the end of the process: no error handling of ours catches it."""


def client(exchange: Sandbox, outbox: Outbox, **over: Any) -> Any:
    """Return a client of the exchange with the outbox; `over` replaces methods of the raw client."""
    raw = BitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)
    vars(raw).update(over)
    return Policies.load(exchange.policy).wrap(raw, "bitget", outbox=outbox)


def executions(exchange: Sandbox) -> dict[str, int]:
    """Return how often each client id was executed."""
    return {row["clientOid"]: row["executions"] for row in exchange.ledger()["orders"]}


def test_a_row_and_its_stamp_are_on_disk_before_the_order_leaves(
    exchange: Sandbox, outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second connection sees both while the request is being made."""
    seen = []
    bot = client(exchange, outbox)
    real = requests.Session.request

    def request(*args: Any, **kwargs: Any) -> Any:
        with closing(sqlite3.connect(tmp_path / "bot.db")) as other:
            seen.append(other.execute("SELECT key, state, stamps FROM writes").fetchone())
        return real(*args, **kwargs)

    monkeypatch.setattr(requests.Session, "request", request)
    bot.spot_place_order(**ORDER, clientOid="a")
    assert seen[0][:2] == ("a", "open")
    assert len(seen[0][2]) > len("[]")
    assert outbox.find("a").state == "done"  # type: ignore[union-attr]  # it is there


def test_a_write_that_was_executed_is_found_and_not_sent_again(exchange: Sandbox, outbox: Outbox) -> None:
    """The process ended after the exchange had accepted the order: the resume returns it."""
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
def test_a_write_that_never_arrived_is_sent_again_only_with_resend(
    quick: Sandbox, outbox: Outbox, resend: bool, outcome: str, times: int
) -> None:
    """After the fence it provably was not executed: it is reported as failed, or sent with the same key."""

    def stamp_and_die(**_params: Any) -> Any:
        call = current_call()
        assert call is not None
        call.stamp(quick.now())
        raise Killed

    with pytest.raises(Killed):
        client(quick, outbox, spot_place_order=stamp_and_die).spot_place_order(**ORDER, clientOid="a")
    (found,) = outbox.resume(client(quick, outbox), resend=resend)
    assert (found.outcome, executions(quick).get("a", 0)) == (outcome, times)
    assert outbox.open == []


def test_a_row_without_a_stamp_was_never_sent(exchange: Sandbox, outbox: Outbox) -> None:
    """The client signs before it sends: without a stamp nothing was sent, and nothing is looked up."""

    def die(**_params: Any) -> Any:
        raise Killed

    with pytest.raises(Killed):
        client(exchange, outbox, spot_place_order=die).spot_place_order(**ORDER, clientOid="a")
    seen = exchange.requests
    (found,) = outbox.resume(client(exchange, outbox))
    assert (found.outcome, exchange.requests - seen) == ("failed", 0)


def test_a_key_is_used_once(exchange: Sandbox, outbox: Outbox) -> None:
    """The key of an executed or open write is rejected before anything is sent; that of a failed one is free."""
    bot = client(exchange, outbox)
    bot.spot_place_order(**ORDER, clientOid="a")
    with pytest.raises(RejectedError, match="executed already"):
        bot.spot_place_order(**ORDER, clientOid="a")
    with pytest.raises(BitgetApiError):
        bot.spot_place_order(**{**ORDER, "size": "0.1"}, clientOid="b")
    assert outbox.find("b").state == "failed"  # type: ignore[union-attr]  # it is there
    bot.spot_place_order(**ORDER, clientOid="b")
    assert executions(exchange) == {"a": 1, "b": 1}


def test_an_uncertain_write_stays_open(exchange: Sandbox, outbox: Outbox) -> None:
    """A lookup that fails settles nothing: the next resume looks the write up again."""
    sent: list[str] = []

    class Bot:
        def place(self, *, client_id: str) -> str:
            sent.append(client_id)
            raise TimeoutError

    def lookup(_call: Any) -> Any:
        raise ConnectionError

    policies = Policies.from_mapping(SHORT, clock=FakeClock())
    rules = {"place": {"key": "client_id", "reconcile": lookup}}
    bot = wrap(Bot(), "trade", operations=rules, policies=policies, outbox=outbox)
    with pytest.raises(TimeoutError):
        bot.place(client_id="a")
    assert [write.outcome for write in outbox.resume(bot)] == ["unknown"]
    assert [row.state for row in outbox.open] == ["open"]
    assert sent == ["a"]


def test_any_client_with_a_reconciler_has_an_outbox(outbox: Outbox) -> None:
    """A custom client: arguments are restored as they were, Decimals too."""
    seen = []

    class Bot:
        def place(self, symbol: str, size: Decimal, *, client_id: str) -> str:
            seen.append((symbol, size, client_id))
            raise Killed

    def lookup(call: Any) -> Any:
        return Found((call.args, call.key))

    rules = {"place": {"key": "client_id", "reconcile": lookup}}
    bot = wrap(Bot(), operations=rules, policies=Policies.builtin(), outbox=outbox)
    with pytest.raises(Killed):
        bot.place("BTCUSDT", Decimal("0.10"), client_id="a")
    (found,) = outbox.resume(bot)
    assert found.value == (("BTCUSDT", Decimal("0.10")), "a")
    assert len(seen) == 1


def test_the_async_client_resumes_too(exchange: Sandbox, outbox: Outbox) -> None:
    """A cancelled task leaves its order open; the resume finds it."""

    async def story() -> Any:
        raw = AsyncBitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)
        async with raw:
            bot: Any = wrap(raw, "bitget", policies=Policies.load(exchange.policy), outbox=outbox)
            exchange.set_faults(rates={"accept_hang": 1.0})
            task = asyncio.create_task(bot.spot_place_order(**ORDER, clientOid="a"))
            while not exchange.ledger()["orders"]:  # noqa: ASYNC110  # the exchange runs in a thread
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            exchange.set_faults()
            return await outbox.aresume(bot)

    (found,) = asyncio.run(story())
    assert (found.outcome, executions(exchange)) == ("done", {"a": 1})


def test_plain_http_clients_are_rejected(outbox: Outbox) -> None:
    """Their arguments may hold credentials, which must not be stored."""
    with pytest.raises(TypeError, match="wrap the client that signs them"):
        wrap(requests.Session(), "http", outbox=outbox)


def test_an_argument_that_cannot_be_stored_is_rejected_before_sending(exchange: Sandbox, outbox: Outbox) -> None:
    """An argument that is not JSON is a clear error; nothing was sent."""
    with pytest.raises(TypeError, match="cannot store the argument 'size', a object; it stores None, bool"):
        client(exchange, outbox).spot_place_order(**{**ORDER, "size": object()}, clientOid="a")
    assert exchange.ledger()["orders"] == []


def test_a_file_that_cannot_be_written_rejects_the_order(exchange: Sandbox, tmp_path: Path) -> None:
    """A write that cannot be recorded is not sent."""
    box = Outbox(tmp_path / "bot.db")
    bot = client(exchange, box)
    box.close()
    with pytest.raises(RejectedError, match="cannot be written"):
        bot.spot_place_order(**ORDER, clientOid="a")
    assert exchange.ledger()["orders"] == []


def test_a_file_that_is_not_an_outbox_is_rejected(tmp_path: Path) -> None:
    """A clear error, and the file stays as it was."""
    path = tmp_path / "notes.txt"
    path.write_text("these are no rows, but a text that is long enough to be taken for a header" * 20)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="is not an outbox"):
        Outbox(path)
    assert path.read_bytes() == before


def test_rows_hold_no_credentials_and_only_the_owner_reads_them(exchange: Sandbox, tmp_path: Path) -> None:
    """Key, secret and passphrase are not stored; only the owner may read the orders."""
    path = tmp_path / "bot.db"
    with Outbox(path) as outbox:
        client(exchange, outbox).spot_place_order(**ORDER, clientOid="a")
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert not any(secret.encode() in stored for secret in (exchange.key, exchange.secret, exchange.passphrase))
    assert path.stat().st_mode & 0o077 == 0


def test_settled_writes_can_be_forgotten(exchange: Sandbox, outbox: Outbox) -> None:
    """Open writes are never forgotten."""
    client(exchange, outbox).spot_place_order(**ORDER, clientOid="a")
    assert outbox.forget(3600) == 0
    assert outbox.forget(-1) == 1
    assert outbox.find("a") is None


def test_not_found_before_the_fence_keeps_the_write_open(outbox: Outbox) -> None:
    """NOT_FOUND before the fence is no proof: with a short deadline the write stays open."""

    class Bot:
        def place(self, *, client_id: str) -> str:
            raise Killed

    policies = Policies.from_mapping(SHORT, clock=FakeClock())
    rules = {"place": {"key": "client_id", "reconcile": lambda _call: NOT_FOUND}}
    bot = wrap(Bot(), "trade", operations=rules, policies=policies, outbox=outbox)
    with pytest.raises(Killed):
        bot.place(client_id="a")
    assert [write.outcome for write in outbox.resume(bot, resend=True)] == ["unknown"]


def test_a_resume_leaves_a_write_that_was_settled_meanwhile_alone(exchange: Sandbox, outbox: Outbox) -> None:
    """A call in progress when the resume began has ended when the resume reaches its row: it is not made again."""
    bot = client(exchange, outbox)
    begun, may_send, raw = threading.Event(), threading.Event(), vars(bot)["_resilience_client"]

    def first(**params: Any) -> Any:
        begun.set()
        may_send.wait(60)
        return BitgetClient.spot_place_order(raw, **params)

    def die(**_params: Any) -> Any:
        raise Killed

    with pytest.raises(Killed):
        client(exchange, outbox, spot_place_order=die).spot_place_order(**ORDER, clientOid="old")
    vars(raw)["spot_place_order"] = first
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(bot.spot_place_order, **ORDER, clientOid="a")
        begun.wait(60)
        old, listed = outbox.open
        assert (old.key, listed.key) == ("old", "a")
        resumer = client(exchange, outbox)
        assert begin_resume(outbox._recorder, resumer, listed, resend=True) is None, "a call has it"
        may_send.set()
        running.result()
    assert begin_resume(outbox._recorder, resumer, listed, resend=True) is None, "a call has settled it"
    assert [write.key for write in outbox.resume(resumer)] == ["old"]
    assert executions(exchange) == {"a": 1}


def test_concurrent_resumes_share_the_rows(exchange: Sandbox, outbox: Outbox) -> None:
    """Each of several resumes at once leaves the others' rows alone, also those that they have settled."""

    def die(**_params: Any) -> Any:
        raise Killed

    for key in ("a", "b", "c"):
        with pytest.raises(Killed):
            client(exchange, outbox, spot_place_order=die).spot_place_order(**ORDER, clientOid=key)
    with ThreadPoolExecutor(4) as pool:
        resumed = list(pool.map(lambda _: outbox.resume(client(exchange, outbox), resend=True), range(4)))
    assert sorted(write.key for writes in resumed for write in writes) == ["a", "b", "c"]
    assert executions(exchange) == {"a": 1, "b": 1, "c": 1}


def test_a_resume_with_the_wrong_client_claims_nothing(outbox: Outbox, exchange: Sandbox) -> None:
    """It reports that the client has no such method, and a resume with the right client works afterwards."""

    def die(**_params: Any) -> Any:
        raise Killed

    with pytest.raises(Killed):
        client(exchange, outbox, spot_place_order=die).spot_place_order(**ORDER, clientOid="a")
    with pytest.raises(AttributeError, match="resumes writes with the wrapped client"):
        outbox.resume(object())
    (refused,) = outbox.resume(wrap(object(), policies=Policies.builtin()))
    assert (refused.outcome, refused.value) == ("unknown_operation", "object has no operation spot_place_order")
    assert [write.outcome for write in outbox.resume(client(exchange, outbox))] == ["failed"]


def test_a_clock_that_was_corrected_between_two_attempts(exchange: Sandbox, outbox: Outbox) -> None:
    """The first stamp, far ahead, was rejected, and the second was accepted: the order is ours."""
    raw = BitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)
    raw.spot_place_order(**ORDER, clientOid="a")
    outbox._store.add(NewWrite("a", "spot_place_order", encode_arguments((), {**ORDER, "clientOid": "a"})))
    outbox._store.set_stamps(HeldWrite("a", "spot_place_order"), [exchange.now() + 40, exchange.now()])
    (found,) = outbox.resume(client(exchange, outbox))
    assert (found.outcome, executions(exchange)) == ("done", {"a": 1})


def test_its_rejections_are_the_clients_errors_too(exchange: Sandbox, outbox: Outbox) -> None:
    """Code that catches the errors of requests catches them."""
    bot = client(exchange, outbox)
    bot.spot_place_order(**ORDER, clientOid="a")
    with pytest.raises(requests.RequestException, match="executed already") as caught:
        bot.spot_place_order(**ORDER, clientOid="a")
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), RejectedError)


def test_another_database_is_rejected(tmp_path: Path) -> None:
    """It gets no table of ours."""
    path = tmp_path / "notes.db"
    with closing(sqlite3.connect(path)) as notes:
        notes.execute("CREATE TABLE notes (text)")
    before = path.read_bytes()
    with pytest.raises(ValueError, match="is not an outbox: the file is an SQLite database of another program"):
        Outbox(path)
    assert path.read_bytes() == before


def test_the_names_of_0_1_still_work(outbox: Outbox) -> None:
    """Each gives a warning that has the new name."""

    class Bot:
        def place(self, *, client_id: str) -> str:
            raise Killed

        async def place_async(self, *, client_id: str) -> str:
            raise Killed

    async def found(_call: Any) -> Any:
        return Found("there")

    rules = {
        "place": {"key": "client_id", "reconcile": lambda _call: Found("there")},
        "place_async": {"key": "client_id", "reconcile": found},
    }
    bot = wrap(Bot(), operations=rules, policies=Policies.builtin(), outbox=outbox)
    with pytest.raises(Killed):
        bot.place(client_id="a")
    with pytest.warns(DeprecationWarning, match=r"use Outbox\.resume"):
        assert [write.outcome for write in outbox.replay(bot)] == ["done"]
    with pytest.raises(Killed):
        asyncio.run(bot.place_async(client_id="b"))
    with pytest.warns(DeprecationWarning, match=r"use Outbox\.aresume"):
        assert [write.value for write in asyncio.run(outbox.areplay(bot))] == ["there"]
    with pytest.warns(DeprecationWarning, match="use ResumedWrite"):
        assert resilience.outbox.Replayed is ResumedWrite
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = resilience.outbox.nothing
