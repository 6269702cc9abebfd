"""Tests of what a caller gets in place of an error, and for which errors."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import Category, CircuitOpenError, Failure
from resilience._core.policy.sections import FallbackSettings
from resilience._core.stages.fallback import StaleAnswers, Substitute, applies_to, find_substitute

RETRYABLE = Failure(Category.RETRYABLE, executed="no")
DOUBTFUL = Failure(Category.RETRYABLE, executed="maybe")
FATAL = Failure(Category.FATAL, executed="no")


@pytest.mark.parametrize(
    ("failure", "harmless", "covered"),
    [
        (RETRYABLE, False, True),
        (DOUBTFUL, False, False),
        (DOUBTFUL, True, True),
        (FATAL, True, False),
        (None, True, False),
        (None, False, False),
    ],
)
def test_what_may_have_happened_is_not_covered_up(failure: Failure | None, harmless: bool, covered: bool) -> None:
    """Unless sending it twice is harmless; and only categories that the rules name are covered at all."""
    assert applies_to(FallbackSettings(value=1), OSError(), failure, harmless=harmless) is covered


@pytest.mark.parametrize(("on", "covered"), [(("rejected",), True), (("retryable",), False)])
def test_a_rejection_goes_by_its_own_word(on: Any, covered: bool) -> None:
    """Nothing was sent: what its failure says does not matter."""
    assert applies_to(FallbackSettings(value=1, on=on), CircuitOpenError("open"), DOUBTFUL, harmless=False) is covered


def test_the_freshest_answer_is_taken() -> None:
    """The last good answer, then the function, then the value; None is a value where it is given."""
    good = StaleAnswers(10)
    good.keep((1,), {}, "kept", 100.0)
    rules = FallbackSettings(stale_for=10, call=len, value=None)
    assert find_substitute(rules, good, (1,), {}, 110.0) == Substitute("kept")
    assert find_substitute(rules, good, (1,), {}, 110.1) == Substitute(from_function=True)
    assert find_substitute(rules, good, (2,), {}, 100.0) == Substitute(from_function=True)
    assert find_substitute(FallbackSettings(value=None), None, (), {}, 0.0) == Substitute(None)
    assert find_substitute(FallbackSettings(stale_for=1), None, (), {}, 0.0) is None
    assert Substitute() == (None, False)


def test_answers_are_kept_for_the_same_arguments() -> None:
    """Keywords in any order; a later answer replaces an earlier one."""
    good = StaleAnswers(10)
    good.keep((1,), {"a": 1, "b": 2}, "old", 0.0)
    assert good.find((1,), {"b": 2, "a": 1}, 1.0) == Substitute("old")
    assert good.find((1,), {"b": 2, "a": 3}, 1.0) is None
    good.keep((1,), {"a": 1, "b": 2}, "new", 9.0)
    assert good.find((1,), {"b": 2, "a": 1}, 19.0) == Substitute("new")


def test_arguments_that_cannot_be_compared_are_left_alone() -> None:
    """Neither kept nor found, and no error of the library's own."""
    good = StaleAnswers(10)
    good.keep(([1],), {}, "x", 0.0)
    good.keep((), {"a": {}}, "x", 0.0)
    assert (good.find(([1],), {}, 0.0), good.find((), {"a": {}}, 0.0), len(good._answers)) == (None, None, 0)


def test_answers_are_bounded() -> None:
    """The oldest of more than a thousand goes."""
    good = StaleAnswers(10)
    for number in range(1026):
        good.keep((number,), {}, number, 0.0)
    assert [good.find((number,), {}, 0.0) for number in (0, 1, 2)] == [None, None, Substitute(2)]
    assert len(good._answers) == 1024
