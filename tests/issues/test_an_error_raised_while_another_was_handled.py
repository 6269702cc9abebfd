"""An error raised inside `except KeyError` is judged by itself, not by the error that was being handled."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from resilience import ApiError, Policies, failure_of


def raised(error: Exception, while_handling: Exception, *, cause: bool = False) -> Exception:
    """Return an error that was raised while another was handled, or that has it as its cause."""
    try:
        try:
            raise while_handling
        except Exception as handled:
            if cause:
                raise error from handled
            raise error  # noqa: B904  # the context alone is meant
    except Exception as caught:
        return caught


@pytest.mark.parametrize("cause", [False, True])
@pytest.mark.parametrize("bug", [KeyError("BTCUSDT"), AttributeError("no"), TypeError("no")])
def test_a_missed_cache_is_no_bug_of_the_fetch(bug: Exception, cause: bool) -> None:
    """A broken connection is retried, and an HTTP status decides, although a KeyError was being handled."""
    failure = failure_of(raised(requests.ConnectionError("broken"), bug, cause=cause))
    assert (failure.category, failure.code, failure.executed) == ("retryable", "connection_error", "maybe")
    assert failure_of(raised(RuntimeError("odd"), bug, cause=cause)).code != "program_error"


FUNDS = ApiError("43012", "no funds", {"code": "43012", "msg": "no funds"})


@pytest.mark.parametrize("error", [TimeoutError("slow"), requests.ReadTimeout("slow"), ConnectionResetError("reset")])
def test_an_order_placed_instead_of_a_rejected_one_stays_uncertain(error: Exception) -> None:
    """The rejection that is being handled belongs to another order, so this order may have been executed."""
    failure = Policies.builtin().pipeline("bitget").classifier.classify(raised(error, FUNDS))
    assert (failure.category, failure.executed) == ("retryable", "maybe")


def test_through_a_pipeline(driver: Any) -> None:
    """A smaller order is placed while the rejection of a bigger one is handled; its lost answer makes it uncertain."""
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
    """An error with no other explanation is explained by the error being handled, but never as not executed."""
    failure = Policies.builtin().pipeline("bitget").classifier.classify(raised(RuntimeError("failed"), FUNDS))
    assert (failure.category, failure.code, failure.executed) == ("user_fixable", "43012", "maybe")


def test_a_bug_is_fatal_whatever_was_handled() -> None:
    """A bug of the program is fatal, also if it was raised while a connection error was handled."""
    failure = failure_of(raised(KeyError("x"), ConnectionResetError("reset")))
    assert (failure.category, failure.code) == ("fatal", "program_error")
