"""Tests of holds: what they concern, how long they last, and what is forgotten."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience import Pipeline, Policy
from resilience._core.call.attempt_end import apply_holds, counts_as_failure, scope_of
from resilience._core.call.operation_info import OperationInfo
from resilience._core.classify.failure import Failure
from resilience._core.policy.codes import Category
from resilience._core.stages.hold import MAX_HOLDS, Hold, Holds, OperationHold
from resilience.testing import FakeClock

HOSTS, ACCOUNTS, OPERATIONS = ("a", "b"), ("", "x"), ("get", "post", "cancel")


def hold_of(operation: OperationHold, until: float, scope: str = "operation", **fields: Any) -> Hold:
    """Return a hold that an answer to this operation asks for."""
    return Hold(scope, *operation.key, until, "retry_after", "p", **fields)


def test_a_hold_of_an_operation_concerns_no_other() -> None:
    """Another host, account or operation is not held."""
    holds = Holds()
    get = holds.of("a", "x", "get", "p")
    assert get.start(0.0, hold_of(get, 5.0))
    others = [holds.of("b", "x", "get", "p"), holds.of("a", "y", "get", "p"), holds.of("a", "x", "post", "p")]
    assert (get.ready_at(1.0), [other.ready_at(1.0) for other in others]) == (5.0, [1.0] * 3)
    assert (get.ready_at(5.0), get.ready_at(6.0)) == (5.0, 6.0)


def test_a_hold_of_a_host_concerns_operations_that_come_later() -> None:
    """A plan that is compiled during the hold, or once more, is held too."""
    holds = Holds()
    get, post = holds.of("a", None, "get", "p"), holds.of("a", None, "post", "q")
    assert get.start(0.0, hold_of(get, 5.0, "host"))
    assert holds.of("a", None, "get", "p") is get
    later = holds.of("a", None, "delete", "r")
    assert [state.ready_at(0.0) for state in (get, post, later)] == [5.0] * 3
    assert holds.policies_of(holds.current(0.0)[0]) == ["p", "q", "r"]
    assert holds.of("a", "x", "get", "p").current == {}
    assert holds.of(None, None, "get", "p").current == {}


def test_the_longest_hold_counts_and_is_reported_once() -> None:
    """A shorter one changes nothing; a longer one replaces it, and is news only where it passes `hold_max`."""
    holds = Holds()
    get = holds.of("a", None, "get", "p")
    news = [get.start(0.0, hold_of(get, until, is_long=until > 9)) for until in (5.0, 4.0, 5.0, 6.0, 10.0, 11.0)]
    assert news == [True, False, False, False, True, False]
    assert (get.ready_at(0.0), [hold.until for hold in holds.current(0.0)]) == (11.0, [11.0])
    assert get.start(12.0, hold_of(get, 13.0))


def test_an_end_is_reported_to_one_caller() -> None:
    """Of two operations that find a hold of their host over, one gets it, and both are free."""
    holds = Holds()
    get, post = holds.of("a", None, "get", "p"), holds.of("a", None, "post", "p")
    get.start(0.0, hold_of(get, 5.0, "host"))
    get.start(0.0, hold_of(get, 7.0))
    assert get.end_over(4.0) == []
    assert [hold.until for hold in post.end_over(5.0)] == [5.0]
    assert (get.end_over(5.0), post.current, get.ready_at(5.0)) == ([], {}, 7.0)
    longer = list(get.current)
    assert [holds.end(longer), holds.end(longer)] == [longer, []]


def test_a_hold_of_another_process_is_kept() -> None:
    """It is news once, and a little difference of its end changes nothing. It is not handed on."""
    holds, started = Holds(), []
    holds.on_start = started.append
    get = holds.of("a", None, "get", "p")
    assert holds.follow(0.0, hold_of(get, 5.0, "host"), 0.5)
    assert not holds.follow(0.0, hold_of(get, 5.4, "host"), 0.5)
    assert get.ready_at(0.0) == 5.0
    assert not holds.follow(0.0, hold_of(get, 6.0, "host"), 0.5)
    assert holds.of("a", None, "post", "p").ready_at(0.0) == 6.0
    assert len(holds.current(0.0)) == 1
    assert started == []
    assert get.start(0.0, hold_of(get, 9.0))
    assert started == [hold_of(get, 9.0)]
    assert not get.start(0.0, hold_of(get, 8.0))
    assert len(started) == 1


def test_released_holds_are_gone() -> None:
    """All of them, or those that concern a policy."""
    holds = Holds()
    get, post = holds.of("a", None, "get", "p"), holds.of("a", None, "post", "q")
    for state in (get, post):
        state.start(0.0, hold_of(state, 5.0)._replace(policy=next(iter(state.policies))))
    assert [hold.operation for hold in holds.release("q")] == ["post"]
    assert (get.ready_at(0.0), post.ready_at(0.0)) == (5.0, 0.0)
    assert [hold.operation for hold in holds.release()] == ["get"]
    assert (holds.current(0.0), holds.release(), get.current) == ([], [], {})


def test_holds_that_are_over_are_forgotten_first() -> None:
    """However many operations are held, a hold that lasts is never dropped; one that is over makes place."""
    holds = Holds()
    states = [holds.of("a", None, str(number), "p") for number in range(MAX_HOLDS + 1)]
    for number, state in enumerate(states[:-1]):
        state.start(0.0, hold_of(state, 5.0 if number % 2 else 50.0))
    states[-1].start(10.0, hold_of(states[-1], 60.0))
    assert len(holds._holds) == MAX_HOLDS // 2 + 1
    assert [state.ready_at(10.0) for state in states[:-1:2]] == [50.0] * (MAX_HOLDS // 2)
    assert states[1].current == {}


def test_operations_that_nobody_compiles_any_more_are_forgotten() -> None:
    """The hold of an operation outlives its plan and concerns the next one."""
    holds = Holds()
    get = holds.of("a", None, "get", "p")
    get.start(0.0, hold_of(get, 5.0))
    del get
    gc.collect()
    assert len(holds._operations) == 0
    assert holds.policies_of(holds.current(0.0)[0]) == ["p"]
    assert holds.of("a", None, "get", "q").ready_at(0.0) == 5.0


def test_one_of_many_threads_reports_a_hold() -> None:
    """Thirty answers at once that ask for the same wait are reported once, and so is its end."""
    holds = Holds()
    get = holds.of("a", None, "get", "p")
    numbers = count()
    with ThreadPoolExecutor(8) as pool:
        news = list(pool.map(lambda _: get.start(0.0, hold_of(get, 5.0 + next(numbers) / 1000, "host")), range(30)))
        ended = list(pool.map(lambda _: get.end_over(6.0), range(30)))
    assert (news.count(True), sum(map(len, ended)), get.current) == (1, 1, {})


MOVES = st.one_of(
    st.tuples(st.just("start"), st.integers(0, 11), st.sampled_from(["host", "operation"]), st.integers(1, 9)),
    st.tuples(st.just("pass"), st.integers(0, 11), st.none(), st.integers(0, 3)),
    st.tuples(st.just("release"), st.integers(0, 1), st.none(), st.just(0)),
    st.tuples(st.just("compile"), st.integers(0, 11), st.none(), st.just(0)),
)


@given(st.lists(MOVES, max_size=40))
def test_nothing_passes_while_it_is_held(moves: list[Any]) -> None:
    """Whatever the order of holds, ends, releases and compilations, an operation is ready exactly when it may be."""
    keys = [(host, account, operation) for host in HOSTS for account in ACCOUNTS for operation in OPERATIONS]
    holds, model, now = Holds(), dict[Any, float](), 0.0
    states = {key: holds.of(*key, "p") for key in keys[::2]}
    for move, number, scope, seconds in moves:
        key = keys[number]
        if move == "start":
            states.setdefault(key, holds.of(*key, "p"))
            states[key].start(now, hold_of(states[key], now + seconds, scope))
            name = key if scope == "operation" else key[:2]
            model[name] = max(model.get(name, 0.0), now + seconds)
        elif move == "pass":
            now += seconds
            if key in states and states[key].ready_at(now) <= now:
                states[key].end_over(now)
        elif move == "release":
            holds.release("p" if number else None)
            model.clear()
        else:
            states[key] = holds.of(*key, "p")
        for one, state in states.items():
            assert state.ready_at(now) == max(now, model.get(one, 0.0), model.get(one[:2], 0.0))
    assert len(holds.current(now)) == sum(until > now for until in model.values())


def failure(**fields: Any) -> Failure:
    """Return a retryable failure."""
    return Failure(Category.RETRYABLE, **fields)


@pytest.mark.parametrize(
    ("fields", "scope"),
    [
        ({"http_status": 418}, "host"),
        ({"http_status": 429, "banned": True}, "host"),
        ({"hint": "hold"}, "host"),
        ({"http_status": 429}, "operation"),
        ({"http_status": 503}, "operation"),
        ({"hint": "backoff"}, "operation"),
        ({"http_status": 500}, None),
        ({"http_status": 429, "hold_scope": "host"}, "host"),
        ({"http_status": 403, "hold_scope": "operation"}, "operation"),
        ({}, None),
    ],
)
def test_what_a_failure_speaks_of(fields: Any, scope: str | None) -> None:
    """A ban speaks of the host and account, a limit or an overload of the operation, everything else of itself."""
    assert scope_of(failure(**fields), OperationInfo(operation="get", host="a")) == scope
    known = scope_of(failure(**fields), OperationInfo(operation="get", account="x"))
    unknown = scope_of(failure(**fields), OperationInfo(operation="get"))
    assert (known, unknown) == (scope, scope and "operation")


@pytest.mark.parametrize(
    ("fields", "wait"),
    [
        ({"retry_after": 5.0}, 5.0),
        ({"retry_after": 0.0, "retry_at": 1_700_000_099.0}, None),
        ({"retry_at": 1_700_000_005.0}, 5.0),
        ({"retry_at": 1_600_000_000.0}, None),
        ({}, None),
    ],
)
def test_how_long_a_failure_asks_to_wait(fields: Any, wait: float | None) -> None:
    """For its seconds, else until its time; without either, or if that is over, there is no hold."""
    clock = FakeClock()
    plan = Pipeline(Policy(), clock=clock).plan(len, OperationInfo(operation="get"))
    clock.advance(1_700_000_000.0 - clock.time())
    now = clock.monotonic()
    apply_holds(plan, failure(http_status=429, **fields), now)
    assert plan.hold.ready_at(now) == pytest.approx(now + (wait or 0.0))
    assert bool(plan.hold.current) == (wait is not None)


def test_a_ban_is_no_failure_of_the_service() -> None:
    """Neither is a rejected stamp; a fatal answer never is."""
    counted = [failure(), failure(http_status=429), failure(http_status=503)]
    assert [counts_as_failure(one) for one in counted] == [True] * 3
    ours = [failure(hint="hold"), failure(http_status=418), failure(hint="resync_clock"), Failure(Category.FATAL)]
    assert [counts_as_failure(one) for one in ours] == [False] * 4
