"""An outbox in PostgreSQL: the guarantees of the file, shared by several processes."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from operator import attrgetter
from typing import Any

import pytest

from resilience import NOT_FOUND, Policies, RejectedError, current_call, failure_of, wrap
from resilience.bitget import BitgetApiError, BitgetClient
from resilience.outbox import Outbox
from resilience.sandbox import Sandbox
from resilience.testing import FakeClock
from resilience.venues.server_clock import ServerClock
from tests.outbox.bots import Bot, Killed, found_all, found_all_async, found_none, wrapped
from tests.outbox.database import Database

OpenOutbox = Callable[..., Outbox]
ORDER = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "force": "gtc", "size": "50"}


def interrupted(outbox: Outbox, *keys: str) -> None:
    """Place orders whose process ends when they have left."""
    bot = wrapped(Bot(dies=True), outbox)
    for key in keys:
        with pytest.raises(Killed):
            bot.place(client_id=key)


def states(outbox: Outbox) -> dict[str, str]:
    """Return the state of every write."""
    return {row.key: row.state for state in ("open", "done", "failed") for row in outbox.rows(state)}


def test_row_and_stamp_are_stored_before_the_order_leaves(open_outbox: OpenOutbox, database: Database) -> None:
    """Another connection sees both while the order is being sent, and the end after it."""
    outbox, seen = open_outbox(), []

    class Looking(Bot):
        def place(self, *args: Any, client_id: str = "", **more: Any) -> str:
            result = super().place(*args, client_id=client_id, **more)
            seen.extend(database.ask("SELECT key, state, cardinality(stamps), epoch FROM resilience_writes"))
            return result

    bot = wrapped(Looking(), outbox)
    assert bot.place(1, client_id="a", side="buy") == "a"
    assert seen == [("a", "open", 1, 1)]
    row = outbox.find("a")
    assert row is not None
    assert (row.state, row.args, row.kwargs) == ("done", (1,), {"client_id": "a", "side": "buy"})
    with pytest.raises(RejectedError, match="executed already"):
        wrapped(Bot(), open_outbox()).place(client_id="a")


async def place_in(library: str, outbox: Outbox) -> None:
    """Place an order, and resume and adopt what is open."""
    bot = wrapped(Bot(dies=True), outbox)
    with pytest.raises(Killed):
        await bot.place_async(client_id=f"{library}-own")
    good = wrapped(Bot(), outbox)
    assert await good.place_async(client_id=f"{library}-done") == f"{library}-done"
    assert [write.outcome for write in await outbox.aadopt(good)] == ["done"]
    assert [write.outcome for write in await outbox.aresume(good)] == ["done"]


@pytest.mark.parametrize("library", ["asyncio", "trio"])
def test_async_callers(open_outbox: OpenOutbox, database: Database, library: str) -> None:
    """The same under asyncio and trio."""
    dead = open_outbox()
    bot = wrapped(Bot(dies=True), dead)

    async def die() -> None:
        with pytest.raises(Killed):
            await bot.place_async(client_id="dead")

    if library == "asyncio":
        asyncio.run(die())
        database.end_leases()
        asyncio.run(place_in(library, open_outbox()))
    else:
        import trio

        trio.run(die)
        database.end_leases()
        trio.run(place_in, library, open_outbox())
    assert set(states(dead).values()) == {"done"}


def test_resume_is_for_the_own_writes_and_adopt_for_those_of_the_dead(
    open_outbox: OpenOutbox, database: Database
) -> None:
    """A write whose lease lasts is left alone; after it, whoever adopts it settles it, and says from whom."""
    dead, alive = open_outbox(), open_outbox()
    interrupted(dead, "a")
    bot = wrapped(Bot(), alive)
    assert alive.resume(bot) == []
    assert alive.adopt(bot) == []
    (row,) = alive.open
    database.end_leases()
    events: list[Any] = []
    settings = {"version": 1, "policies": {"trade": {"extends": "default"}}}
    policies = Policies.from_mapping(settings, clock=FakeClock())
    policies.subscribe(events.append)
    rules: dict[str, Any] = {"place*": {"key": "client_id", "reconcile": found_all}}
    (adopted,) = alive.adopt(wrap(Bot(), "trade", operations=rules, policies=policies, outbox=alive))
    assert (adopted.key, adopted.outcome, adopted.value) == ("a", "done", "found")
    adoptions = [event for event in events if event.name == "write_adopted"]
    assert [(event.key, event.owner, event.level, event.operation) for event in adoptions] == [
        ("a", row.owner, "warning", "place")
    ]
    (settled,) = alive.rows("done")
    assert settled.owner != row.owner
    assert (row.epoch, settled.epoch) == (1, 2)


def test_a_closed_outbox_gives_its_writes_away_at_once(open_outbox: OpenOutbox) -> None:
    """Its leases end when it is closed."""
    dead, alive = open_outbox(), open_outbox()
    interrupted(dead, "a")
    dead.close()
    assert [write.outcome for write in alive.adopt(wrapped(Bot(), alive))] == ["done"]


def test_the_own_uncertain_write_is_resumed(open_outbox: OpenOutbox) -> None:
    """As from a file."""
    outbox = open_outbox()
    interrupted(outbox, "a", "b")
    bot = wrapped(Bot(), outbox, lookup=found_none)
    assert [write.outcome for write in outbox.resume(bot, resend=True)] == ["done", "done"]
    assert vars(bot)["_resilience_client"].sent == ["a", "b"]


def test_each_write_is_adopted_by_one(open_outbox: OpenOutbox, database: Database) -> None:
    """Four processes adopt at the same time."""
    dead = open_outbox()
    keys = [f"k{number}" for number in range(12)]
    interrupted(dead, *keys)
    database.end_leases()
    boxes = [open_outbox() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        adopted = list(pool.map(lambda box: box.adopt(wrapped(Bot(), box)), boxes))
    assert sorted(write.key for writes in adopted for write in writes) == sorted(keys)
    assert {row.epoch for row in dead.rows("done")} == {2}


class Stopped(Bot):
    """A bot whose process is stopped while others go on: before it stamps an attempt, or after."""

    def __init__(self, meanwhile: Callable[[], None], *, stamps: tuple[float, ...]) -> None:
        super().__init__()
        self._meanwhile = meanwhile
        self._stamps = list(stamps)

    def place(self, *args: Any, client_id: str = "", **more: Any) -> str:
        call = current_call()
        assert call is not None
        if call.attempt == len(self._stamps):
            self._meanwhile()
        call.stamp(self._stamps[call.attempt - 1])
        self.sent.append(client_id)
        if call.attempt < len(self._stamps):
            raise ConnectionRefusedError("not sent")
        return client_id


@pytest.mark.parametrize("stamps", [(1.7e9,), (1.7e9, 1.7e9), (1.7e9, 1.7e9 + 5)], ids=["first", "still", "later"])
def test_an_owner_that_wakes_after_the_adoption_sends_nothing(
    open_outbox: OpenOutbox, database: Database, stamps: tuple[float, ...]
) -> None:
    """Nor where its clock stood still, so that the attempt has the stamp that is stored already."""
    first, second = open_outbox(), open_outbox()

    def adopt() -> None:
        database.end_leases()
        (write,) = second.adopt(wrapped(Bot(), second))
        assert write.outcome == "done"

    raw = Stopped(adopt, stamps=stamps)
    with pytest.raises((RejectedError, ConnectionRefusedError)) as raised:
        wrapped(raw, first).place(client_id="a")
    assert raw.sent == ["a"] * (len(stamps) - 1)
    rejection = raised.value if isinstance(raised.value, RejectedError) else raised.value.__cause__
    assert "was adopted by" in str(rejection)
    assert "is done there" in str(rejection)
    # The other process may have sent it: that it was not executed is not for this one to say.
    assert failure_of(raised.value).executed == "maybe"


def test_a_late_refusal_of_an_adopted_write_is_no_proof(open_outbox: OpenOutbox, database: Database) -> None:
    """The owner learns that its attempt was refused, when another process has sent the order already."""
    first, second = open_outbox(), open_outbox()

    class Refused(Bot):
        def place(self, *args: Any, client_id: str = "", **more: Any) -> str:
            super().place(*args, client_id=client_id, **more)
            database.end_leases()
            second.adopt(wrapped(Bot(), second))
            raise ConnectionRefusedError("not sent")

    with pytest.raises(ConnectionRefusedError) as raised:
        wrapped(Refused(), first).place(client_id="a")
    assert failure_of(raised.value).executed == "maybe"
    assert states(second) == {"a": "done"}


def test_a_proven_failure_is_stored_before_it_is_reported(open_outbox: OpenOutbox) -> None:
    """From then on nobody adopts the write, and its key is free."""
    outbox = open_outbox()

    class Refused(Bot):
        def place(self, *args: Any, client_id: str = "", **more: Any) -> str:
            super().place(*args, client_id=client_id, **more)
            raise ConnectionRefusedError("not sent")

    with pytest.raises(ConnectionRefusedError) as raised:
        wrapped(Refused(), outbox).place(client_id="a")
    assert failure_of(raised.value).executed == "no"
    assert states(outbox) == {"a": "failed"}
    assert wrapped(Bot(), open_outbox()).place(client_id="a") == "a"


def test_what_bears_no_enforced_stamp_is_never_sent_by_another(open_outbox: OpenOutbox, database: Database) -> None:
    """The former owner may send it at any time: it is looked up, reported as unknown, and stays open."""
    dead, alive = open_outbox(), open_outbox()
    interrupted(dead, "a")
    database.end_leases()
    bot = wrapped(Bot(), alive, lookup=lambda _call: NOT_FOUND)
    (write,) = alive.adopt(bot, resend=True)
    assert write.outcome == "unknown"
    assert write.error is not None
    assert failure_of(write.error).executed == "maybe"
    assert vars(bot)["_resilience_client"].sent == []
    assert states(alive) == {"a": "open"}


@pytest.fixture
def exchange() -> Any:
    """A calm exchange whose fence can be waited for."""
    with Sandbox(window=1.0) as running:
        yield running


def bitget(exchange: Sandbox, outbox: Outbox, **over: Any) -> Any:
    """Return a client of the exchange with the outbox; `over` replaces methods of the raw client."""
    raw = BitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)
    vars(raw).update(over)
    return Policies.load(exchange.policy).wrap(raw, "bitget", outbox=outbox)


@pytest.mark.parametrize("resend", [False, True])
def test_an_order_that_never_left_is_sent_by_the_adopter(
    exchange: Sandbox, open_outbox: OpenOutbox, database: Database, resend: bool
) -> None:
    """Past the fence of the stored stamp it provably was not executed: it is failed, or sent with the same key."""

    def stamp_and_die(**_params: Any) -> Any:
        call = current_call()
        assert call is not None
        call.stamp(exchange.now())
        raise Killed

    dead, alive = open_outbox(), open_outbox()
    with pytest.raises(Killed):
        bitget(exchange, dead, spot_place_order=stamp_and_die).spot_place_order(**ORDER, clientOid="a")
    database.end_leases()
    (write,) = alive.adopt(bitget(exchange, alive), resend=resend)
    assert write.outcome == ("done" if resend else "failed")
    assert [row["executions"] for row in exchange.ledger()["orders"]] == ([1] if resend else [])


class StillClock:
    """A clock of a machine that is stopped now and then: neither of its times advances meanwhile."""

    def __init__(self) -> None:
        self._stopped_for = 0.0

    def monotonic(self) -> float:
        return time.monotonic() - self._stopped_for

    def time(self) -> float:
        return time.time() - self._stopped_for

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        began = time.monotonic()
        yield
        self._stopped_for += time.monotonic() - began


def stop_while_another_places_the_order(exchange: Sandbox, first: Outbox, second: Outbox, database: Database) -> Any:
    """Return a client whose process stops before its first send, and what its requests are answered."""
    clock = StillClock()
    raw = BitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)
    raw.clock = ServerClock(clock.time, clock.monotonic)
    transmit, answers = attrgetter("_transmit")(raw), list[tuple[str, str]]()

    def stop_first(*args: Any, **kwargs: Any) -> Any:
        """Stop before the first request is on the wire, for as long as another process needs."""
        if not answers:
            database.end_leases()
            with clock.stopped():
                (write,) = second.adopt(bitget(exchange, second), resend=True)
            assert write.outcome == "done"
        answer = transmit(*args, **kwargs)
        answers.append((args[1], json.loads(answer.content)["code"]))
        return answer

    vars(raw)["_transmit"] = stop_first
    return Policies.load(exchange.policy, clock=clock).wrap(raw, "bitget", outbox=first), answers


def test_both_clocks_stand_still_and_the_venue_says_that_the_stamp_has_expired(
    exchange: Sandbox, open_outbox: OpenOutbox, database: Database
) -> None:
    """The owner measures the venue's clock, signs anew, and sends nothing: another process has placed the order."""
    first, second = open_outbox(), open_outbox()
    owner, answers = stop_while_another_places_the_order(exchange, first, second, database)
    with pytest.raises(BitgetApiError, match="expired") as raised:
        owner.spot_place_order(**ORDER, clientOid="a")
    assert "was adopted by" in str(raised.value.__cause__)
    assert failure_of(raised.value).executed == "maybe"
    assert [row["executions"] for row in exchange.ledger()["orders"]] == [1]
    assert states(second) == {"a": "done"}
    assert answers == [("POST", "40008")], "the second attempt was stamped, and not sent"


def test_the_naive_way_places_that_order_twice(
    exchange: Sandbox, open_outbox: OpenOutbox, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An owner that goes by its own clock, and does not ask for the epoch, signs anew and sends."""
    from resilience.outbox.postgres import postgres_store, statements

    for name, statement in vars(statements).items():
        if isinstance(statement, str) and "%(epoch)s" in statement and name in vars(postgres_store) and name != "TAKE":
            blind = statement.replace("AND owner = %(me)s AND epoch = %(epoch)s", "").replace("AND state = 'open'", "")
            monkeypatch.setattr(postgres_store, name, blind)
    first, second = open_outbox(), open_outbox()
    owner, answers = stop_while_another_places_the_order(exchange, first, second, database)
    owner.spot_place_order(**ORDER, clientOid="a")
    assert [row["executions"] for row in exchange.ledger()["orders"]] == [2]
    assert answers == [("POST", "40008"), ("POST", "00000")]


def test_another_account_does_not_take_the_write(
    exchange: Sandbox, open_outbox: OpenOutbox, database: Database
) -> None:
    """It is reported, and the epoch stays, so that those who can settle it are not kept from it."""
    dead, alive = open_outbox(), open_outbox()

    def die(**_params: Any) -> Any:
        call = current_call()
        assert call is not None
        call.stamp(exchange.now())
        raise Killed

    with pytest.raises(Killed):
        bitget(exchange, dead, spot_place_order=die).spot_place_order(**ORDER, clientOid="a")
    database.end_leases()
    other = BitgetClient("another-key", exchange.secret, exchange.passphrase, base_url=exchange.rest)
    client = Policies.load(exchange.policy).wrap(other, "bitget", outbox=alive)
    assert [write.outcome for write in alive.adopt(client, resend=True)] == ["other_account"]
    assert [row.epoch for row in alive.open] == [1]


def test_settle_by_hand(open_outbox: OpenOutbox, database: Database) -> None:
    """A write of another process is settled once its lease has ended, and not before."""
    dead, alive = open_outbox(), open_outbox()
    interrupted(dead, "a")
    with pytest.raises(LookupError, match="works on it"):
        alive.settle("a", "failed")
    database.end_leases()
    alive.settle("a", "done")
    assert states(alive) == {"a": "done"}
    assert alive.forget(older_than=3600) == 0
    assert alive.forget(older_than=-1) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_a_forked_child_has_a_name_and_connections_of_its_own(open_outbox: OpenOutbox) -> None:
    """It places orders itself, and cannot change what its parent works on."""
    outbox = open_outbox()
    interrupted(outbox, "parent")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            bot = wrapped(Bot(), outbox)
            assert outbox.resume(bot) == []
            assert bot.place(client_id="child") == "child"
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert states(outbox) == {"parent": "open", "child": "done"}
    assert len({row.owner for row in [*outbox.open, *outbox.rows("done")]}) == 2
    assert [write.outcome for write in outbox.resume(wrapped(Bot(), outbox))] == ["done"]


def test_a_call_that_is_rejected_after_its_write_was_adopted_cannot_say_no(
    open_outbox: OpenOutbox, database: Database
) -> None:
    """It waited for a breaker, a quota or a slot while another process placed the order."""
    first, second = open_outbox(), open_outbox()

    def adopt(event: Any) -> None:
        if event.name == "call_rejected":
            database.end_leases()
            second.adopt(wrapped(Bot(), second))

    settings = {"version": 1, "policies": {"trade": {"extends": "default"}}}
    policies = Policies.from_mapping(settings, clock=FakeClock())
    policies.isolate("trade", reason="a test")
    policies.subscribe(adopt)
    rules: dict[str, Any] = {"place*": {"key": "client_id", "reconcile": found_all}}
    raw = Bot()
    with pytest.raises(RejectedError) as raised:
        wrap(raw, "trade", operations=rules, policies=policies, outbox=first).place(client_id="a")
    assert (raw.sent, states(second)) == ([], {"a": "done"})
    assert failure_of(raised.value).executed == "maybe"


def test_an_order_that_was_cancelled_before_it_was_sent_is_not_sent_by_another(
    open_outbox: OpenOutbox, database: Database
) -> None:
    """Its row is settled when its caller hears that nothing was sent."""
    outbox, other = open_outbox(), open_outbox()
    raw = Bot()

    async def main() -> None:
        settings = {"trade": {"extends": "default", "admission": {"max_concurrent": 1, "max_queue": 9}}}
        policies = Policies.from_mapping({"version": 1, "policies": settings})
        rules: dict[str, Any] = {"place_async": {"key": "client_id", "reconcile": found_all_async}}
        entered, leave = asyncio.Event(), asyncio.Event()

        class Slow(Bot):
            async def place_async(self, *args: Any, client_id: str = "", **more: Any) -> str:
                entered.set()
                await leave.wait()
                return await super().place_async(*args, client_id=client_id, **more)

        bot = wrap(Slow(), "trade", operations=rules, policies=policies, outbox=outbox)
        running = asyncio.create_task(bot.place_async(client_id="a"))
        await entered.wait()
        waiting = asyncio.create_task(bot.place_async(client_id="b"))
        await asyncio.sleep(0)  # it has its row, and waits for the slot
        assert outbox.find("b") is not None
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError) as raised:
            await waiting
        assert failure_of(raised.value).executed == "no"
        leave.set()
        await running

    asyncio.run(main())
    assert states(outbox) == {"a": "done", "b": "failed"}
    database.end_leases()
    assert other.adopt(wrapped(raw, other), resend=True) == []
