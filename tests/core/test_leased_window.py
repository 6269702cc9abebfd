"""Tests of when a call may send in a window that several processes share."""

from __future__ import annotations

from math import inf

import pytest

from resilience._core.stages.lease import Lease
from tests.core.leases import PATIENCE, Bench


def test_a_call_without_a_permit_asks_once_and_waits_for_the_answer() -> None:
    """It looks when an answer is usual, then every millisecond, until its patience ends."""
    bench = Bench()
    window = bench.window
    assert window.ready_at(0.0) == pytest.approx(0.0013)
    assert window.ready_at(0.002) == pytest.approx(0.003)
    assert window.ready_at(0.0495) == PATIENCE
    assert bench.asked == [window]
    bench.grant(0.003, 2)
    assert window.ready_at(0.003) == 0.003
    assert [window.take(0.003), window.take(0.003)] == [0.003, 0.003]
    assert window.take(0.004) > 0.004
    assert bench.asked == [window, window]


def test_a_booked_lease_is_waited_for() -> None:
    """The store has said when the permits may be spent; nobody asks again."""
    bench = Bench()
    window = bench.window
    window.ready_at(0.0)
    bench.grant(0.01, 3, wait=0.5)
    assert (window.take(0.02), window.estimate(0.02)) == (0.51, 0.51)
    assert window.take(0.51) == 0.51
    assert window.estimate(0.51) == 0.51
    assert len(bench.asked) == 1


def test_an_attempt_that_weighs_more_than_the_lease_asks_again() -> None:
    """One that weighs more than all that is leased is never sent."""
    bench = Bench()
    window = bench.window
    bench.lease(0.0, 3)
    assert window.take(0.0, 5) > 0.0
    bench.grant(0.01, 5)
    assert window.take(0.01, 5) == 0.01
    assert window.take(0.01, 93) == inf
    assert (window.take(0.01, 0), window.ready_at(0.01, 0)) == (0.01, 0.01)


def test_without_an_answer_the_standing_part_is_used() -> None:
    """One send per window is each process's own; after the patience a call goes on with it."""
    bench = Bench()
    window = bench.window
    window.ready_at(0.0)
    assert window.take(PATIENCE) == PATIENCE
    assert window.take(0.1) == pytest.approx(1.05)
    window.lose()
    assert window.take(0.2) == pytest.approx(1.05)
    assert window.take(1.05) == 1.05
    assert (window.take(1.1), len(bench.asked)) == (pytest.approx(2.05), 2)  # asked, but not waited for
    bench.grant(1.2, 1)
    assert [window.take(1.2), window.take(1.21)] == [1.2, pytest.approx(1.2113)]


def test_calls_leave_a_part_of_the_standing_part_to_cancels() -> None:
    """Of 60 sends 15 are for cancels alone."""
    bench = Bench(limit=6000, processes=8)
    window = bench.window
    window.lose()
    sent = sum(window.take(0.0) == 0.0 for _ in range(60))
    cancelled = sum(window.cancels.take(0.0) == 0.0 for _ in range(60))
    assert (sent, cancelled) == (45, 15)


def test_a_limit_below_the_number_of_processes_waits_and_is_refused() -> None:
    """Without a standing part a call waits for its patience, and then it never sends."""
    bench = Bench(limit=1)
    window = bench.window
    window.lose()
    assert window.ready_at(0.0) == PATIENCE
    ticket = window.queue(0.0, 1)
    assert window.ready_at(0.01, 1, ticket) == PATIENCE
    assert window.ready_at(PATIENCE, 1, ticket) == inf
    assert window.is_cut_off(PATIENCE)
    assert not Bench().window.is_cut_off(PATIENCE)


def test_a_standing_part_that_is_more_than_its_share_is_used_at_any_time() -> None:
    """At 10 per second 8 processes have one send each, which would be lost if only outages used it."""
    bench = Bench(limit=10)
    window = bench.window
    assert (window.take(0.0), window.take(0.0) > 0.0) == (0.0, True)
    bench.grant(0.001, 1)
    assert window.take(0.001) == 0.001


def test_a_store_without_memory_is_like_none() -> None:
    """Until its permits come, a whole window later, the standing part is used."""
    bench = Bench()
    window = bench.window
    window.ready_at(0.0)
    window.grant(Lease(1.1, 1.2, 1, 1), 0.0, 0.001, is_cold=True)
    assert [window.take(0.0), window.take(0.1)] == [0.0, 1.0]
    assert window.take(1.1) == 1.1


def test_waiting_calls_keep_about_their_order() -> None:
    """A newcomer looks no earlier than the last of those who wait; an answer brings their looks forward."""
    bench = Bench()
    window = bench.window
    first = window.queue(0.0, 1)
    first.ready_at = 0.04
    assert window.ready_at(0.01) == 0.04
    bench.grant(0.01, 2)
    assert first.ready_at == 0.01
    assert window.take(0.01, 1, first) == 0.01
    gone = window.queue(0.01, 1)
    gone.gone = True
    assert window.take(0.01) == 0.01


def test_many_that_wait_look_less_often_each() -> None:
    """Together they look about once a millisecond: else they would keep the answer from being stored."""
    bench = Bench()
    window = bench.window
    tickets = [window.queue(0.0, 1) for _ in range(20)]
    assert window.take(0.01, 1, tickets[0]) == pytest.approx(0.031)


def test_a_hold_of_the_api_keeps_permits() -> None:
    """Nothing is sent while it lasts, by callers that wait or not."""
    bench = Bench()
    window = bench.window
    bench.lease(0.0, 2)
    window.hold(0.0, 0.05)
    ticket = window.queue(0.01, 1)
    assert (window.take(0.01), window.ready_at(0.01, 1, ticket), window.estimate(0.01)) == (0.05, 0.05, 0.05)
    window.release(0.02)
    assert window.ready_at(0.02, 1, ticket) == 0.02


def test_a_signal_handler_that_interrupts_the_window_is_counted() -> None:
    """It spends no permit, because the lease may be half changed; the store hears of it with the next question."""
    bench = Bench(limit=2, processes=4)
    window = bench.window
    with window._lock:
        assert [window.take(0.0), window.take(0.0)] == [0.0, 0.0]
    assert not window.is_empty(0.0)
    assert window.question().overdrawn == 2
    with window._lock:
        assert window.take(0.5) == 1.0
    assert window.history == (0.0, 0.0)


def test_permits_of_a_small_limit_are_all_there_is() -> None:
    """While they are in hand, this process alone may send nothing beside them."""
    bench = Bench(limit=1)
    window = bench.window
    bench.lease(0.0, 1)
    assert window.ready_alone(0.05, 1) == pytest.approx(0.1)
    assert window.ready_alone(0.05, 2) == inf
    assert window.ready_alone(0.2, 1) == 0.2
    assert window.ready_alone(0.2, 0) == 0.2


def test_a_lease_that_begins_late_is_spent_once_the_store_has_said_that_it_knows_it() -> None:
    """It is waited for meanwhile. One that the store has forgotten is asked for again."""
    bench = Bench()
    window = bench.window
    for is_known in (True, False):
        now = window.history[-1] + 1.0 if is_known is False else 0.0
        window.ready_at(now)
        lease = Lease(now + 5.0, now + 5.1, 2, 1, is_unsure=True)
        window.grant(lease, now, 0.001)
        assert window.ready_at(now) == now + 5.0
        assert window.take(now + 5.0) > now + 5.0  # nobody has said so in time
        window.settle(lease, is_known=is_known)
        assert (window.take(now + 5.01) == now + 5.01) is is_known
    window.settle(lease, is_known=True)  # it is not booked any more
    assert window.question().ended == ()


def test_after_a_cold_start_the_answer_is_waited_for_again() -> None:
    """A store without memory has begun to grant: a call does not wait for the standing part of the next window."""
    bench = Bench()
    window = bench.window
    window.ready_at(0.0)
    window.grant(Lease(2.1, 2.2, 1, 1), 0.001, 0.001, is_cold=True)
    assert window.take(1.9) == 1.9  # the standing part
    assert window.take(2.3) == pytest.approx(2.3013)
    assert len(bench.asked) == 2
