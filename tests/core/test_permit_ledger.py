"""Tests of the permits in hand, and of what the store is told of leases that have ended."""

from __future__ import annotations

import pytest

from resilience._core.stages.lease import EndedLease, Lease
from tests.core.leases import Bench


def test_a_driver_spends_permits_inline() -> None:
    """The check of the drivers lets as many sends through as there are permits, and none after their end."""
    bench = Bench()
    window = bench.window

    def spend(now: float) -> bool:
        allowed = window.fast_path and window.sends[0] + window.span <= now < window.until
        if allowed:
            window.sends.append(now)
        return allowed

    assert not spend(0.0)
    bench.lease(0.0, 3)
    assert [spend(0.01), spend(0.02), spend(0.02), spend(0.03)] == [True, True, True, False]
    bench.lease(1.5, 3)
    assert [spend(1.5), spend(1.5999), spend(1.6)] == [True, True, False]
    assert window.history[-4:] == (0.02, 0.02, 1.5, 1.5999)


def test_what_was_not_spent_is_reported_with_the_next_question() -> None:
    """Each lease is reported once, with what was spent and when; one that was never opened counts as unspent."""
    bench = Bench()
    window = bench.window
    bench.lease(0.0, 4)
    assert [window.take(0.01), window.take(0.02)] == [0.01, 0.02]
    window.ready_at(0.2)
    bench.grant(0.2, 2, receipt=2)
    assert window.take(0.2) == 0.2
    assert window.question().ended == (EndedLease(Lease(0.0, 0.1, 4, 1, wall_until=0.1), 2),)
    assert window.question().ended == ()
    window.ready_at(0.4)
    bench.grant(0.4, 2, receipt=3)
    assert window.take(0.6) > 0.6  # its time is over
    bench.grant(0.6, 2, receipt=4)
    bench.grant(0.6, 2, receipt=5)
    assert window.take(0.6) == 0.6
    assert [(ended.lease.receipt, ended.spent) for ended in window.question().ended] == [(3, 0), (4, 0), (2, 1)]


def test_a_lease_that_is_spent_is_reported_with_the_next_question() -> None:
    """Also before its time is over: its sends count from the report on, and not until its end."""
    bench = Bench()
    window = bench.window
    bench.lease(0.0, 2)
    assert window.question().ended == ()  # one can still be spent
    assert [window.take(0.01), window.take(0.02)] == [0.01, 0.02]
    assert window.question().ended == (EndedLease(Lease(0.0, 0.1, 2, 1, wall_until=0.1), 2),)
    assert window.take(0.03) > 0.03
    window.undo(0.02, 1)
    assert window.history[-1:] == (0.01,)


def test_a_lease_ends_by_the_wall_clock_too() -> None:
    """A machine slept, and its monotonic clock stood still: neither permits in hand nor booked ones are spent."""
    bench = Bench()
    window = bench.window
    bench.lease(0.0, 3)
    assert window.take(0.01) == 0.01
    bench.slept = 60.0
    assert (window.ready_at(0.02) > 0.02, window.take(0.02) > 0.02) == (True, True)
    assert not window.sends[0] + window.span <= 0.02 < window.until  # what a driver asks
    assert window.question().ended == (EndedLease(Lease(0.0, 0.1, 3, 1, wall_until=0.1), 1),)
    bench.grant(0.03, 2, wait=0.5)
    bench.slept = 120.0
    assert window.take(0.53) > 0.53
    bench.grant(0.54, 2)
    assert window.take(0.54) == 0.54
    assert [ended.spent for ended in window.question().ended] == [0]


def test_a_lease_that_comes_too_late_is_given_back() -> None:
    """Its time is over when the answer arrives: the store is too slow to be of use."""
    bench = Bench()
    window = bench.window
    window.ready_at(0.0)
    window.grant(Lease(0.2, 0.1, 3, 1), 0.2, 0.2)
    assert window.question().ended == (EndedLease(Lease(0.2, 0.1, 3, 1)),)
    assert window.take(0.2) == 0.2  # the standing part
    assert window.question().overdrawn == 0


def test_the_batch_follows_the_need() -> None:
    """The next lease is twice what was spent of the one before, up to what a lease may have."""
    bench = Bench()
    window, wanted = bench.window, []
    for index in range(11):
        now = float(index)
        window.ready_at(now)
        wanted.append(window.question().wanted)
        bench.grant(now, wanted[-1])
        for _ in range(wanted[-1] if index < 7 else 1):
            assert window.take(now) == now
    assert wanted == [1, 2, 4, 6, 6, 6, 6, 6, 6, 2, 2]


def test_a_heavy_attempt_that_waits_asks_for_its_weight() -> None:
    """The question has at least the weight of each call that waits, and never more than is leased at all."""
    bench = Bench()
    bench.window.queue(0.0, 9)
    assert bench.window.question()[::3] == (9, 9)
    bench.window.queue(0.0, 95).gone = True
    assert bench.window.question()[::3] == (92, 92)


def test_the_limit_of_this_process_still_applies() -> None:
    """A lease opens only as far as this process alone may send: the store only tightens."""
    bench = Bench(limit=4, processes=1)
    window = bench.window
    bench.lease(0.0, 3)
    assert [window.take(0.0) for _ in range(3)] == [0.0] * 3
    window.ready_at(0.1)
    bench.grant(0.1, 3, receipt=2)
    assert window.take(0.1) == 0.1
    assert window.take(0.1) > 0.1
    window.ready_at(0.25)
    bench.grant(0.25, 3, receipt=3)
    assert window.take(0.25) > 0.25
    assert window.left(0.3) == 0


def test_a_lease_for_which_there_is_no_room_is_given_back() -> None:
    """No permit is opened where this process alone may send nothing."""
    bench = Bench(limit=2, processes=4)
    window = bench.window
    bench.lease(0.0, 2)
    assert [window.take(0.0), window.take(0.0)] == [0.0, 0.0]
    bench.grant(0.1, 2, receipt=2)
    window.cancels.on_credit.take(1.0)
    assert [(ended.lease.receipt, ended.spent) for ended in window.question().ended] == [(1, 2), (2, 0)]


def test_a_send_that_was_taken_back_frees_its_permit() -> None:
    """Of the lease in hand the permit can be spent again; of one that has ended, only the room of this process."""
    bench = Bench()
    window = bench.window
    bench.lease(0.0, 2)
    assert [window.take(0.01), window.take(0.02)] == [0.01, 0.02]
    window.undo(0.01, 1)
    assert window.in_hand(0.03) == 1
    assert window.take(0.03) == 0.03
    assert window.in_hand(0.2) == 0
    bench.lease(0.2, 1)
    window.undo(0.02, 2)
    assert (window.history.count(0.02), window.history.count(0.03)) == (0, 1)


def test_a_standing_send_that_was_taken_back_is_free_again() -> None:
    """The standing part has it back too."""
    bench = Bench()
    window = bench.window
    window.lose()
    assert [window.take(0.0), window.take(0.1)] == [0.0, 1.0]
    window.undo(0.0, 1)
    assert window.take(0.2) == 0.2


def test_a_small_limit_has_no_standing_part_to_give_back_to() -> None:
    """A cancel on credit that was not sent frees the room of this process."""
    bench = Bench(limit=2, processes=4)
    window = bench.window
    assert [window.cancels.on_credit.take(0.0), window.cancels.on_credit.take(0.0)] == [0.0, 0.0]
    assert window.cancels.on_credit.take(0.1) == 1.0
    window.cancels.undo(0.0, 1)
    assert window.cancels.on_credit.take(0.1) == 0.1


def test_what_the_api_says_lowers_the_sends_of_this_process() -> None:
    """Permits in hand stay where the API allows as many; else they are given back."""
    bench = Bench()
    window = bench.window
    bench.lease(0.0, 3)
    window.drain(0.0, 50)
    assert (window.left(0.0), window.in_hand(0.0)) == (50, 3)
    window.drain(0.0, 60)
    assert window.left(0.0) == 50
    window.drain(0.0, 1)
    assert (window.left(0.0), window.in_hand(0.0)) == (1, 0)
    bench.grant(0.1, 3)
    assert window.take(0.1) == 0.1
    assert window.take(0.1) > 0.1


def test_a_window_is_empty_when_it_would_answer_like_a_new_one() -> None:
    """Not while a permit is in hand or asked for, a send counts, somebody waits or a hold lasts."""
    bench = Bench()
    window = bench.window
    assert window.is_empty(0.0)
    window.ready_at(0.0)
    assert not window.is_empty(0.0)
    bench.grant(0.0, 1)
    assert not window.is_empty(0.0)
    assert window.take(0.0) == 0.0
    assert not window.is_empty(0.05)
    assert window.is_empty(5.0)
    window.hold(5.0, 6.0)
    assert not window.is_empty(5.0)
    assert window.is_empty(7.0)
    ticket = window.queue(7.0, 1)
    bench.grant(7.0, 1)
    assert not window.is_empty(9.0)
    ticket.cancel()
    assert window.is_empty(9.0)


def test_other_settings_keep_the_sends() -> None:
    """A reload forgets neither what was sent nor what of the standing part was used."""
    bench = Bench()
    window = bench.window
    bench.lease(0.0, 1)
    window.take(0.0)
    window.lose()
    assert [window.take(0.1), window.take(0.1), window.take(0.1)] == [0.1, 1.1, 1.1]
    assert window.retune(200, 2.0) == []
    assert (window.max_sends, window.window_span, window.terms.standing) == (200, 2.0, 2)
    assert window.history[-2:] == (0.0, 0.1)
    assert window.retune(2, 2.0, [0.5]) == [0.0]
    assert window.standing is None
    assert window.retune(10, 1.0) == []
    assert window.standing is not None


def test_a_window_continues_another_one() -> None:
    """Sends and hold of a window of other settings count."""
    bench = Bench(limit=2, processes=4)
    bench.window.follow([0.2, 0.1], 0.0)
    assert bench.window.history == (0.1, 0.2)
    assert bench.window.cancels.on_credit.ready_at(0.3) == pytest.approx(1.1)


def test_a_forked_child_has_no_permits() -> None:
    """They are the parent's, who spends them."""
    bench = Bench()
    window = bench.window
    bench.lease(0.0, 5)
    window.reset_after_fork()
    assert (window.in_hand(0.0), window.question().ended) == (0, ())
    window.ready_at(0.0)
    assert len(bench.asked) == 2
