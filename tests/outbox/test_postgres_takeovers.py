"""An outbox in PostgreSQL: what a process may believe of a write that another has, or may have, taken over."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from resilience import NOT_FOUND, Policies, RejectedError, failure_of, wrap
from resilience.bitget import BitgetClient
from resilience.outbox import Outbox
from resilience.outbox.outbox_store import NewWrite, OutboxBusyError
from resilience.outbox.row_match import resolve_row
from resilience.testing import FakeClock
from tests.outbox.bots import Bot, Killed, found_none, wrapped
from tests.outbox.database import Database

OpenOutbox = Callable[..., Outbox]


def interrupted(outbox: Outbox, key: str) -> None:
    """Place an order whose process ends when it has left."""
    with pytest.raises(Killed):
        wrapped(Bot(dies=True), outbox).place(client_id=key)


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until the background thread has seen something."""
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def lose_answers(store: Any, monkeypatch: pytest.MonkeyPatch, then: Callable[[], None]) -> None:
    """Store the next row and lose the answer; what happens `then` is over before it is asked again."""
    add, lost, happens = store.add, OutboxBusyError("the answer was lost"), [then]
    lost.may_be_stored = True

    def add_and_lose(write: NewWrite) -> Any:
        held = add(write)
        if happens:
            happens.pop()()
            raise lost
        return held

    monkeypatch.setattr(store, "add", add_and_lose)


@pytest.mark.parametrize("resend", [False, True])
def test_an_adopted_write_that_its_owner_may_send_at_any_time_stays_so_when_it_is_resumed(
    open_outbox: OpenOutbox, database: Database, resend: bool
) -> None:
    """After `adopt` the row is this process's, which says nothing of what the former owner may still do."""
    dead, alive = open_outbox(), open_outbox()
    interrupted(dead, "a")
    database.end_leases()
    bot = wrapped(Bot(), alive, lookup=lambda _call: NOT_FOUND)
    assert [write.outcome for write in alive.adopt(bot, resend=resend)] == ["unknown"]
    for _ in range(2):
        assert [write.outcome for write in alive.resume(bot, resend=resend)] == ["unknown"]
    assert vars(bot)["_resilience_client"].sent == []
    assert [row.key for row in alive.open] == ["a"]
    assert [write.outcome for write in alive.resume(wrapped(Bot(), alive))] == ["done"], "found, it is proven"
    assert wrapped(Bot(), alive, lookup=found_none).place(client_id="b") == "b"


def test_a_write_of_its_own_is_proven_again_once_it_was_placed_anew(
    open_outbox: OpenOutbox, database: Database
) -> None:
    """A key that was adopted, settled by hand and used again is a new write of this process."""
    dead, alive = open_outbox(), open_outbox()
    interrupted(dead, "a")
    database.end_leases()
    bot = wrapped(Bot(), alive, lookup=found_none)
    assert [write.outcome for write in alive.adopt(bot)] == ["unknown"]
    alive.settle("a", "failed")
    interrupted(alive, "a")
    assert [write.outcome for write in alive.resume(bot, resend=True)] == ["done"]
    assert vars(bot)["_resilience_client"].sent == ["a"]


@pytest.mark.parametrize("outcome", ["open", "done"])
def test_a_row_that_was_adopted_while_its_answer_was_lost_is_no_proof(
    open_outbox: OpenOutbox, database: Database, monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    """The process slept after it had stored the row; another has it, and may have sent the order."""
    outbox, other = open_outbox(), open_outbox()

    def adopt() -> None:
        database.end_leases()
        (row,) = other.open
        taken = vars(other)["_store"].take(row)
        if outcome == "done":
            assert vars(other)["_store"].settle(taken.held, "done") is None

    lose_answers(vars(outbox)["_store"], monkeypatch, adopt)
    raw = Bot()
    with pytest.raises(RejectedError) as raised:
        wrapped(raw, outbox).place(client_id="a")
    assert raw.sent == []
    assert failure_of(raised.value).executed == "maybe"
    assert [row.key for row in other.rows("open" if outcome == "open" else "done")] == ["a"]


def test_a_row_that_another_has_settled_as_not_executed_is_not_sent_after_that(
    open_outbox: OpenOutbox, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever was told so may have placed the order anew."""
    outbox, other = open_outbox(), open_outbox()

    def adopt() -> None:
        database.end_leases()
        (row,) = other.open
        store = vars(other)["_store"]
        assert store.settle(store.take(row).held, "failed") is None

    lose_answers(vars(outbox)["_store"], monkeypatch, adopt)
    raw = Bot()
    with pytest.raises(RejectedError) as raised:
        wrapped(raw, outbox).place(client_id="a")
    assert raw.sent == []
    assert failure_of(raised.value).executed == "no"
    assert [row.key for row in other.rows("failed")] == ["a"]
    monkeypatch.undo()
    assert wrapped(raw, outbox).place(client_id="a") == "a", "another call with this key is another write"


@pytest.mark.parametrize("was_there", [False, True])
def test_a_row_that_arrives_after_its_withdrawal_is_not_open(open_outbox: OpenOutbox, was_there: bool) -> None:
    """The network held the statement back; the caller has heard that nothing was sent, and nobody may send it."""
    outbox = open_outbox()
    store = vars(outbox)["_store"]
    if was_there:
        interrupted(outbox, "a")
        outbox.settle("a", "failed")
    late = NewWrite("a", "place", "[[], {}]", token="late")
    assert store.withdraw(late)
    assert store.add(late) is None
    assert outbox.open == []
    assert wrapped(Bot(), outbox).place(client_id="a") == "a"
    assert store.withdraw(late), "the key is another write's: its row is certainly not this one's"
    assert [row.key for row in outbox.rows("done")] == ["a"]


def test_stamps_that_arrive_late_replace_no_later_ones(open_outbox: OpenOutbox) -> None:
    """The network held a statement back until the next attempt's stamp was stored: the fence counts from the latest."""
    store = vars(open_outbox())["_store"]
    held = store.add(NewWrite("a", "place", "[[], {}]", token="t"))
    for stamps in ([1.5], [1.5, 7.25], [1.5], [], [3.0]):
        store.set_stamps(held, stamps)
    row = store.find("a")
    assert (row.stamps[0], max(row.stamps), set(row.stamps)) == (1.5, 7.25, {1.5, 3.0, 7.25})


def test_a_row_that_is_added_twice_keeps_its_stamps(open_outbox: OpenOutbox) -> None:
    """The network held the first statement back until the second was used: without stamps nothing would look sent."""
    store = vars(open_outbox())["_store"]
    write = NewWrite("a", "place", "[[], {}]", token="t")
    held = store.add(write)
    store.set_stamps(held, [1.5])
    store.set_key_missing(held)
    assert store.add(write) == held
    row = store.find("a")
    assert (row.stamps, row.key_missing) == ((1.5,), True)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs setitimer")
@pytest.mark.parametrize("error", [TimeoutError, KeyboardInterrupt])
def test_what_a_signal_handler_raises_while_the_row_is_stored(
    open_outbox: OpenOutbox, database: Database, error: type[BaseException]
) -> None:
    """It ends the call and is not taken for a server that does not answer; nobody sends the order later."""
    outbox, other, raw = open_outbox(), open_outbox(), Bot()
    database.ask("BEGIN; LOCK TABLE resilience_writes IN SHARE MODE")

    def interrupt(*_: object) -> None:
        database.ask("COMMIT")
        raise error("from a handler")

    former = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises((error, RejectedError), match="from a handler"):
            wrapped(raw, outbox).place(client_id="a")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    assert raw.sent == []
    database.end_leases()
    assert other.adopt(wrapped(raw, other), resend=True) == []
    assert other.open == []


@pytest.mark.parametrize(("own", "known"), [(50.0, 50.0), (5.0, 20.0)])
def test_the_receive_window_of_the_owner_counts(open_outbox: OpenOutbox, own: float, known: float) -> None:
    """The adopter's own client has another one; what the owner has signed is accepted for as long as the owner said."""
    outbox, settings = open_outbox(), {"trade": {"extends": "bitget"}}

    def client(window: float) -> Any:
        policies = Policies.from_mapping({"version": 1, "policies": settings}, clock=FakeClock())
        raw = BitgetClient("key", "secret", "phrase", base_url="http://127.0.0.1:9", receive_window=window)
        return wrap(raw, "trade", policies=policies, outbox=outbox)

    with pytest.raises(Exception, match="refused"):
        client(own).spot_place_order(
            symbol="BTCUSDT", side="buy", orderType="market", force="gtc", size="1", clientOid="a"
        )
    (row,) = outbox.rows("failed")
    assert row.window == own
    fence = resolve_row(client(20.0), row).info.fence
    assert fence is not None
    assert fence.window == known


def test_a_key_that_another_account_has_used_is_not_said_to_be_executed(open_outbox: OpenOutbox) -> None:
    """Nothing of this account's order was."""
    outbox = open_outbox()
    store = vars(outbox)["_store"]
    assert store.settle(store.add(NewWrite("a", "place", "[[], {}]", account="0123", token="t")), "done") is None
    with pytest.raises(RejectedError, match="is that of another account"):
        wrapped(Bot(), outbox).place(client_id="a")


def test_a_key_that_two_operations_share(open_outbox: OpenOutbox) -> None:
    """The open write is found and settled, although the other is older."""
    outbox = open_outbox()
    bot = wrapped(Bot(), outbox)
    bot.place(client_id="a")
    with pytest.raises(Killed):
        asyncio.run(wrapped(Bot(dies=True), outbox).place_async(client_id="a"))
    found = outbox.find("a")
    assert found is not None
    assert (found.operation, found.state) == ("place_async", "open")
    outbox.settle("a", "failed")
    assert sorted((row.operation, row.state) for state in ("done", "failed") for row in outbox.rows(state)) == [
        ("place", "done"),
        ("place_async", "failed"),
    ]


def test_a_database_without_an_encoding(database: Database) -> None:
    """`initdb` makes one where the machine has no locale: its rows are read all the same."""
    database.ask("CREATE DATABASE plain ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    with Outbox(database.server.url(database="plain")) as outbox:
        interrupted(outbox, "kö")
        (row,) = outbox.open
        assert (row.key, row.problem) == ("kö", "")
        assert [write.outcome for write in outbox.resume(wrapped(Bot(), outbox))] == ["done"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_that_was_forked_during_a_call_adopts_that_write(open_outbox: OpenOutbox, database: Database) -> None:
    """The call goes on in the parent alone; once the parent is dead, the child may settle its write."""
    outbox = open_outbox()
    codes: list[int] = []

    class Forking(Bot):
        def place(self, *args: Any, client_id: str = "", **more: Any) -> str:
            super().place(*args, client_id=client_id, **more)
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    Database.end_leases_of(database.url)
                    code = 0 if [one.outcome for one in outbox.adopt(wrapped(Bot(), outbox))] == ["done"] else 2
                finally:
                    os._exit(code)
            codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            return client_id

    assert wrapped(Forking(), outbox).place(client_id="a") == "a"
    assert codes == [0]


def test_a_snapshot_says_who_has_an_uncertain_write(open_outbox: OpenOutbox, database: Database) -> None:
    """At first the process that made it, then whoever adopted it; once that one has settled it, it is shown no more."""

    class Unlucky(Bot):
        def place(self, *args: Any, client_id: str = "", **more: Any) -> str:
            super().place(*args, client_id=client_id, **more)
            raise ConnectionResetError

    outbox, other = open_outbox(lease=1.0), open_outbox()
    settings = {"version": 1, "policies": {"trade": {"extends": "default"}}}
    policies = Policies.from_mapping(settings, clock=FakeClock())
    rules: dict[str, Any] = {"place*": {"key": "client_id", "reconcile": lambda _call: None}}
    client = wrap(Unlucky(), "trade", operations=rules, policies=policies, outbox=outbox)
    with pytest.raises(ConnectionResetError):
        client.place(client_id="a")
    (own,) = outbox.open
    (shown,) = policies.snapshot()["writes_in_doubt"]
    assert (shown["key"], shown["owner"]) == ("a", own.owner)

    database.end_leases()
    lost = wrapped(Bot(), other, lookup=lambda _call: None)
    assert [write.outcome for write in other.adopt(lost)] == ["unknown"]
    (taken,) = other.open
    assert taken.owner != own.owner
    eventually(lambda: [row["owner"] for row in policies.snapshot()["writes_in_doubt"]] == [taken.owner])
    other.settle("a", "done")
    eventually(lambda: policies.snapshot()["writes_in_doubt"] == [])
    with pytest.raises(ConnectionResetError):
        client.place(client_id="b")
    assert len(policies.snapshot()["writes_in_doubt"]) == 1
    outbox.settle("b", "failed")
    eventually(lambda: policies.snapshot()["writes_in_doubt"] == [])


def test_a_pooler_that_loses_the_settings_of_a_session_loses_no_row(
    open_outbox: OpenOutbox, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each change asks for a synchronous commit itself. A trigger at the end of each transaction sees what holds."""
    lost = "SELECT set_config('synchronous_commit', 'off', false)"
    monkeypatch.setattr("resilience.outbox.postgres.server_connections._SETTINGS", lost)
    outbox = open_outbox()
    database.ask("CREATE TABLE seen (state text, stamps int, setting text)")
    database.ask(
        "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES (new.state, "
        "cardinality(new.stamps), current_setting('synchronous_commit')); RETURN NULL; END $$"
    )
    database.ask(
        "CREATE CONSTRAINT TRIGGER seeing AFTER INSERT OR UPDATE ON resilience_writes DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION see()"
    )
    wrapped(Bot(), outbox).place(client_id="a")
    interrupted(outbox, "b")
    assert [write.outcome for write in outbox.resume(wrapped(Bot(), outbox))] == ["done"]
    assert set(database.ask("SELECT * FROM seen")) == {("open", 0, "on"), ("open", 1, "on"), ("done", 1, "on")}
