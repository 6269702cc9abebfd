"""The registry of uncertain writes: which reports of streams reach which calls."""

from __future__ import annotations

from threading import Thread
from typing import Any

import pytest

from resilience._core.call.open_writes import OpenWrites

ROW = {"orderId": "1"}


def test_a_report_reaches_the_write_of_its_key() -> None:
    """The handle has the row, and whoever waits is woken; other writes are not."""
    writes, woken = OpenWrites(), []
    mine, other = writes.register("mine"), writes.register("other")
    mine.wake.append(lambda: woken.append("mine"))
    other.wake.append(lambda: woken.append("other"))
    assert writes.report("mine", ROW)
    assert (mine.reported, mine.has_news, other.reported, woken) == (ROW, True, None, ["mine"])


def test_a_report_of_no_open_write_wakes_nobody() -> None:
    """Most orders are certain when a stream reports them."""
    writes = OpenWrites()
    assert not writes.report("mine", ROW)
    writes.register("other")
    assert not writes.report("mine", ROW)


@pytest.mark.parametrize(
    ("since", "at", "reported"), [(10.0, 10.5, ROW), (10.0, 10.0, ROW), (10.0, 9.9, None), (None, 10.0, None)]
)
def test_a_report_that_came_before_the_failure(since: float | None, at: float, reported: Any) -> None:
    """It counts if it came after the call began: an earlier one is that of another order with the same id."""
    writes = OpenWrites()
    writes.report("mine", ROW, at=at)
    handle = writes.register("mine") if since is None else writes.register("mine", since=since)
    assert (handle.reported, handle.has_news) == (reported, reported is not None)


@pytest.mark.parametrize(
    ("of_write", "of_stream", "same"), [("a", "a", True), ("a", "b", False), (None, "b", True), ("a", None, True)]
)
def test_accounts_keep_their_reports_apart(of_write: str | None, of_stream: str | None, same: bool) -> None:
    """Two accounts may use the same client id; an account that is not known is any."""
    writes = OpenWrites()
    first = writes.register("mine", of_write)
    assert writes.report("mine", ROW, of_stream, at=1.0) is same
    second = writes.register("mine", of_write, since=0.0)
    assert (first.reported is ROW, second.reported is ROW) == (same, same)


def test_a_closed_write_gets_no_reports() -> None:
    """Closing it again changes nothing, and the registry is empty in the end."""
    writes = OpenWrites()
    handle, twin = writes.register("mine"), writes.register("mine")
    handle.close()
    handle.close()
    assert (len(writes), writes.report("mine", ROW)) == (1, True)
    assert (handle.reported, twin.reported) == (None, ROW)
    twin.close()
    assert (len(writes), writes.report("mine", ROW)) == (0, False)


def test_a_waiter_that_is_gone_stops_no_report() -> None:
    """Waking a closed event loop raises, and the stream and the other waiters go on."""
    writes, woken = OpenWrites(), []
    handle = writes.register("mine")

    def fail() -> None:
        raise RuntimeError("Event loop is closed")

    handle.wake += [fail, lambda: woken.append(1)]
    assert writes.report("mine", ROW)
    assert woken == [1]


def test_only_the_latest_reports_are_kept() -> None:
    """A stream of many orders does not fill the memory."""
    writes = OpenWrites()
    for number in range(2_000):
        writes.report(f"order-{number}", ROW, at=1.0)
    assert writes.register("order-0", since=0.0).reported is None
    assert writes.register("order-1999", since=0.0).reported is ROW


def test_a_forked_child_waits_for_nothing() -> None:
    """The threads whose writes were open do not exist there."""
    writes = OpenWrites()
    writes.register("mine")
    writes.reset_after_fork()
    assert len(writes) == 0


def test_writes_of_many_threads() -> None:
    """Threads register, report and close at the same time; each write gets its report, and none is left."""
    writes, failures = OpenWrites(), []

    def work(name: str) -> None:
        for number in range(300):
            key = f"{name}-{number}"
            handle = writes.register(key)
            if not writes.report(key, number, at=1.0) or handle.reported != number:
                failures.append(key)
            handle.close()

    threads = [Thread(target=work, args=(f"t{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (failures, len(writes)) == ([], 0)
