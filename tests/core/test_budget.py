"""A retry budget: a share of the calls, with a floor."""

from __future__ import annotations

import pytest

from resilience._core.policy.sections import BudgetSettings
from resilience._core.stages.budget import Budget


def budget(ratio: float, floor: float, calls: int = 0) -> Budget:
    """Return a budget after this many calls at second 100."""
    made = Budget(BudgetSettings(ratio=ratio, floor=floor), 100.0)
    for _ in range(calls):
        made.deposits.add_success(100.0)
    return made


@pytest.mark.parametrize(
    ("ratio", "floor", "calls", "allowed"),
    [(0.2, 0, 10, 2), (0.2, 0.5, 10, 5), (0.2, 0.1, 10, 2), (0, 0, 10, 0), (0, 0.1, 0, 1)],
)
def test_retries_are_a_share_of_the_calls_or_the_floor(ratio: float, floor: float, calls: int, allowed: int) -> None:
    """Whichever is more, over ten seconds; `left` says how many there are still."""
    one = budget(ratio, floor, calls)
    assert one.left(100.0) == pytest.approx(allowed)
    assert [one.withdraw(100.0) for _ in range(allowed + 1)] == [True] * allowed + [False]
    assert one.left(100.0) == pytest.approx(0)


def test_what_is_ten_seconds_old_counts_no_more() -> None:
    """Neither calls nor retries."""
    one = budget(0.2, 0.1, 10)
    assert (one.withdraw(100.0), one.withdraw(100.0), one.withdraw(108.0)) == (True, True, False)
    assert one.left(111.5) == pytest.approx(1)
    assert one.withdraw(111.5)
