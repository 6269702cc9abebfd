"""Tests of the substitute that a caller gets for an error, and of the errors that have one."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import Category, CircuitOpenError, Failure
from resilience._core.policy.sections import FallbackSettings
from resilience._core.stages.cache import MISSING
from resilience._core.stages.call_key import KeyedFunction
from resilience._core.stages.fallback import Substitute, applies_to, find_substitute, stale_answers

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


def asked(*args: Any, **kwargs: Any) -> Any:
    """Return the key of a call."""
    return KeyedFunction(ask).key(args, kwargs)


def ask(*args: Any, **kwargs: Any) -> None:
    """Ask something."""


def test_the_freshest_answer_is_taken() -> None:
    """The last good answer comes first, then the function, then the value; None is a value if it is set."""
    good = stale_answers(10)
    good.keep(asked(1), "kept", 100.0)
    rules = FallbackSettings(stale_for=10, call=len, value=None)
    assert find_substitute(rules, good, asked(1), 109.9) == Substitute("kept")
    assert find_substitute(rules, good, asked(1), 110.0) == Substitute(from_function=True)
    assert find_substitute(rules, good, asked(2), 100.0) == Substitute(from_function=True)
    assert find_substitute(rules, good, None, 100.0) == Substitute(from_function=True)
    assert find_substitute(FallbackSettings(value=None), None, None, 0.0) == Substitute(None)
    assert find_substitute(FallbackSettings(stale_for=1), None, None, 0.0) is None
    assert Substitute() == (None, False)


class Model:
    """An answer that is no plain data, and can be copied."""

    def __init__(self) -> None:
        self.levels = [1, 2]


def test_an_answer_is_handed_out_as_a_copy() -> None:
    """Plain data and objects alike; an HTTP response is handed out itself, because its body can be read once."""
    good, responses, model = stale_answers(10), stale_answers(10, are_responses=True), Model()
    good.keep(asked("model"), model, 0.0)
    responses.keep(asked("model"), model, 0.0)
    model.levels.clear()
    first = good.find(asked("model"), 1.0)
    first.levels.append(3)
    assert good.find(asked("model"), 1.0).levels == [1, 2]
    assert responses.find(asked("model"), 1.0) is model


def test_an_answer_that_cannot_be_copied_is_not_kept() -> None:
    """No error is raised: the caller has the answer."""
    good = stale_answers(10)
    good.keep(asked(1), (item for item in ()), 0.0)
    assert len(good) == 0


def test_answers_are_bounded_by_number_and_time() -> None:
    """Beyond a thousand answers the oldest is dropped; those that are too old go with the next ones."""
    good = stale_answers(10)
    for number in range(1026):
        good.keep(asked(number), number, 0.0)
    assert [good.find(asked(number), 0.0) for number in (0, 1, 2)] == [MISSING, MISSING, 2]
    assert len(good) == 1024
    for number in range(1024):
        good.keep(asked("later", number), number, 20.0)
    assert len(good) == 1024
    assert good.find(asked(5), 20.0) is MISSING
