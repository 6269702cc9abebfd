"""Tests of the retry budget: a ratio of the calls, with a floor."""

from __future__ import annotations

import pytest

from resilience._core.policy.sections import BudgetSettings
from resilience._core.stages.budget import Budget


def new_budget(ratio: float, floor: float, calls: int = 0) -> Budget:
    """Return a budget after this many calls at second 100."""
    budget = Budget(BudgetSettings(ratio=ratio, floor=floor), 100.0)
    for _ in range(calls):
        budget.deposits.add_success(100.0)
    return budget


@pytest.mark.parametrize(
    ("ratio", "floor", "calls", "allowed"),
    [(0.2, 0, 10, 2), (0.2, 0.5, 10, 5), (0.2, 0.1, 10, 2), (0, 0, 10, 0), (0, 0.1, 0, 1)],
)
def test_retries_are_a_share_of_the_calls_or_the_floor(ratio: float, floor: float, calls: int, allowed: int) -> None:
    """The larger of both applies, over ten seconds; `left` returns the remaining retries."""
    budget = new_budget(ratio, floor, calls)
    assert budget.left(100.0) == pytest.approx(allowed)
    assert [budget.withdraw(100.0) for _ in range(allowed + 1)] == [True] * allowed + [False]
    assert budget.left(100.0) == pytest.approx(0)


def test_calls_and_retries_count_for_ten_seconds() -> None:
    """Calls and retries that are ten seconds old no longer count."""
    budget = new_budget(0.2, 0.1, 10)
    assert (budget.withdraw(100.0), budget.withdraw(100.0), budget.withdraw(108.0)) == (True, True, False)
    assert budget.left(111.5) == pytest.approx(1)
    assert budget.withdraw(111.5)


def test_retune_keeps_the_counts() -> None:
    """Calls and retries from before the change still count."""
    budget = Budget(BudgetSettings(ratio=0.2, floor=0), 100.0)
    for _ in range(10):
        budget.deposits.add_success(100.0)
    assert budget.withdraw(100.0)
    settings = BudgetSettings(ratio=0.5, floor=0.1)
    budget.retune(settings)
    assert (budget.settings, budget.left(100.0)) == (settings, pytest.approx(4))
    budget.retune(BudgetSettings(ratio=0, floor=0.3))
    assert budget.left(100.0) == pytest.approx(2)


def test_what_other_processes_leave_limits_the_retries() -> None:
    """Until the next word of theirs; the own share and floor count as well."""
    budget = Budget(BudgetSettings(ratio=0.0, floor=0.5), 0.0)
    budget.allow(2, 0)
    assert [budget.withdraw(0.0) for _ in range(3)] == [True, True, False]
    budget.allow(2, 1)  # one was made meanwhile
    assert [budget.withdraw(0.0) for _ in range(2)] == [True, False]
    budget.go_alone()
    assert [budget.withdraw(0.0) for _ in range(3)] == [True, True, False]
    assert budget.limit_of(100) == 5.0
