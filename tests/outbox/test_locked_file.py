"""A file that another program holds costs at most the call's deadline, never the event loop, and no row."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from resilience import Policies, RejectedError
from resilience.outbox import Outbox
from resilience.testing import FakeClock
from tests.conftest import Driver
from tests.outbox.bots import Bot, Killed, found_none, wrapped

DEADLINE = 90.0


class OtherProgram:
    """A program that holds the file, as a backup does."""

    def __init__(self, path: Path) -> None:
        self.base = sqlite3.connect(path, isolation_level=None, timeout=0)

    def hold(self) -> None:
        """Lock the file for writing."""
        self.base.execute("BEGIN IMMEDIATE")

    def let_go(self) -> None:
        """Unlock it."""
        if self.base.in_transaction:
            self.base.execute("ROLLBACK")


@pytest.fixture
def other(outbox: Outbox, path: Path) -> Iterator[OtherProgram]:
    """A program that may hold the file."""
    program = OtherProgram(path)
    with closing(program.base):
        yield program


class LockedClock(FakeClock):
    """A clock that calls a function at its n-th wait, and says of what kind the waits were."""

    def __init__(self, at: int = 0, act: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.kinds: list[str] = []
        self.unlocks = 0
        self._at, self._act = at, act

    def act_after(self, waits: int, act: Callable[[], None]) -> None:
        """Call a function after so many further waits."""
        self._at, self._act = len(self.kinds) + waits, act

    def sleep(self, seconds: float) -> None:
        """Record the wait as one that blocks its thread."""
        self.kinds.append("blocking")
        self._wait(seconds)

    async def asleep(self, seconds: float) -> None:
        """Record the wait as one that lets other tasks run."""
        self.kinds.append("free")
        self._wait(seconds)

    def _wait(self, seconds: float) -> None:
        super().sleep(seconds)
        if len(self.kinds) == self._at:
            self.unlocks += 1
            self._act()


def place_of(client: Any, driver: Driver) -> Any:
    """Return the method that a driver calls."""
    return client.place if driver.kind == "sync" else client.place_async


def kind_of(driver: Driver) -> str:
    """Return the kind of wait that a driver may make."""
    return "blocking" if driver.kind == "sync" else "free"


def test_a_locked_file_is_waited_for(outbox: Outbox, other: OtherProgram, driver: Driver) -> None:
    """The order is placed once the file is free; an event loop runs meanwhile."""
    bot, clock = Bot(), LockedClock(10, other.let_go)
    other.hold()
    place = place_of(wrapped(bot, outbox, clock=clock), driver)
    assert driver.call(place, client_id="a") == "a"
    assert clock.kinds == [kind_of(driver)] * 10
    assert [row.key for row in outbox.rows("done")] == ["a"]


def test_a_file_that_stays_locked_rejects_the_write(outbox: Outbox, other: OtherProgram, driver: Driver) -> None:
    """The rejection names the file, comes within the deadline, and nothing was sent or recorded."""
    bot, clock = Bot(), LockedClock()
    other.hold()
    place = place_of(wrapped(bot, outbox, clock=clock), driver)
    with pytest.raises(RejectedError, match=r"bot\.db is locked by another program; nothing was sent"):
        driver.call(place, client_id="a")
    assert bot.sent == []
    assert clock.monotonic() <= DEADLINE
    assert set(clock.kinds) == {kind_of(driver)}
    other.let_go()
    assert outbox.find("a") is None
    assert driver.call(place, client_id="a") == "a"


def test_a_file_that_is_locked_when_a_stamp_is_stored(outbox: Outbox, other: OtherProgram, driver: Driver) -> None:
    """The attempt waits, and in an event loop is made again, because its code cannot wait: it is sent once."""
    clock = LockedClock(5, other.let_go)
    bot = Bot(before_stamp=lambda: other.hold() if not clock.kinds else None)
    place = place_of(wrapped(bot, outbox, clock=clock), driver)
    assert driver.call(place, client_id="a") == "a"
    assert bot.sent == ["a"]
    assert clock.kinds == [kind_of(driver)] * 5
    (row,) = outbox.rows("done")
    assert len(row.stamps) == 1


def test_a_file_that_stays_locked_when_a_stamp_is_stored(outbox: Outbox, other: OtherProgram, driver: Driver) -> None:
    """Nothing is sent, and the row says so as soon as the file is free."""
    bot = Bot(before_stamp=lambda: None if other.base.in_transaction else other.hold())
    clock = LockedClock()
    place = place_of(wrapped(bot, outbox, clock=clock), driver)
    with pytest.raises(RejectedError, match="is locked by another program"):
        driver.call(place, client_id="a")
    assert bot.sent == []
    assert clock.monotonic() <= DEADLINE
    other.let_go()
    assert [row.key for row in outbox.rows("failed")] == ["a"]


HOURS = 8 * 3600.0


@pytest.mark.parametrize("is_counted", [True, False], ids=["both clocks", "the wall clock alone"])
@pytest.mark.parametrize("when", ["before the attempt", "when its stamp is stored"])
def test_a_wait_for_the_file_that_ends_late(
    outbox: Outbox, other: OtherProgram, driver: Driver, when: str, is_counted: bool
) -> None:
    """The machine slept while the file was locked: nothing is sent, and the row says so."""

    def wake_up() -> None:
        other.let_go()
        (clock.advance if is_counted else clock.step_wall)(HOURS)

    clock = LockedClock(3, wake_up)
    is_first = when == "before the attempt"
    bot = Bot(before_stamp=lambda: None if is_first or clock.kinds else other.hold())
    if is_first:
        other.hold()
    place = place_of(wrapped(bot, outbox, clock=clock), driver)
    with pytest.raises(RejectedError, match="the time of the attempt was over when the outbox was written; nothing"):
        driver.call(place, client_id="a")
    assert bot.sent == []
    assert [row.key for row in outbox.rows("failed")] == ["a"]


def test_a_file_that_is_locked_at_the_end_delays_no_result(outbox: Outbox, path: Path, other: OtherProgram) -> None:
    """The caller gets the result at once, the outbox knows it, and it is on disk with the next use of the file."""

    class Slow(Bot):
        def place(self, *args: Any, client_id: str = "", **more: Any) -> str:
            result = super().place(*args, client_id=client_id, **more)
            other.hold()
            return result

    clock = LockedClock()
    bot = Slow()
    client = wrapped(bot, outbox, clock=clock)
    assert client.place(client_id="a") == "a"
    assert clock.kinds == []
    assert [row.key for row in outbox.rows("done")] == ["a"]
    assert outbox.open == []
    assert outbox.resume(client) == []
    other.let_go()
    with pytest.raises(RejectedError, match="executed already"):
        client.place(client_id="a")
    outbox.close()
    with Outbox(path) as again:
        assert [row.key for row in again.rows("done")] == ["a"]


def test_a_state_that_is_never_stored_leaves_the_write_open(path: Path) -> None:
    """The file stays locked until the process ends: the next one looks the write up."""
    outbox = Outbox(path)
    other = OtherProgram(path)

    class Slow(Bot):
        def place(self, *args: Any, client_id: str = "", **more: Any) -> str:
            result = super().place(*args, client_id=client_id, **more)
            other.hold()
            return result

    with closing(other.base):
        assert wrapped(Slow(), outbox).place(client_id="a") == "a"
        with pytest.warns(RuntimeWarning, match="closed with settled writes that are still open in it"):
            outbox.close()
    with Outbox(path) as again:
        assert [write.outcome for write in again.resume(wrapped(Bot(), again))] == ["done"]


def test_the_event_loop_runs_while_the_file_is_locked(outbox: Outbox, other: OtherProgram) -> None:
    """Only another task of the same loop unlocks it, by the machine's own clock."""
    client = wrapped(Bot(), outbox, clock=Policies.builtin().pipeline().clock)

    async def story() -> str:
        other.hold()
        placed = asyncio.create_task(client.place_async(client_id="a"))
        await asyncio.sleep(0)
        other.let_go()
        return await placed

    assert asyncio.run(story()) == "a"


def test_a_resume_waits_for_a_locked_file(path: Path, driver: Driver) -> None:
    """Reading needs no lock, and what a resume has settled is stored once the file is free."""
    with Outbox(path) as outbox:
        client = wrapped(Bot(dies=True), outbox)
        with pytest.raises(Killed):
            driver.call(place_of(client, driver), client_id="a")
        other = OtherProgram(path)
        with closing(other.base):
            other.hold()
            resume = outbox.resume if driver.kind == "sync" else outbox.aresume
            (write,) = driver.call(resume, wrapped(Bot(), outbox))
            assert write.outcome == "done"
            other.let_go()
        assert [row.key for row in outbox.rows("done")] == ["a"]


def test_a_resume_that_sends_again_waits_for_a_locked_file(path: Path, driver: Driver) -> None:
    """The second attempt is stamped, and its stamp needs the file: it is sent once, after that."""
    with Outbox(path) as outbox:
        with pytest.raises(Killed):
            driver.call(place_of(wrapped(Bot(dies=True), outbox), driver), client_id="a")
        other = OtherProgram(path)
        with closing(other.base):
            clock = LockedClock()

            def lock_once() -> None:
                if not bot.sent and not other.base.in_transaction and not clock.unlocks:
                    other.hold()
                    clock.act_after(5, other.let_go)

            bot = Bot(before_stamp=lock_once)
            resume = outbox.resume if driver.kind == "sync" else outbox.aresume
            (write,) = driver.call(resume, wrapped(bot, outbox, clock=clock, lookup=found_none), resend=True)
        assert (write.outcome, bot.sent, clock.unlocks) == ("done", ["a"], 1)


def test_a_file_that_is_locked_when_it_is_opened(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for, and the error names it; the lock of the owner is free afterwards."""
    monkeypatch.setattr("resilience.outbox.write_table.LONGEST_WAIT", 0.0)
    Outbox(path).close()
    other = OtherProgram(path)
    with closing(other.base):
        other.hold()
        with pytest.raises(OSError, match="is locked by another program"):
            Outbox(path)
        other.let_go()
        Outbox(path).close()


def test_the_waits_of_several_attempts_end_with_the_deadline(outbox: Outbox, other: OtherProgram) -> None:
    """Each attempt waits for the file, and all of them together no longer than the call may take."""
    clock = LockedClock()
    other.hold()
    with pytest.raises(RejectedError):
        wrapped(Bot(), outbox, clock=clock).place(client_id="a")
    assert sum(clock.sleeps) <= DEADLINE
