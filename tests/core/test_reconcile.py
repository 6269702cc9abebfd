"""Tests of an uncertain write: when it is looked up, and what an answer proves. W is 30 s, P 3 s and L 2 s."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import NOT_FOUND, Found
from resilience._core.call.lookup_answer import _MAX_SECONDS, NotFound, answer_error
from resilience._core.call.reconcile import LookupVerdict, UncertainWrite
from resilience._core.policy.sections import ReconcileSettings
from resilience._core.stages.fence import Fence

AT = 1_700_000_000.0
"""Unix time of the first stamp; the monotonic clock is at 100 then."""
LATE = 5.0


def new_uncertain_write(*, begun: float | None = 100.0, **rules: Any) -> UncertainWrite:
    """Return an uncertain write without an open attempt."""
    return UncertainWrite(ReconcileSettings(**rules), Fence(), AT, begun)


def attempt_opened(
    sent: float = 100.0, stamp: float | None = AT, answered_at: float | None = None, **given: Any
) -> UncertainWrite:
    """Return an uncertain write with one open attempt."""
    uncertain_write = new_uncertain_write(**given)
    uncertain_write.attempt_opened(sent=sent, stamp=stamp, answered_at=answered_at)
    return uncertain_write


def test_the_bounds_of_an_api() -> None:
    """The whole fence is 2 W + P + L, unless the policy sets its own."""
    assert (Fence().whole, Fence(1, 2, 4).whole) == (65.0, 8.0)
    assert (new_uncertain_write().whole, new_uncertain_write(fence=7).whole) == (65.0, 7.0)


def test_without_an_open_attempt_nothing_is_uncertain() -> None:
    """A write without an open attempt has nothing to look up."""
    uncertain_write = new_uncertain_write()
    assert (uncertain_write.is_open, uncertain_write.was_uncertain) == (False, False)
    fresh = new_uncertain_write(early_checks=1, wait=7)
    assert fresh.next_lookup(0.0) == 7.0
    fresh.judge(NOT_FOUND, sent=0.0, now=0.0)
    assert (attempt_opened().is_open, attempt_opened().was_uncertain) == (True, True)


def test_early_lookups_come_after_a_wait_and_then_one_at_the_fence() -> None:
    """The monotonic fence applies while no answer had the server's time."""
    uncertain_write = attempt_opened(early_checks=2, wait=0.5)
    assert uncertain_write.next_lookup(100.0) == 100.5
    uncertain_write.judge(NOT_FOUND, sent=100.5, now=100.6)
    assert uncertain_write.next_lookup(100.6) == 101.1
    uncertain_write.judge(NOT_FOUND, sent=101.1, now=101.2)
    assert uncertain_write.next_lookup(101.2) == 165.0
    assert uncertain_write.next_lookup(165.0) == pytest.approx(165.0, abs=0.2)
    assert uncertain_write.next_lookup(165.0) > 165.0


def test_with_the_servers_time_the_lookup_comes_at_its_fence() -> None:
    """The fence is stamp + W + P + L on the server's clock, converted to ours by its latest answer."""
    uncertain_write = attempt_opened(early_checks=1, wait=0.5)
    uncertain_write.judge(NOT_FOUND(AT + 3), sent=101.0, now=102.0)
    assert uncertain_write.next_lookup(102.0) == pytest.approx(102.0 + 32.0, abs=0.2)
    assert uncertain_write.next_lookup(102.0) > 134.0


def test_failed_lookups_back_off_up_to_five_seconds() -> None:
    """An answer resets the interval."""
    uncertain_write = attempt_opened(early_checks=9, wait=0.5)
    waits = []
    for _ in range(20):
        uncertain_write.lookup_failed()
        waits.append(uncertain_write.next_lookup(0.0))
    assert waits == [0.5, 1.0, 2.0, 4.0] + [5.0] * 16
    uncertain_write.judge(NOT_FOUND, sent=101.0, now=101.0)
    uncertain_write.lookup_failed()
    assert uncertain_write.next_lookup(0.0) == 0.5
    tiny = attempt_opened(wait=1e-5)
    for _ in range(40):
        tiny.lookup_failed()
    assert tiny.next_lookup(0.0) == pytest.approx(1e-5 * 2**16)


def test_a_new_attempt_begins_the_lookups_anew() -> None:
    """A new attempt has early lookups again."""
    uncertain_write = attempt_opened(early_checks=1, wait=0.5)
    uncertain_write.judge(NOT_FOUND, sent=100.0, now=100.0)
    uncertain_write.lookup_failed()
    uncertain_write.lookup_failed()
    uncertain_write.attempt_opened(sent=170.0, stamp=AT + 70, answered_at=None)
    assert uncertain_write.next_lookup(170.0) == 170.5
    uncertain_write.judge(NOT_FOUND, sent=170.5, now=170.5)
    assert uncertain_write.next_lookup(171.0) == 170.0 + 65.0


@pytest.mark.parametrize(
    ("sent", "server_time", "verdict"),
    [
        (164.9, None, LookupVerdict.AGAIN),
        (165.0, None, LookupVerdict.CLEAR),
        (101.0, AT + 35.0, LookupVerdict.AGAIN),
        (101.0, AT + 35.001, LookupVerdict.CLEAR),
        (300.0, AT, LookupVerdict.AGAIN),
        (101.0, float("nan"), LookupVerdict.AGAIN),
        (101.0, float("inf"), LookupVerdict.AGAIN),
        (165.0, float("inf"), LookupVerdict.CLEAR),
    ],
)
def test_not_found_is_believed_past_the_fence(sent: float, server_time: float | None, verdict: LookupVerdict) -> None:
    """The server's time of the answer decides, else the monotonic time since the last send."""
    uncertain_write = attempt_opened()
    assert uncertain_write.judge(NOT_FOUND(server_time), sent=sent, now=max(sent, 140.0)) is verdict
    assert uncertain_write.is_open is (verdict is LookupVerdict.AGAIN)
    assert uncertain_write.was_uncertain


def test_every_open_attempt_has_its_fence() -> None:
    """The latest fence counts, and an attempt without a stamp has the whole monotonic fence."""
    uncertain_write = attempt_opened()
    uncertain_write.attempt_opened(sent=110.0, stamp=AT + 10, answered_at=None)
    assert uncertain_write.judge(NOT_FOUND(AT + 45.0), sent=145.0, now=145.0) is LookupVerdict.AGAIN
    assert uncertain_write.judge(NOT_FOUND(AT + 45.1), sent=145.1, now=145.1) is LookupVerdict.CLEAR
    blind = attempt_opened()
    blind.attempt_opened(sent=110.0, stamp=None, answered_at=None)
    assert blind.judge(NOT_FOUND(AT + 60.0), sent=174.9, now=174.9) is LookupVerdict.AGAIN
    assert blind.next_lookup(174.9) == pytest.approx(174.9 + 0.5)
    assert blind.judge(NOT_FOUND(AT + 60.0), sent=175.0, now=175.0) is LookupVerdict.CLEAR


def test_an_older_send_does_not_shorten_the_fence() -> None:
    """Attempts may end in another order than they began."""
    uncertain_write = attempt_opened(sent=110.0, stamp=None)
    uncertain_write.attempt_opened(sent=100.0, stamp=None, answered_at=None)
    assert uncertain_write.judge(NOT_FOUND, sent=174.9, now=175.0) is LookupVerdict.AGAIN
    assert uncertain_write.judge(NOT_FOUND, sent=175.0, now=175.0) is LookupVerdict.CLEAR


@pytest.mark.parametrize(
    ("answered_at", "limit"),
    [
        (AT + 1, AT + 1 + LATE),
        (AT - 35, AT - 35 + LATE),
        (AT + 35, AT + 35 + LATE),
        (AT - 35.1, AT + 35),
        (AT + 35.1, AT + 35),
        (AT * 1000, AT + 35),
    ],
)
def test_an_answer_in_the_apis_own_envelope_drops_the_window(answered_at: float, limit: float) -> None:
    """The request had arrived; an impossible server time is not believed."""
    uncertain_write = attempt_opened(answered_at=answered_at)
    assert uncertain_write.judge(NOT_FOUND(limit), sent=140.0, now=140.0) is LookupVerdict.AGAIN
    assert uncertain_write.judge(NOT_FOUND(limit + 0.001), sent=140.0, now=140.0) is LookupVerdict.CLEAR


def test_an_answer_may_come_as_late_as_its_attempt_took() -> None:
    """Ten seconds after the first attempt began, the answer's time may be ten seconds later."""
    uncertain_write = attempt_opened(sent=110.0, answered_at=AT + 44)
    assert uncertain_write.judge(NOT_FOUND(AT + 49), sent=149.0, now=149.0) is LookupVerdict.AGAIN
    assert uncertain_write.judge(NOT_FOUND(AT + 49.1), sent=149.0, now=149.0) is LookupVerdict.CLEAR


def test_an_envelopes_time_serves_where_no_stamp_is_known() -> None:
    """The envelope's time is compared with the first stamp."""
    uncertain_write = attempt_opened(stamp=None, answered_at=AT + 1)
    assert uncertain_write.judge(NOT_FOUND(AT + 6.001), sent=110.0, now=110.0) is LookupVerdict.CLEAR


@pytest.mark.parametrize(("server_time", "believed"), [(AT + 75.0, True), (AT + 75.1, False)])
def test_an_impossible_time_is_not_believed(server_time: float, believed: bool) -> None:
    """A server that accepted the stamp is at most W from it, plus the time that has passed."""
    uncertain_write = attempt_opened()
    verdict = uncertain_write.judge(NOT_FOUND(server_time), sent=139.0, now=140.0)
    assert verdict is (LookupVerdict.CLEAR if believed else LookupVerdict.AGAIN)


def test_a_later_stamp_allows_a_later_time() -> None:
    """The latest signed stamp counts, and an earlier one does not undo that."""
    uncertain_write = attempt_opened()
    uncertain_write.attempt_opened(sent=100.0, stamp=AT + 20, answered_at=None)
    uncertain_write.attempt_opened(sent=100.0, stamp=AT - 20, answered_at=None)
    assert uncertain_write.judge(NOT_FOUND(AT + 55.5), sent=100.0, now=100.5) is LookupVerdict.CLEAR


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (Found(1), LookupVerdict.DONE),
        (Found(1, matches=False), LookupVerdict.FOREIGN),
        (Found(1, created_at=AT), LookupVerdict.DONE),
        (Found(1, created_at=AT - 1), LookupVerdict.DONE),
        (Found(1, created_at=AT - 1.1), LookupVerdict.FOREIGN),
        (Found(1, created_at=AT + 9, server_time=AT + 20), LookupVerdict.DONE),
        (Found(1, created_at=AT + 8.9, server_time=AT + 20), LookupVerdict.FOREIGN),
        (Found(1, created_at=AT - 21, server_time=AT - 10), LookupVerdict.DONE),
        (Found(1, created_at=AT - 21.1, server_time=AT - 10), LookupVerdict.FOREIGN),
    ],
)
def test_a_found_order_must_be_ours(found: Found, verdict: LookupVerdict) -> None:
    """Its fields match, and it was not created before the first attempt by the server's clock."""
    assert attempt_opened().judge(found, sent=109.0, now=110.0) is verdict


@pytest.mark.parametrize(("created_at", "verdict"), [(AT - 31, LookupVerdict.DONE), (AT - 31.1, LookupVerdict.FOREIGN)])
def test_of_another_process_only_the_window_is_sure(created_at: float, verdict: LookupVerdict) -> None:
    """Its clock may have been off by as much as the server accepts, and a month may have passed."""
    uncertain_write = attempt_opened(begun=None)
    assert uncertain_write.judge(Found(1, created_at=created_at, server_time=AT), sent=109.0, now=110.0) is verdict
    assert attempt_opened(begun=None).judge(NOT_FOUND(AT + 30 * 86400), sent=1.0, now=1.0) is LookupVerdict.CLEAR
    assert attempt_opened(begun=None).judge(NOT_FOUND(AT + 31 * 86400), sent=1.0, now=1.0) is LookupVerdict.AGAIN


def test_an_answer_without_a_time_keeps_what_was_known() -> None:
    """The server's clock was measured once, and the lookup uses that measurement."""
    uncertain_write = attempt_opened(early_checks=1)
    uncertain_write.judge(NOT_FOUND(AT + 3), sent=101.0, now=102.0)
    uncertain_write.judge(NOT_FOUND, sent=103.0, now=103.0)
    assert uncertain_write.next_lookup(103.0) == pytest.approx(134.0, abs=0.2)


@pytest.mark.parametrize(
    ("answer", "fine"),
    [
        (NOT_FOUND, True),
        (NOT_FOUND(AT), True),
        (NOT_FOUND(AT * 1000), False),
        (NOT_FOUND(_MAX_SECONDS), False),
        (NOT_FOUND("soon"), False),  # type: ignore[arg-type]
        (Found(1, created_at=AT * 1000), False),
        (Found(1, created_at=AT, server_time=AT * 1000), False),
        (Found(1, created_at=-AT * 1000), False),
        (Found(1, created_at=AT, server_time=AT), True),
    ],
)
def test_times_are_seconds(answer: Any, fine: bool) -> None:
    """A time in milliseconds is rejected, because it would be past every fence."""
    assert (answer_error(answer) is None) is fine


def test_answers_are_frozen_and_compared_by_value() -> None:
    """`NOT_FOUND()` without a time is `NOT_FOUND` itself."""
    assert NOT_FOUND() == NotFound(None) == NOT_FOUND
    assert (NOT_FOUND(3.0), Found(1)) == (NotFound(3.0), Found(1, None, True, None))
    for answer, name in ((NOT_FOUND, "server_time"), (Found(1), "value"), (Fence(), "lag")):
        with pytest.raises(AttributeError):
            setattr(answer, name, 1)


def test_a_request_says_its_own_bounds() -> None:
    """The window of the finished request counts, shorter or longer than the operation's."""
    short, long = new_uncertain_write(), new_uncertain_write()
    short.attempt_opened(sent=100.0, stamp=AT, answered_at=None, fence=Fence(5.0, 3.0, 2.0))
    assert short.judge(NOT_FOUND(AT + 10.0), sent=110.0, now=110.0) is LookupVerdict.AGAIN
    assert short.judge(NOT_FOUND(AT + 10.1), sent=110.0, now=110.1) is LookupVerdict.CLEAR
    long.attempt_opened(sent=100.0, stamp=AT, answered_at=None, fence=Fence(60.0, 3.0, 2.0))
    assert long.judge(NOT_FOUND(AT + 65.0), sent=165.0, now=165.0) is LookupVerdict.AGAIN
    assert long.judge(NOT_FOUND(AT + 65.1), sent=165.0, now=165.1) is LookupVerdict.CLEAR


def test_an_answer_says_how_long_it_is_proof() -> None:
    """The server may have forgotten an older order."""
    fresh, old = attempt_opened(), attempt_opened()
    missing = NotFound(AT + 40.0, retention=7200.0)
    assert fresh.judge(missing, sent=140.0, now=140.0, age=7200.0) is LookupVerdict.CLEAR
    assert old.judge(missing, sent=140.0, now=140.0, age=7200.1) is LookupVerdict.FORGOTTEN
