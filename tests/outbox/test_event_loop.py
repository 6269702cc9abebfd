"""An order in an event loop waits for the disk without blocking the loop; it is sent when its stamp is stored."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from resilience import Policies, current_call, wrap
from resilience.outbox import Outbox
from resilience.outbox.outbox_file import OutboxFile
from resilience.outbox.outbox_store import NewWrite
from resilience.outbox.write_table import WriteTable
from tests.outbox.bots import found_all, wrapped


class Signing:
    """A client that awaits that its stamp is stored, as those of this library do."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def place_async(self, *, client_id: str = "") -> str:
        """Stamp and send an order."""
        call = current_call()
        assert call is not None
        stored = call.record_stamp(call.now)
        if stored is not None:
            await stored
        self.sent.append(client_id)
        return client_id


class SlowDisk:
    """Lets the statement that stores a stamp wait until it is released."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.released = threading.Event(), threading.Event()
        execute = OutboxFile.execute

        def slow(file: OutboxFile, statement: str, values: Any = ()) -> Any:
            if statement.startswith("UPDATE writes SET stamps"):
                self.reached.set()
                assert self.released.wait(30)
            return execute(file, statement, values)

        monkeypatch.setattr(OutboxFile, "execute", slow)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowDisk]:
    """A disk that is slow when a stamp is stored."""
    slow = SlowDisk(monkeypatch)
    yield slow
    slow.released.set()


async def let_run(is_done: Any, sleep: Any) -> None:
    """Run other tasks until something is true."""
    while not is_done():
        await sleep(0.001)


def test_the_loop_runs_while_the_stamp_is_stored(outbox: Outbox, disk: SlowDisk) -> None:
    """The order leaves only afterwards."""
    raw = Signing()
    client = wrapped(raw, outbox)

    async def story() -> str:
        order = asyncio.ensure_future(client.place_async(client_id="a"))
        await let_run(disk.reached.is_set, asyncio.sleep)
        assert raw.sent == []
        disk.released.set()
        return str(await order)

    assert asyncio.run(story()) == "a"
    assert (raw.sent, [row.key for row in outbox.rows("done")]) == (["a"], ["a"])


def test_a_cancellation_waits_for_the_stamp_and_nothing_is_sent(outbox: Outbox, disk: SlowDisk) -> None:
    """The row stays open with the stamp, and the next resume looks the order up."""
    raw = Signing()
    client = wrapped(raw, outbox)

    async def story() -> None:
        order = asyncio.ensure_future(client.place_async(client_id="a"))
        await let_run(disk.reached.is_set, asyncio.sleep)
        order.cancel()
        await asyncio.sleep(0)
        assert not order.done()
        disk.released.set()
        with pytest.raises(asyncio.CancelledError):
            await order

    asyncio.run(story())
    assert raw.sent == []
    assert [(row.key, len(row.stamps)) for row in outbox.open] == [("a", 1)]


def test_trio_runs_while_the_stamp_is_stored(outbox: Outbox, disk: SlowDisk) -> None:
    """A cancelled scope waits for the disk too."""
    trio = pytest.importorskip("trio")
    raw = Signing()
    client = wrapped(raw, outbox)

    async def story() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: client.place_async(client_id="a"))
            await let_run(disk.reached.is_set, trio.sleep)
            nursery.cancel_scope.cancel()
            disk.released.set()

    trio.run(story)
    assert raw.sent == []
    assert [row.key for row in outbox.open] == ["a"]


def test_what_is_synced_for_an_order(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a client that signs: the stamp, and the row with it. Where it fails: the end too, so that it stays failed."""
    modes: list[bool] = []
    set_durable = OutboxFile.set_durable

    def record(file: OutboxFile, durable: bool) -> None:
        modes.append(durable)
        set_durable(file, durable)

    monkeypatch.setattr(OutboxFile, "set_durable", record)
    store = WriteTable(path)
    signed = store.add(NewWrite("a", "place", "[]", window=30.0))
    unsigned = store.add(NewWrite("b", "place", "[]"))
    assert signed is not None
    assert unsigned is not None
    store.set_stamps(signed, [1.0])
    store.settle(signed, "done")
    store.settle(unsigned, "failed")
    assert modes == [False, True, True, False, True]
    store.close()


PROGRAM = """
import asyncio, atexit, sys
from resilience.outbox import Outbox
from tests.outbox.bots import wrapped
from tests.outbox.test_event_loop import Signing

# Registered first, it runs last: the thread that changes the file has ended by then.
atexit.register(lambda: asyncio.run(client.place_async(client_id="b")))
outbox = Outbox(sys.argv[1])
client = wrapped(Signing(), outbox)
asyncio.run(client.place_async(client_id="a"))
"""


@pytest.mark.slow
def test_what_has_ended_is_stored_at_the_end_of_the_process(path: Path) -> None:
    """An outbox that nobody closes loses nothing, and takes orders up to the end."""
    subprocess.run([sys.executable, "-c", PROGRAM, str(path)], check=True, timeout=60)
    with Outbox(path) as outbox:
        assert [row.key for row in outbox.rows("done")] == ["a", "b"]
        assert outbox.open == []


def test_a_loop_of_many_tasks(outbox: Outbox) -> None:
    """Each order gets its own answer, and each row is done."""
    policies = Policies.from_mapping({"policies": {"trade": {"extends": "default"}}}, log=False)
    rules = {"place_async": {"key": "client_id", "reconcile": found_all}}
    client: Any = wrap(Signing(), "trade", operations=rules, policies=policies, outbox=outbox)

    async def story() -> list[str]:
        return await asyncio.gather(*(client.place_async(client_id=f"o{number}") for number in range(50)))

    keys = [f"o{number}" for number in range(50)]
    assert asyncio.run(story()) == keys
    assert sorted(row.key for row in outbox.rows("done")) == sorted(keys)
