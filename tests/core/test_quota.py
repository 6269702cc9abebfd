"""Tests of the quota: never more than `burst` in any span, from any thread, and no send lost for good."""

from __future__ import annotations

import threading
import time
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from resilience import Policy, PolicyError
from resilience._core.policy.sections import QuotaSettings
from resilience._core.stages.quota import Quota, Quotas, pay, undo
from resilience._core.stages.rate_window import QueueTicket, RateWindow


def most_in_a_span(sends: list[float], span: float) -> int:
    """Return the most sends that any half-open span of time holds."""
    sends = sorted(sends)
    return max((sum(first <= at and not first + span <= at for at in sends) for first in sends), default=0)


class Line(RuleBasedStateMachine):
    """A rate window under random arrivals, weights, waits, withdrawals, refunds and holds."""

    def __init__(self) -> None:
        super().__init__()
        self.rate_window = RateWindow(4, 1.0)
        self.now = 0.0
        self.sent: list[tuple[float, int]] = []
        self.waiting: list[QueueTicket] = []
        self.held = -inf

    @rule(by=st.sampled_from([0.0, 0.01, 0.25, 0.5, 1.0, 3.0]))
    def time_passes(self, by: float) -> None:
        self.now += by

    @rule(weight=st.integers(1, 4), waits=st.booleans())
    def arrive(self, weight: int, waits: bool) -> None:
        at = self.rate_window.take(self.now, weight)
        assert at >= self.now
        if at == self.now:
            self.went(weight)
        elif waits:
            queue_ticket = self.rate_window.queue(self.now, weight)
            assert queue_ticket.ready_at >= at
            assert all(queue_ticket.ready_at >= ticket.ready_at for ticket in self.waiting)
            self.waiting.append(queue_ticket)

    @precondition(lambda self: self.rate_window.fast_path)
    @rule()
    def arrive_inline(self) -> None:
        """What a driver does without the lock."""
        if self.rate_window.sends[0] + self.rate_window.span <= self.now:
            self.rate_window.sends.append(self.now)
            self.went(1)

    @precondition(lambda self: self.waiting)
    @rule(place=st.integers(0, 20))
    def wake(self, place: int) -> None:
        """A waiter asks again, in time, late, or even too early."""
        queue_ticket = self.waiting[place % len(self.waiting)]
        at = self.rate_window.take(self.now, queue_ticket.weight, queue_ticket)
        if at == self.now:
            self.waiting.remove(queue_ticket)
            self.went(queue_ticket.weight)
        else:
            assert queue_ticket.ready_at == at > self.now

    @precondition(lambda self: self.waiting)
    @rule(place=st.integers(0, 20))
    def withdraw(self, place: int) -> None:
        self.waiting.pop(place % len(self.waiting)).cancel()

    @precondition(lambda self: self.sent and self.sent[-1][0] == self.now)
    @rule()
    def refund(self) -> None:
        """What was taken at this instant was not sent after all."""
        at, weight = self.sent.pop()
        self.rate_window.undo(at, weight)

    @rule(seconds=st.sampled_from([0.1, 1.5]))
    def hold(self, seconds: float) -> None:
        self.held = max(self.held, self.now + seconds)
        self.rate_window.hold(self.now, self.now + seconds)

    def went(self, weight: int) -> None:
        assert self.now >= self.held
        self.sent.append((self.now, weight))

    @invariant()
    def never_more_than_allowed(self) -> None:
        assert most_in_a_span([at for at, weight in self.sent for _ in range(weight)], 1.0) <= 4

    @invariant()
    def nobody_passes_the_line_inline(self) -> None:
        assert not (self.rate_window.fast_path and (self.waiting or self.held > self.now))

    def teardown(self) -> None:
        """Nothing is lost for good: when all is quiet the whole burst is there again."""
        while self.waiting:
            self.waiting.pop().cancel()
        later = max(self.now, self.held) + 1.0
        assert self.rate_window.left(later) == 4
        assert self.rate_window.take(later, 4) == later
        assert self.rate_window.take(later) == later + 1.0
        assert self.rate_window.take(later + 1.0) == later + 1.0
        assert self.rate_window.fast_path


test_any_script = Line.TestCase


def test_waiters_are_served_first_come_first_served() -> None:
    """Each waiter gets its instant at once, and a newcomer comes after all of them."""
    rate_window = RateWindow(2, 1.0)
    assert [rate_window.take(0.0), rate_window.take(0.0)] == [0.0, 0.0]
    turns = [rate_window.queue(0.0, 1) for _ in range(5)]
    assert [queue_ticket.ready_at for queue_ticket in turns] == [1.0, 1.0, 2.0, 2.0, 3.0]
    assert rate_window.ready_at(0.5) == 3.0
    assert not rate_window.fast_path


def test_a_newcomer_plans_behind_the_tickets() -> None:
    """Its instant is after those of the waiters before it, whatever their weights."""
    rate_window = RateWindow(4, 1.0)
    for at in (0.0, 0.2, 0.4, 0.6):
        rate_window.take(at)
    assert rate_window.queue(0.7, 1).ready_at == 1.0
    assert rate_window.ready_at(0.7) == 1.2
    assert rate_window.ready_at(0.7, 2) == 1.4
    assert rate_window.queue(0.7, 3).ready_at == 1.6
    assert rate_window.ready_at(0.7) == 2.0


def test_nothing_overtakes_the_queue() -> None:
    """After a refund the newcomer's instant is still not before that of a waiter."""
    rate_window = RateWindow(1, 1.0)
    rate_window.take(0.0)
    queue_ticket = rate_window.queue(0.0, 1)
    rate_window.undo(0.0, 1)
    assert (queue_ticket.ready_at, rate_window.ready_at(0.5)) == (1.0, 2.0)
    heavy = RateWindow(4, 1.0)
    heavy.take(0.0, 4)
    queue_ticket = heavy.queue(0.0, 1)
    heavy.undo(0.0, 2)
    assert (queue_ticket.ready_at, heavy.ready_at(0.5)) == (1.0, 1.0)


def test_a_waiter_that_gives_up_costs_newcomers_nothing() -> None:
    """A hundred calls that were cancelled while they waited do not delay the next one."""
    rate_window = RateWindow(1, 1.0)
    rate_window.take(0.0)
    turns = [rate_window.queue(0.0, 1) for _ in range(100)]
    assert rate_window.ready_at(0.0) == 101.0
    for queue_ticket in turns:
        queue_ticket.cancel()
    assert rate_window.ready_at(0.0) == 1.0


def test_late_waiters_are_not_sent_in_a_bunch() -> None:
    """A stalled event loop wakes three waiters at once: they are spread again by what was really sent."""
    rate_window = RateWindow(1, 1.0)
    rate_window.take(0.0)
    turns = [rate_window.queue(0.0, 1) for _ in range(3)]
    assert rate_window.take(9.0, 1, turns[0]) == 9.0
    assert rate_window.take(9.0, 1, turns[1]) == 10.0
    assert rate_window.take(10.0, 1, turns[1]) == 10.0
    assert rate_window.take(10.0, 1, turns[2]) == 11.0


def test_an_unused_ticket_blocks_nothing() -> None:
    """A ticket that is not used is skipped, and forgotten after a minute."""
    rate_window = RateWindow(1, 1.0)
    rate_window.take(0.0)
    rate_window.queue(0.0, 1)
    assert rate_window.take(2.0) == 2.0
    rate_window.queue(100.0, 1).cancel()
    assert rate_window.take(200.0) == 200.0
    assert rate_window.fast_path


def test_a_hold_moves_the_queue_and_keeps_its_order() -> None:
    """Every waiter gets a later instant, still one after the other."""
    rate_window = RateWindow(1, 1.0)
    rate_window.take(0.0)
    first, second = rate_window.queue(0.0, 1), rate_window.queue(0.0, 1)
    rate_window.hold(0.5, 5.0)
    assert (first.ready_at, second.ready_at) == (5.0, 6.0)
    assert rate_window.ready_at(0.5) == 7.0
    rate_window.hold(0.5, 3.0)
    assert rate_window.held_until == 5.0
    assert rate_window.take(1.0, 1, first) == 5.0
    assert rate_window.left(4.0) == 0


def test_undo_finds_its_send() -> None:
    """Later sends of others stay; a send that was displaced long ago cannot be refunded."""
    rate_window = RateWindow(3, 1.0)
    for at in (1.0, 1.1, 1.2):
        rate_window.take(at)
    rate_window.undo(1.1, 1)
    assert list(rate_window.sends) == [-inf, 1.0, 1.2]
    rate_window.undo(0.5, 1)
    assert list(rate_window.sends) == [-inf, 1.0, 1.2]


def test_threads_on_the_fast_path() -> None:
    """Sixteen threads take sends without a lock, as drivers do: no span has more than allowed."""
    rate_window, sent, started = RateWindow(20, 0.02), list[float](), threading.Barrier(16)

    def work() -> None:
        started.wait()
        for _ in range(300):
            now = time.monotonic()
            if rate_window.fast_path and rate_window.sends[0] + rate_window.span <= now:
                rate_window.sends.append(now)
                sent.append(now)
            elif rate_window.take(now) == now:
                sent.append(now)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sent.sort()
    assert all(sent[place + 20] - sent[place] >= 0.02 - 1e-9 for place in range(len(sent) - 20))


# --- entries, lanes and several windows --------------------------------------------------------------


def new_quotas(*entries: QuotaSettings) -> Quotas:
    """Return the quotas of an operation with these entries."""
    return Quotas([(Quota(entry), entry.weight) for entry in entries])


def ask(quotas: Quotas, now: float, *, high_priority: bool = False) -> float:
    """Consume quota if possible; return the instant of the send."""
    return pay(now, quotas.costs(now, quotas.weights((), {}), None, high_priority=high_priority), None)[0]


def test_the_latest_of_several_windows_decides_and_a_rejection_takes_nothing() -> None:
    """With 10/s and 15/m the sixteenth send waits for the minute and consumes nothing of the second."""
    both = new_quotas(QuotaSettings(rate="10/s", burst=10), QuotaSettings(rate="15/m", burst=15))  # type: ignore[arg-type]
    assert [ask(both, 0.0) for _ in range(11)] == [0.0] * 10 + [1.0]
    assert [ask(both, 1.0) for _ in range(6)] == [1.0] * 5 + [60.0]
    assert both.entries[0].left(1.0) == 5


def test_undo_refunds_every_window() -> None:
    """All windows have the send again."""
    both = new_quotas(QuotaSettings(rate=1, burst=2), QuotaSettings(rate=1, burst=3, weight=2))
    costs = both.costs(5.0, both.weights((), {}), None, high_priority=False)
    assert pay(5.0, costs, None) == (5.0, None)
    assert [entry.left(5.0) for entry in both.entries] == [1, 1]
    undo(5.0, costs)
    assert [entry.left(5.0) for entry in both.entries] == [2, 3]


def test_another_call_consumes_the_second_window_first() -> None:
    """Both windows allowed the send; when the second one is exhausted, the first one is refunded."""

    class Raced(RateWindow):
        def ready_at(self, now: float, weight: int = 1, queue_ticket: QueueTicket | None = None) -> float:
            at = super().ready_at(now, weight, queue_ticket)
            self.take(now)
            return at

    first, second = RateWindow(1, 1.0), Raced(1, 1.0)
    assert pay(0.0, [(first, 1), (second, 1)], None) == (1.0, second)
    assert first.left(0.0) == 1


def test_windows_that_a_driver_can_pay_by_itself() -> None:
    """They are those of an operation that pays one send in each; the only one is known as such."""
    two, one, heavy = (QuotaSettings(rate=1, burst=2), QuotaSettings(rate=1, burst=1)), QuotaSettings(), 2
    both = new_quotas(*two)
    assert (both.unit_windows, both.single_window) == (tuple(entry.common for entry in both.entries), None)
    single = new_quotas(one)
    assert single.unit_windows == (single.single_window,)
    weighed = new_quotas(QuotaSettings(burst=3, weight=heavy))
    assert (weighed.unit_windows, weighed.single_window) == (None, None)


def test_a_reserve_is_for_high_priority_lanes_only() -> None:
    """Ordinary attempts see the smaller window; a high-priority one takes from either, never more than both."""
    quotas = new_quotas(QuotaSettings(rate=10, burst=10, reserve="20%"))  # type: ignore[arg-type]
    assert [ask(quotas, 0.0) for _ in range(9)] == [0.0] * 8 + [1.0]
    assert [ask(quotas, 0.0, high_priority=True) for _ in range(3)] == [0.0, 0.0, 1.0]
    assert quotas.entries[0].left(0.0) == 0
    reserved = quotas.entries[0].reserved
    assert reserved is not None
    queue_ticket = reserved.queue(0.0, 1)
    assert quotas.entries[0].cost(5.0, 1, queue_ticket, high_priority=True) == (reserved, 1)  # it keeps its place
    queue_ticket.cancel()
    heavy = quotas.entries[0].cost(0.0, 3, None, high_priority=True)
    assert heavy == (quotas.entries[0].common, 3)
    small = Quota(QuotaSettings(burst=1, reserve=0.5))
    assert small.reserved is None


@given(st.lists(st.tuples(st.floats(0, 0.6), st.booleans(), st.integers(1, 3)), max_size=60))
def test_lanes_together_keep_the_limit(script: list[tuple[float, bool, int]]) -> None:
    """No span has more sends than the burst, whatever the mix of lanes."""
    quota, now, sent = Quota(QuotaSettings(rate=5, burst=5, reserve=0.4)), 0.0, list[float]()
    for wait, high_priority, weight in script:
        now += wait
        cost = quota.cost(now, weight, None, high_priority=high_priority)
        if pay(now, [cost], None)[1] is None:
            sent += [now] * weight
    assert most_in_a_span(sent, 1.0) <= 5


def test_weights_may_depend_on_the_call() -> None:
    """A weight of 0 consumes nothing, and one beyond the burst can never be sent."""
    by = new_quotas(QuotaSettings(rate=10, burst=10, weight=lambda n: n))
    for n, at in ((0, 0.0), (10, 0.0), (0, 0.0), (1, 1.0), (11, inf)):
        assert pay(0.0, by.costs(0.0, by.weights((n,), {}), None, high_priority=False), None)[0] == at
    with pytest.raises(PolicyError, match="weight: 3 can never be sent"):
        Policy(quota=[{"burst": 2, "weight": 3}])  # type: ignore[arg-type]


def test_other_settings_forget_no_send() -> None:
    """A reload that changes the rate keeps sends and holds."""
    before = Quota(QuotaSettings(rate=10, burst=10))
    for _ in range(10):
        before.common.take(5.0)
    before.hold(5.0, 5.5)
    after = Quota(QuotaSettings(rate=5, burst=5), "", before)
    assert (after.left(5.6), after.held_until) == (0, 5.5)
    assert after.common.take(6.0) == 6.0
    other = Quota(QuotaSettings(rate=10, burst=10, reserve=0.2), "", after)
    assert other.left(6.0) == 9 - 1  # the last send counts in both of its windows
    assert Quota(QuotaSettings(rate=10, burst=10), "", other).left(6.0) == 8


# --- what an API says --------------------------------------------------------------------------------


def test_remaining_only_tightens() -> None:
    """Sends by other users of the key are subtracted; a larger number of remaining sends is ignored."""
    quotas = new_quotas(QuotaSettings(rate=10, burst=10))
    quotas.report_limits(0.0, remaining=3)
    assert quotas.entries[0].left(0.0) == 3
    quotas.report_limits(0.0, remaining=8)
    assert quotas.entries[0].left(0.0) == 3
    rate_window = RateWindow(2, 1.0)
    rate_window.take(0.5)
    rate_window.drain(0.9, -5)
    assert rate_window.left(1.5) == 1
    quotas.report_limits(0.5, remaining=0, resets_in=2.0)
    assert (quotas.entries[0].left(2.4), quotas.entries[0].left(2.5)) == (0, 10)


def test_a_reported_limit_finds_its_window() -> None:
    """It is found by the window's length, by its limit, else it is the first entry, which is the closest."""
    both = new_quotas(QuotaSettings(rate=10, burst=10), QuotaSettings(rate="600/m", burst=600))  # type: ignore[arg-type]
    second, minute = both.entries
    both.report_limits(0.0, used=590, window=60)
    assert (second.left(0.0), minute.left(0.0)) == (10, 10)
    both.report_limits(0.0, limit=600, remaining=4)
    assert (second.left(0.0), minute.left(0.0)) == (10, 4)
    both.report_limits(0.0, remaining=9)
    assert (second.left(0.0), minute.left(0.0)) == (9, 4)
    both.report_limits(0.0, remaining=5, window=3600)
    assert (second.left(0.0), minute.left(0.0)) == (9, 4)


def test_a_reset_holds_the_reported_window() -> None:
    """If it is none of ours, the strictest one is held; an attempt without a weight weighs one."""
    both = new_quotas(QuotaSettings(rate=10, burst=10), QuotaSettings(rate="600/m", burst=600, weight=None))  # type: ignore[arg-type]
    both.report_limits(0.0, remaining=0, resets_in=2, window=3600)
    assert [entry.held_until for entry in both.entries] == [2.0, -inf]
    both.report_limits(0.0, remaining=0, resets_in=3, window=60)
    assert [entry.held_until for entry in both.entries] == [2.0, 3.0]
    assert both.weights((), {}) == (1, 1)


def test_a_hold_off_holds_every_window() -> None:
    """A ban holds every entry of the call; without a time the strictest one is held for one span."""
    both = new_quotas(QuotaSettings(rate=10, burst=10), QuotaSettings(rate="600/m", burst=600))  # type: ignore[arg-type]
    both.hold(0.0, None)
    assert [entry.held_until for entry in both.entries] == [1.0, -inf]
    both.report_limits(0.0, hold=7.0)
    assert [entry.held_until for entry in both.entries] == [7.0, 7.0]


def test_a_reserve_is_drained_last() -> None:
    """The sends that the API has left go to high-priority lanes first."""
    quotas = new_quotas(QuotaSettings(rate=10, burst=10, reserve=0.2))
    quotas.report_limits(0.0, remaining=3)
    quota = quotas.entries[0]
    assert quota.reserved is not None
    assert (quota.common.left(0.0), quota.reserved.left(0.0)) == (1, 2)
    quotas.report_limits(0.0, remaining=1)
    assert (quota.common.left(0.0), quota.reserved.left(0.0)) == (0, 1)


_NUMBERS = st.one_of(st.none(), st.floats(), st.integers(), st.text(max_size=5), st.booleans(), st.just(10**400))


@given(st.dictionaries(st.sampled_from(["remaining", "resets_in", "hold", "limit", "window", "used"]), _NUMBERS))
def test_hostile_limits_never_raise(limits: dict[str, Any]) -> None:
    """Any reported values are accepted without an error, and the limit is never exceeded."""
    quotas = new_quotas(QuotaSettings(rate=10, burst=10))
    quotas.report_limits(0.0, **limits)
    assert 0 <= quotas.entries[0].left(0.0) <= 10


@pytest.mark.parametrize(("before", "after"), [(0.0, 0.2), (0.2, 0.4), (0.4, 0.0), (0.0, 0.0)])
def test_retune_of_a_quota_keeps_its_sends(before: float, after: float) -> None:
    """Sends and holds limit further sends, whatever share is reserved before and after."""
    quota = Quota(QuotaSettings(rate=10, burst=10, reserve=before))
    for _ in range(4):
        quota.common.take(0.0)
    if quota.reserved is not None:
        quota.reserved.take(0.0)
    quota.hold(0.0, 0.5)
    sent = 10 - quota.left(0.6)
    settings = QuotaSettings(rate=5, burst=10, reserve=after)
    quota.retune(settings)
    assert (quota.settings, quota.span, quota.held_until) == (settings, 2.0, 0.5)
    assert (quota.reserved is None) == (after == 0)
    assert quota.left(1.9) == 10 - sent
    assert quota.left(2.0) == 10


def test_retune_to_a_reserve_keeps_all_sends() -> None:
    """All ten sends still count when a part of the window becomes a reserve."""
    quota = Quota(QuotaSettings(rate=10, burst=10))
    for _ in range(10):
        quota.common.take(0.0)
    quota.retune(QuotaSettings(rate=10, burst=10, reserve=0.4))
    assert (quota.left(0.9), quota.left(1.0)) == (0, 10)


def test_when_a_quota_is_empty() -> None:
    """It is while no send of its span counts, no hold lasts and nobody waits, in either of its windows."""
    quota = Quota(QuotaSettings(rate=1.0, burst=2, reserve=0.5))
    assert quota.is_empty(0.0)
    assert quota.reserved is not None
    quota.reserved.take(10.0)
    assert (quota.is_empty(11.9), quota.is_empty(12.0)) == (False, True)
    quota.hold(12.0, 20.0)
    assert (quota.is_empty(19.0), quota.is_empty(20.0)) == (False, True)
    turn = quota.common.queue(20.0, 1)
    assert not quota.is_empty(20.0)
    turn.cancel()
    assert quota.is_empty(20.0)
