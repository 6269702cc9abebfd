"""A fetch inside `except KeyError`: what fails is the fetch, whatever was being handled when it did."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from resilience import ApiError, Policies, failure_of


def raised(error: Exception, while_handling: Exception, *, cause: bool = False) -> Exception:
    """Return an error as it is when another was being handled, or was its cause."""
    try:
        try:
            raise while_handling
        except Exception as handled:
            if cause:
                raise error from handled
            raise error  # noqa: B904  # the context alone is meant
    except Exception as told:
        return told


@pytest.mark.parametrize("cause", [False, True])
@pytest.mark.parametrize("bug", [KeyError("BTCUSDT"), AttributeError("no"), TypeError("no")])
def test_a_missed_cache_is_no_bug_of_the_fetch(bug: Exception, cause: bool) -> None:
    """A connection that broke is tried again, and a status that is told counts."""
    failure = failure_of(raised(requests.ConnectionError("broken"), bug, cause=cause))
    assert (failure.category, failure.code, failure.executed) == ("retryable", "connection_error", "maybe")
    assert failure_of(raised(RuntimeError("odd"), bug, cause=cause)).code != "program_error"


FUNDS = ApiError("43012", "no funds", {"code": "43012", "msg": "no funds"})


@pytest.mark.parametrize("error", [TimeoutError("slow"), requests.ReadTimeout("slow"), ConnectionResetError("reset")])
def test_an_order_tried_in_the_place_of_a_refused_one_stays_in_doubt(error: Exception) -> None:
    """The refusal that is being handled is another order's: it cannot say that nothing happened to this one."""
    told = Policies.builtin().pipeline("bitget").classifier.classify(raised(error, FUNDS))
    assert (told.category, told.executed) == ("retryable", "maybe")


def test_through_a_pipeline(driver: Any) -> None:
    """The smaller order is placed while the refusal of the bigger one is handled; its answer is lost."""
    policies = Policies.from_mapping({"policies": {"p": {"extends": "bitget", "retry": {"max_attempts": 1}}}})
    place = policies.resilient("p")(driver.transport([TimeoutError("slow")]))

    def bot() -> None:
        try:
            raise FUNDS
        except ApiError:
            driver.call(place)

    with pytest.raises(TimeoutError) as caught:
        bot()
    assert failure_of(caught.value).executed == "maybe"


def test_a_client_that_hides_where_its_error_came_from() -> None:
    """What nothing else explains is explained by what was being handled, but never as not executed."""
    told = Policies.builtin().pipeline("bitget").classifier.classify(raised(RuntimeError("failed"), FUNDS))
    assert (told.category, told.code, told.executed) == ("user_fixable", "43012", "maybe")


def test_a_bug_itself_is_one() -> None:
    """It is fatal, also when it was raised while a connection had broken."""
    failure = failure_of(raised(KeyError("x"), ConnectionResetError("reset")))
    assert (failure.category, failure.code) == ("fatal", "program_error")
