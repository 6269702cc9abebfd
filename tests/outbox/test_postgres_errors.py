"""What an outbox in PostgreSQL refuses: a bad URL, missing rights, a server that is gone; and what it never shows."""

from __future__ import annotations

import asyncio
import gc
import pickle
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from benchmarks.postgres_server import PostgresServer
from resilience import RejectedError, failure_of
from resilience.outbox import Outbox
from resilience.outbox.outbox_store import NewWrite, OutboxBusyError
from resilience.outbox.postgres import migrations
from tests.outbox.bots import Bot, Killed, wrapped
from tests.outbox.database import Database

OpenOutbox = Callable[..., Outbox]
SECRET = "s3cret-p4ss"


@pytest.fixture
def own_server(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """A server that a test may kill; `postgres` skips where there is none."""
    server = PostgresServer()
    yield server
    server.close()


def shown(error: BaseException) -> str:
    """Return all that a log would show of an error, and what it pickles to."""
    ours = [
        repr(value)
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if "resilience" in frame.f_globals["__name__"]
        for value in frame.f_locals.values()
    ]
    texts = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error)) + repr(pickle.dumps(error))
    return texts + "".join(ours)


@pytest.mark.parametrize(
    ("url", "error", "text"),
    [
        (f"postgresql://bot:{SECRET}@127.0.0.1:notaport/x", OSError, "port"),
        (f"postgresql://bot:{SECRET}@[::1/x", ValueError, "none that PostgreSQL knows"),
        (f"postgresql://bot:{SECRET}@127.0.0.1:1/x?what=1", ValueError, "none that PostgreSQL knows"),
        (f"postgres://bot:{SECRET}@127.0.0.1:1/trading", OSError, "127.0.0.1:1, database trading"),
        (f"postgresql://bot:{SECRET}@127.0.0.1:{{port}}/no_such", OSError, "no_such"),
        (f"postgresql://nobody-{SECRET[:3]}:{SECRET}@127.0.0.1:{{port}}/postgres", OSError, "does not exist"),
    ],
)
def test_a_url_that_leads_nowhere(postgres: PostgresServer, url: str, error: type, text: str) -> None:
    """The error names the server and what is wrong, and nothing of it shows the password."""
    with pytest.raises(error, match=text) as raised:
        Outbox(url.format(port=postgres.port))
    assert SECRET not in shown(raised.value)


@pytest.mark.parametrize("lease", [0, -1.0, float("nan"), float("inf"), 1e9])
def test_a_lease_out_of_range(database: Database, lease: float) -> None:
    """It is refused before anything is opened."""
    with pytest.raises(ValueError, match="lease"):
        Outbox(database.url, lease=lease)


@pytest.mark.parametrize("lease", [True, "30s", None])
def test_a_lease_that_is_no_number(database: Database, lease: Any) -> None:
    """Seconds, as a number."""
    with pytest.raises(TypeError, match="lease"):
        Outbox(database.url, lease=lease)


@pytest.mark.slow
def test_the_extra_is_missing() -> None:
    """The error says what to install; a file needs nothing of it."""
    code = """
import sys
sys.modules["psycopg"] = None
import resilience.outbox, tempfile, os
resilience.outbox.Outbox(os.path.join(tempfile.mkdtemp(), "bot.db")).close()
assert "asyncio" not in sys.modules or "resilience.outbox.postgres.postgres_store" not in sys.modules
try:
    resilience.outbox.Outbox("postgresql://bot:s3cret-p4ss@localhost/x")
except ModuleNotFoundError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "pip install 'resilience-middleware[postgres]'" in run.stdout
    assert SECRET not in run.stdout + run.stderr


def test_nothing_that_is_shown_has_the_password(postgres: PostgresServer, database: Database) -> None:
    """Neither the outbox, nor the errors of a closed one, nor a rejection."""
    outbox = Outbox(postgres.url(schema=database.schema, password=SECRET))
    bot = wrapped(Bot(), outbox)
    bot.place(client_id="a")
    parts = [outbox, *vars(outbox).values(), *vars(vars(outbox)["_store"]).values(), outbox.rows("done")]
    outbox.close()
    with pytest.raises(RejectedError, match="was closed") as raised:
        bot.place(client_id="b")
    assert SECRET not in repr(parts) + shown(raised.value)


def test_tables_of_a_newer_version_are_left_alone(database: Database) -> None:
    """An older bot does not write to them."""
    Outbox(database.url).close()
    database.ask("INSERT INTO resilience_outbox_versions VALUES (99, clock_timestamp())")
    with pytest.raises(ValueError, match="newer version of resilience"):
        Outbox(database.url)


def test_processes_that_start_together_create_the_tables_once(database: Database) -> None:
    """The others wait for the first."""
    with ThreadPoolExecutor(6) as pool:
        boxes = list(pool.map(lambda _: Outbox(database.url), range(6)))
    for box in boxes:
        box.close()
    assert database.ask("SELECT version FROM resilience_outbox_versions") == [(1,)]


def test_a_migration_is_applied_once_to_tables_of_an_older_version(database: Database) -> None:
    """The rows stay."""
    with Outbox(database.url) as outbox:
        wrapped(Bot(), outbox).place(client_id="a")
    from resilience.outbox.postgres.server_link import ServerLink

    newer = (*migrations.MIGRATIONS, ("ALTER TABLE resilience_writes ADD COLUMN later text",))

    async def never() -> None:
        """Do nothing every hour."""

    link = ServerLink(database.url, never, 3600.0)
    for _ in range(2):
        link.run(lambda connection: migrations.migrate(connection, link.address, newer), 10.0)
    link.close()
    assert database.ask("SELECT version FROM resilience_outbox_versions ORDER BY 1") == [(1,), (2,)]
    assert database.ask("SELECT key, later FROM resilience_writes") == [("a", None)]


def test_a_user_without_rights(postgres: PostgresServer, database: Database) -> None:
    """Who may not create the tables is told so; once they are there, reading and writing them is enough."""
    user = f"user_{database.schema}"
    database.ask(f"CREATE ROLE {user} LOGIN; GRANT USAGE ON SCHEMA {database.schema} TO {user}")
    url = postgres.url(schema=database.schema, user=user)
    with pytest.raises(OSError, match=r"permission denied.*needs CREATE on the schema once"):
        Outbox(url)
    Outbox(database.url).close()
    with pytest.raises(OSError, match="permission denied"):
        Outbox(url)
    tables = "resilience_writes, resilience_outbox_versions"
    database.ask(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO {user}")
    with Outbox(url) as outbox:
        assert wrapped(Bot(), outbox).place(client_id="a") == "a"
    database.ask(f"DROP OWNED BY {user}; DROP ROLE {user}")


def test_tables_that_were_removed_under_the_running_bot(open_outbox: OpenOutbox, database: Database) -> None:
    """Nothing is sent that is not recorded."""
    outbox = open_outbox()
    database.ask("DROP TABLE resilience_writes")
    raw = Bot()
    with pytest.raises(RejectedError, match="tables of the outbox were removed"):
        wrapped(raw, outbox).place(client_id="a")
    assert raw.sent == []


@pytest.mark.parametrize("key", ["nul\0", "half\ud800"])
def test_a_key_that_no_row_can_hold(open_outbox: OpenOutbox, key: str) -> None:
    """It is the caller's mistake."""
    with pytest.raises(TypeError, match="no valid text"):
        wrapped(Bot(), open_outbox()).place(client_id=key)


def test_a_server_that_is_gone_and_comes_back(own_server: PostgresServer) -> None:
    """Nothing is sent meanwhile; the row of an order that was just answered is settled once it is back."""
    outbox = Outbox(own_server.url(), lease=0.3)  # the beat comes every third of it

    class Killing(Bot):
        def place(self, *args: Any, client_id: str = "", **more: Any) -> str:
            result = super().place(*args, client_id=client_id, **more)
            own_server.kill()
            return result

    assert wrapped(Killing(), outbox).place(client_id="answered") == "answered"
    raw = Bot()
    with pytest.raises(RejectedError, match="cannot be used now") as raised:
        wrapped(raw, outbox).place(client_id="meanwhile")
    assert raw.sent == []
    assert failure_of(raised.value).executed == "no"

    async def place() -> None:
        """The same in an event loop."""
        with pytest.raises(RejectedError, match="cannot be used now"):
            await wrapped(raw, outbox).place_async(client_id="meanwhile-too")

    asyncio.run(place())
    assert raw.sent == []
    own_server.start()
    row = outbox.find("answered")  # waits for the connection
    assert row is not None
    assert row.state == "done", "it is known here, even where the server does not know it yet"
    assert wrapped(raw, outbox).place(client_id="meanwhile") == "meanwhile"
    assert outbox.open == []
    outbox.close()
    with Outbox(own_server.url()) as later:
        assert {one.key for one in later.rows("done")} == {"answered", "meanwhile"}


@pytest.mark.slow
def test_a_server_that_does_not_answer_holds_nobody(own_server: PostgresServer) -> None:
    """A paused server keeps its connections and is silent: the call ends, and nothing was sent."""
    outbox, raw = Outbox(own_server.url()), Bot()
    own_server.pause()
    try:
        with pytest.raises(RejectedError, match="no answer within"):
            wrapped(raw, outbox).place(client_id="a")
    finally:
        own_server.unpause()
    assert raw.sent == []
    assert outbox.find("b") is None
    outbox.close()


def test_a_row_whose_storing_was_not_confirmed_is_withdrawn(
    open_outbox: OpenOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller hears that nothing was sent: nobody may find the row and send it later."""
    outbox, raw = open_outbox(), Bot()
    store = vars(outbox)["_store"]
    add, lost = store.add, OutboxBusyError("the answer was lost")
    lost.may_be_stored = True

    def add_and_lose(write: NewWrite) -> Any:
        add(write)
        raise lost

    monkeypatch.setattr(store, "add", add_and_lose)
    with pytest.raises(RejectedError, match="the answer was lost") as raised:
        wrapped(raw, outbox).place(client_id="a")
    assert (raw.sent, failure_of(raised.value).executed) == ([], "no")
    assert [row.key for row in outbox.rows("failed")] == ["a"]
    monkeypatch.undo()
    assert wrapped(raw, outbox).place(client_id="a") == "a"


def test_a_row_that_was_stored_before_the_answer_was_lost_is_used(
    open_outbox: OpenOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same call adds it again, and it is its own."""
    outbox, raw = open_outbox(), Bot()
    store = vars(outbox)["_store"]
    add, lost = store.add, OutboxBusyError("the answer was lost")
    lost.may_be_stored = True
    answers = iter([lost, None])

    def add_and_lose(write: NewWrite) -> Any:
        held = add(write)
        problem = next(answers)
        if problem is not None:
            raise problem
        return held

    monkeypatch.setattr(store, "add", add_and_lose)
    assert wrapped(raw, outbox).place(client_id="a") == "a"
    assert [(row.key, row.epoch) for row in outbox.rows("done")] == [("a", 1)]


def test_an_interrupted_call_keeps_no_lease(open_outbox: OpenOutbox, database: Database) -> None:
    """Only what a call works on is renewed: a write that nobody works on is adopted after its lease."""
    outbox = open_outbox(lease=0.3)
    beats = threading.Event()
    store = vars(outbox)["_store"]
    working = vars(store)["_in_progress"]

    def seen() -> Any:
        beats.set()
        return working()

    store.keep_leases(seen)
    with pytest.raises(Killed):
        wrapped(Bot(dies=True), outbox).place(client_id="a")
    assert working() == []
    claim = vars(outbox)["_recorder"].claims.take("a", "place")
    assert working() == [("a", "place")]
    database.end_leases()
    beats.clear()
    assert beats.wait(30)
    beats.clear()
    assert beats.wait(30), "a whole beat has passed"
    assert database.ask("SELECT lease_until > clock_timestamp() - interval '1 s' FROM resilience_writes") == [(True,)]
    del claim


@pytest.mark.parametrize("closes", [True, False])
def test_an_outbox_leaves_no_thread(database: Database, closes: bool) -> None:
    """Whether it is closed, or just dropped."""
    threads = set(threading.enumerate())
    outbox = Outbox(database.url)
    wrapped(Bot(), outbox).place(client_id="a")
    (thread,) = set(threading.enumerate()) - threads
    if closes:
        outbox.close()
        outbox.close()
    del outbox
    gc.collect()
    thread.join(30)
    assert not thread.is_alive()
