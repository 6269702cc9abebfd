"""Tests of the quotas and slots that the pipelines of one `Policies` share."""

from __future__ import annotations

import pytest

from resilience import Pipeline, Policy
from resilience._core.call.operation_info import OperationInfo
from resilience._core.stages.rate_window import RateWindow
from resilience._pipeline.shared_state import SharedState
from resilience.testing import FakeClock


@pytest.mark.slow
def test_windows_by_key_are_bounded() -> None:
    """With five thousand users, the windows in which nothing counts any more are forgotten."""
    rules = {"rate": 1, "burst": 1, "key": lambda user: user}
    clock = FakeClock()
    pipeline = Pipeline(Policy(name="p", quota=[rules]), clock=clock)  # type: ignore[arg-type]
    call = pipeline.compile(lambda user: user)
    for user in range(5000):
        call(user)
        clock.advance(0.1)
    assert len(pipeline.shared.limits._quotas) <= 4096


@pytest.mark.slow
def test_a_full_window_is_not_forgotten() -> None:
    """After five thousand other users, the first one's send of this minute still counts."""
    rules = {"rate": "1/m", "burst": 1, "key": lambda user: user}
    clock = FakeClock()
    call = Pipeline(Policy(name="p", quota=[rules]), clock=clock).compile(lambda user: user)  # type: ignore[arg-type]
    for user in (*range(5000), 0):
        call(user)
    assert clock.sleeps == [60.0]


def test_an_empty_window_in_use_is_not_forgotten() -> None:
    """Two functions that were compiled far apart consume one window for one account."""
    policy = Policy(name="p", quota=[{"rate": "1/m", "burst": 1, "key": "account"}])  # type: ignore[arg-type]
    shared = SharedState(FakeClock())
    first, *_ = held = [
        shared.limits.quotas(policy, OperationInfo(operation="f", account=str(number)), {}) for number in range(5000)
    ]
    assert len(held) == len(shared.limits._quotas) == 5000
    again = shared.limits.quotas(policy, OperationInfo(operation="g", account="0"), {})
    assert first is not None
    assert again is not None
    assert again.entries == first.entries


def test_calls_compiled_before_a_change_consume_the_changed_quota() -> None:
    """A function compiled before a change of the quota consumes the quota of today."""
    before = Policy(name="p", quota=[{"rate": "5/m", "burst": 5}])  # type: ignore[arg-type]
    pipeline = Pipeline(before, clock=FakeClock())
    call = pipeline.compile(len)
    call("a")
    after = Policy(name="p", quota=[{"rate": "9/m", "burst": 9}])  # type: ignore[arg-type]
    pipeline.shared.limits.retune({"p": before}, {"p": after})
    for left in (7, 6, 5):
        call("a")
        assert [quota.left(0.0) for quota in pipeline.shared.limits._quotas.values()] == [left]


def test_quotas_that_are_shared_later_keep_their_sends() -> None:
    """Each is made anew with the window that several processes share, and made anew again where that ends."""
    policy = Policy(name="p", quota=[{"name": "o", "rate": "2/m", "burst": 2}])  # type: ignore[arg-type]
    shared, info, names = SharedState(FakeClock()), OperationInfo(operation="f"), []
    quotas = shared.limits.quotas(policy, info, {})
    assert quotas is not None
    quotas.entries[0].common.take(1.0)

    def new_window(name: tuple[object, ...], lane: str, max_sends: int, span: float) -> RateWindow:
        names.append((name, lane))
        return RateWindow(max_sends, span)

    for window in (new_window, new_window, None):
        shared.limits.share(window)
        again = shared.limits.quotas(policy, info, {})
        assert again is not None
        assert again.entries[0].left(1.0) == 1
    assert names == [(("o", "", ""), "common")]


def test_a_shared_quota_that_moves_takes_its_new_name() -> None:
    """Other processes know it by that: a quota without a name is known by its index."""
    before = Policy(name="p", quota=[{"rate": "2/m", "burst": 2}])  # type: ignore[arg-type]
    after = Policy(  # type: ignore[arg-type]
        name="p", quota=[{"rate": "9/m", "burst": 9}, {"rate": "2/m", "burst": 2}]
    )
    shared, info, names = SharedState(FakeClock()), OperationInfo(operation="f"), []

    def new_window(name: tuple[object, ...], _lane: str, max_sends: int, span: float) -> RateWindow:
        names.append(name[0])
        return RateWindow(max_sends, span)

    shared.limits.share(new_window)
    quotas = shared.limits.quotas(before, info, {})
    assert quotas is not None
    quotas.entries[0].common.take(1.0)
    shared.limits.retune({"p": before}, {"p": after})
    moved = shared.limits.quotas(after, info, {}, keep_state=True)
    assert moved is not None
    assert [quota.left(1.0) for quota in moved.entries] == [9, 1]
    assert names == [("p", 0), ("p", 1), ("p", 0)]
