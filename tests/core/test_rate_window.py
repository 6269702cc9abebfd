"""Tests of a rate window, here of four sends per second, and of its queue."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from math import inf

import pytest

from resilience._core.stages.rate_window import QueueTicket, RateWindow


def new_rate_window(*sends: float) -> RateWindow:
    """Return a window that has sent at these instants."""
    rate_window = RateWindow(4, 1.0)
    for at in sends:
        assert rate_window.take(at) == at
    return rate_window


def test_an_attempt_that_is_allowed_is_sent_at_once() -> None:
    """Each of the oldest sends that it displaces must be a span ago."""
    rate_window = new_rate_window(0.0, 0.1, 0.2, 0.3)
    assert (rate_window.take(0.5), rate_window.take(0.5, 2), rate_window.take(0.5, 4)) == (1.0, 1.1, 1.3)
    assert list(rate_window.sends) == [0.0, 0.1, 0.2, 0.3]
    assert rate_window.take(1.0) == 1.0
    assert rate_window.take(1.1, 1) == 1.1
    assert rate_window.take(1.3, 2) == 1.3
    assert list(rate_window.sends) == [1.0, 1.1, 1.3, 1.3]


def test_a_weight_of_0_is_always_sent_and_one_beyond_the_limit_never() -> None:
    """Neither is recorded as a send."""
    rate_window = new_rate_window(0.0, 0.0, 0.0, 0.0)
    assert (
        rate_window.take(0.0, 0),
        rate_window.ready_at(0.0, 0),
        rate_window.take(0.0, 5),
        rate_window.ready_at(0.0, 5),
    ) == (0.0, 0.0, inf, inf)
    assert rate_window.ready_at(9.0, 4) == 9.0
    assert list(rate_window.sends) == [0.0] * 4


def test_waiters_are_sent_in_their_order() -> None:
    """A newcomer comes after the whole queue, even if a send is allowed now."""
    rate_window = new_rate_window(0.0, 0.1, 0.2, 0.3)
    first, second = rate_window.queue(0.5, 1), rate_window.queue(0.5, 2)
    assert (first.ready_at, second.ready_at) == (1.0, 1.2)
    assert (first.weight, second.weight, first.rate_window) == (1, 2, rate_window)
    assert rate_window.ready_at(0.5) == 1.3
    assert rate_window.ready_at(0.5, 2) == 2.0
    assert rate_window.ready_at(0.5, 1, first) == 1.0
    assert rate_window.take(0.9, 1, first) == 1.0
    assert rate_window.take(1.0, 1, first) == 1.0
    assert rate_window.ready_at(1.0) == 1.3
    assert rate_window.take(1.2, 2, second) == 1.2
    assert rate_window.ready_at(1.2) == 1.3
    assert rate_window.ready_at(1.3) == 1.3


def test_a_ticket_is_for_the_instant_that_it_says() -> None:
    """A send that was refunded in between does not go to the newest waiter."""
    rate_window = new_rate_window(0.0, 0.0, 0.0, 0.0)
    queue_ticket = rate_window.queue(0.5, 1)
    rate_window.undo(0.0, 2)
    assert (queue_ticket.ready_at, rate_window.ready_at(0.5, 1, queue_ticket), rate_window.ready_at(0.5)) == (
        1.0,
        1.0,
        1.0,
    )
    queue_ticket.cancel()
    queue_ticket.cancel()
    assert (rate_window.ready_at(0.5), rate_window.take(0.5)) == (0.5, 0.5)
    other = new_rate_window(0.0, 0.1, 0.2, 0.3)
    assert [other.queue(0.5, 1).ready_at, other.queue(0.5, 1).ready_at] == [1.0, 1.1]
    for at in (0.1, 0.2, 0.3):
        other.undo(at, 1)
    assert other.ready_at(0.5) == 1.1


def test_heavy_tickets_push_newcomers_a_whole_span_behind() -> None:
    """In each span as many sends are planned as the window allows."""
    rate_window = new_rate_window(0.0, 0.0, 0.0, 0.0)
    assert [
        rate_window.queue(0.5, 2).ready_at,
        rate_window.queue(0.5, 2).ready_at,
        rate_window.queue(0.5, 1).ready_at,
        rate_window.queue(0.5, 4).ready_at,
    ] == [
        1.0,
        1.0,
        2.0,
        3.0,
    ]
    assert rate_window.queue(0.5, 5).ready_at == inf
    assert rate_window.ready_at(0.5, 1) == inf


def test_a_ticket_that_is_not_used_is_forgotten() -> None:
    """It is forgotten a minute after its instant, when the next waiter joins the queue."""
    rate_window = new_rate_window(0.0, 0.0, 0.0, 0.0)
    lost = rate_window.queue(0.5, 4)
    second = rate_window.queue(61.0, 1)
    assert rate_window._tickets == [lost, second]
    third = rate_window.queue(61.1, 1)
    assert rate_window._tickets == [second, third]


def test_a_ticket_that_is_too_early_keeps_its_position() -> None:
    """Its instant moves if others used its sends."""
    rate_window = new_rate_window(0.0, 0.0, 0.0, 0.0)
    queue_ticket = rate_window.queue(0.5, 1)
    rate_window.drain(1.0, 0)
    assert rate_window.take(1.0, 1, queue_ticket) == 2.0
    assert queue_ticket.ready_at == 2.0


@pytest.mark.parametrize(
    ("at", "weight", "sends"),
    [
        (0.3, 1, [-inf, 0.0, 0.1, 0.2]),
        (0.1, 1, [-inf, 0.0, 0.2, 0.3]),
        (0.0, 1, [-inf, 0.1, 0.2, 0.3]),
        (0.3, 2, [-inf, 0.0, 0.1, 0.2]),
        (9.0, 1, [0.0, 0.1, 0.2, 0.3]),
        (0.3, 0, [0.0, 0.1, 0.2, 0.3]),
    ],
)
def test_sends_are_refunded(at: float, weight: int, sends: list[float]) -> None:
    """Only sends of that instant are refunded, and only as many as there are."""
    rate_window = new_rate_window(0.0, 0.1, 0.2, 0.3)
    rate_window.undo(at, weight)
    assert list(rate_window.sends) == sends


def test_nothing_is_sent_during_a_hold() -> None:
    """A shorter hold, or one in the past, changes nothing; the queue keeps its order."""
    rate_window = new_rate_window(0.0, 0.0, 0.0, 0.0)
    turns = [rate_window.queue(0.5, 2), rate_window.queue(0.5, 3)]
    assert [queue_ticket.ready_at for queue_ticket in turns] == [1.0, 2.0]
    rate_window.hold(0.5, 0.5)
    rate_window.hold(0.6, 0.4)
    assert rate_window.held_until == -inf
    rate_window.hold(0.5, 5.0)
    rate_window.hold(0.5, 4.0)
    assert (rate_window.held_until, [queue_ticket.ready_at for queue_ticket in turns]) == (5.0, [5.0, 6.0])
    assert (rate_window.left(3.0), rate_window.left(5.0), rate_window.take(3.0, 2, turns[0])) == (0, 4, 5.0)
    assert (rate_window.take(5.0, 2, turns[0]), rate_window.take(6.0, 3, turns[1])) == (5.0, 6.0)


def test_remaining_sends_are_only_lowered() -> None:
    """A smaller number of remaining sends applies; a larger one changes nothing."""
    rate_window = new_rate_window(0.0)
    rate_window.drain(0.5, 9)
    assert (rate_window.left(0.5), list(rate_window.sends)) == (3, [-inf, -inf, -inf, 0.0])
    rate_window.drain(0.5, 1)
    assert (rate_window.left(0.5), list(rate_window.sends)) == (1, [-inf, 0.0, 0.5, 0.5])
    rate_window.drain(0.5, -3)
    assert (rate_window.left(0.5), rate_window.left(1.0), rate_window.left(1.5)) == (0, 1, 4)


def test_a_hold_that_is_lifted() -> None:
    """The sends limit again and nothing else: those in the queue keep their order and come as early as these allow."""
    rate_window = new_rate_window(0.0, 0.0, 0.0, 0.0)
    turns = [rate_window.queue(0.5, 2), rate_window.queue(0.5, 3)]
    rate_window.hold(0.5, 5.0)
    rate_window.release(0.6)
    assert (rate_window.held_until, [queue_ticket.ready_at for queue_ticket in turns]) == (-inf, [1.0, 2.0])
    assert (rate_window.take(1.0, 2, turns[0]), rate_window.take(2.0, 3, turns[1])) == (1.0, 2.0)
    empty = new_rate_window()
    empty.hold(0.0, 5.0)
    empty.release(0.0)
    assert (empty.fast_path, empty.take(0.0)) == (True, 0.0)


def test_the_fast_path_is_open_without_a_queue_and_a_hold() -> None:
    """The next method that is called after both have ended opens it again."""
    rate_window = new_rate_window()
    assert rate_window.fast_path
    queue_ticket = rate_window.queue(0.0, 1)
    assert not rate_window.fast_path
    rate_window.take(0.0, 1)
    assert not rate_window.fast_path
    rate_window.take(0.0, 1, queue_ticket)
    assert rate_window.fast_path
    rate_window.hold(0.0, 1.0)
    assert not rate_window.fast_path
    rate_window.take(0.5, 1)
    assert not rate_window.fast_path
    rate_window.take(1.0, 0)
    assert rate_window.fast_path
    for change in (lambda: rate_window.undo(1.0, 1), lambda: rate_window.drain(1.0, 3)):
        change()
        assert rate_window.fast_path
    rate_window.follow([1.0], 3.0)
    assert (rate_window.fast_path, rate_window.held_until) == (False, 3.0)


def test_retune_keeps_the_sends() -> None:
    """The latest sends are kept and the others returned; the fast path is closed until `take` is called."""
    rate_window = new_rate_window(0.0, 0.1, 0.2, 0.3)
    assert rate_window.retune(2, 5.0, [0.25]) == [0.0, 0.1, 0.2]
    assert (rate_window.max_sends, rate_window.span, list(rate_window.sends), rate_window.fast_path) == (
        2,
        5.0,
        [0.25, 0.3],
        False,
    )
    assert rate_window.take(1.0) == 5.25
    assert new_rate_window(0.0).retune(2, 1.0) == []
    assert rate_window.retune(3, 1.0) == []
    assert list(rate_window.sends) == [-inf, 0.25, 0.3]


def test_a_window_that_follows_another_goes_on() -> None:
    """It takes over the sends of the other window in the order of their instants."""
    rate_window = RateWindow(4, 1.0)
    rate_window.follow([0.3, 0.1], -inf)
    assert (list(rate_window.sends), rate_window.take(0.4, 3)) == ([-inf, -inf, 0.1, 0.3], 1.1)


def test_a_ticket_has_its_window_instant_and_weight() -> None:
    """A ticket has a window, an instant and a weight."""
    rate_window = RateWindow(1, 1.0)
    queue_ticket = QueueTicket(rate_window, 2.0, 3)
    assert (queue_ticket.rate_window, queue_ticket.ready_at, queue_ticket.weight) == (rate_window, 2.0, 3)


@pytest.mark.parametrize("weight", [1, 2, 3])
def test_the_fast_path_disturbs_no_reader(weight: int) -> None:
    """A driver appends a send without the lock while a thread that holds the lock reads the sends."""

    class Busy(deque[float]):
        """Sends to which another thread adds one as soon as an iteration begins."""

        def __iter__(self) -> Iterator[float]:
            begun = super().__iter__()
            self.append(0.3)
            return begun

    rate_window = RateWindow(3, 1.0)
    rate_window.sends = Busy([0.0, 0.1, 0.2], maxlen=3)
    assert rate_window.ready_at(0.3, weight) == pytest.approx(1.0 + 0.1 * (weight - 1))
