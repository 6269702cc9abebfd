"""Tests of the substitute that a caller gets for an error, and of the errors that have one."""

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
def test_an_uncertain_write_has_no_substitute(failure: Failure | None, harmless: bool, covered: bool) -> None:
    """Only errors of the named categories have a substitute, and uncertain ones only if the call is idempotent."""
    assert applies_to(FallbackSettings(value=1), OSError(), failure, harmless=harmless) is covered


@pytest.mark.parametrize(("on", "covered"), [(("rejected",), True), (("retryable",), False)])
def test_a_rejection_has_a_word_of_its_own(on: Any, covered: bool) -> None:
    """A rejection is covered by `rejected` alone, whatever the category of its failure."""
    assert applies_to(FallbackSettings(value=1, on=on), CircuitOpenError("open"), DOUBTFUL, harmless=False) is covered


def test_the_freshest_answer_is_taken() -> None:
    """The last good answer comes first, then the function, then the value; None is a value if it is set."""
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
    """The order of keywords does not matter; a later answer replaces an earlier one."""
    good = StaleAnswers(10)
    good.keep((1,), {"a": 1, "b": 2}, "old", 0.0)
    assert good.find((1,), {"b": 2, "a": 1}, 1.0) == Substitute("old")
    assert good.find((1,), {"b": 2, "a": 3}, 1.0) is None
    good.keep((1,), {"a": 1, "b": 2}, "new", 9.0)
    assert good.find((1,), {"b": 2, "a": 1}, 19.0) == Substitute("new")


def test_unhashable_arguments_have_no_last_answer() -> None:
    """Their answers are not stored, and no error is raised."""
    good = StaleAnswers(10)
    good.keep(([1],), {}, "x", 0.0)
    good.keep((), {"a": {}}, "x", 0.0)
    assert (good.find(([1],), {}, 0.0), good.find((), {"a": {}}, 0.0), len(good._answers)) == (None, None, 0)


def test_answers_are_bounded() -> None:
    """Beyond a thousand answers the oldest is dropped."""
    good = StaleAnswers(10)
    for number in range(1026):
        good.keep((number,), {}, number, 0.0)
    assert [good.find((number,), {}, 0.0) for number in (0, 1, 2)] == [None, None, Substitute(2)]
    assert len(good._answers) == 1024
