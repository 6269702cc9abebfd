"""Tests of cancels in a window that several processes share: no store refuses them."""

from __future__ import annotations

from math import inf

import pytest

from resilience._core.stages.rate_window import QueueTicket, RateWindow
from tests.core.leases import PATIENCE, Bench


def test_a_cancel_takes_a_permit_or_the_standing_part() -> None:
    """A permit in hand is spent first; without one the standing part, while the store answers too."""
    bench = Bench()
    window, cancels = bench.window, bench.window.urgent
    assert [cancels.take(0.0), window.question().overdrawn] == [0.0, 0]
    window.ready_at(0.1)
    bench.grant(0.1, 1)
    assert cancels.take(0.1) == 0.1
    assert [ended.spent for ended in window.question().ended] == [1]
    assert window.in_hand(0.1) == 0


def test_a_cancel_waits_for_whichever_comes_first() -> None:
    """The standing part of the next window, or a lease that is booked."""
    bench = Bench()
    window, cancels = bench.window, bench.window.urgent
    assert cancels.take(0.0) == 0.0
    assert cancels.take(0.01) == pytest.approx(0.0113)
    bench.grant(0.02, 1, wait=0.3)
    assert cancels.take(0.02) == pytest.approx(0.32)
    assert cancels.take(0.32) == 0.32
    window.lose()
    assert cancels.take(0.5) == 1.0


def test_a_cancel_that_cannot_wait_goes_on_credit() -> None:
    """It counts against the limit of all afterwards. Only the limit of this process keeps it."""
    bench = Bench(limit=2, processes=4)
    window, cancels = bench.window, bench.window.urgent
    window.lose()
    ticket = window.queue(0.0, 1)
    assert cancels.ready_at(0.0) == PATIENCE
    assert cancels.ready_at(0.06, 1, ticket) == inf
    assert cancels.is_cut_off(0.06)
    credit = cancels.on_credit
    assert credit.on_credit is credit
    assert [credit.take(0.06), credit.take(0.06), credit.take(0.07)] == [0.06, 0.06, 1.06]
    question = window.question()
    assert question.overdrawn == 2
    window.lose(question)
    assert window.question().overdrawn == 2


def test_a_cancel_waits_beside_the_queue() -> None:
    """Leaving costs nothing, and a hold of the API keeps it too."""
    bench = Bench()
    cancels = bench.window.urgent
    ticket = QueueTicket(cancels, 0.0, 1)
    cancels.join_queue(0.0, ticket)
    assert ticket.ready_at == 0.0
    ticket.cancel()
    assert ticket.gone
    bench.window.hold(0.0, 5.0)
    assert (cancels.ready_at(1.0), cancels.held_until) == (5.0, 5.0)


def test_a_window_of_one_process_treats_cancels_like_all_calls() -> None:
    """There is no store that could refuse them."""
    window = RateWindow(1, 1.0)
    assert window.urgent is window.on_credit is window
    assert not window.is_cut_off(0.0)
    assert [window.take(0.0), window.estimate(0.5), window.history] == [0.0, 1.0, (0.0,)]


def test_a_cancel_takes_what_is_in_hand_where_that_is_the_whole_limit() -> None:
    """Permits in hand count as sent for all others; a cancel does not wait for the end of the lease to use one."""
    bench = Bench(limit=2, processes=4)
    window, cancels = bench.window, bench.window.urgent
    bench.lease(0.0, 2)
    assert [cancels.take(0.01), cancels.take(0.01)] == [0.01, 0.01]
    assert window.question().overdrawn == 0
    assert cancels.take(0.02) > 0.02
