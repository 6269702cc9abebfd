"""The HTTP status outranks the exchange's exact class: "outcome unknown" under 400 becomes "did not happen"."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from resilience import Classifier, CodeRegistry

ROWS = [
    (ccxt.RequestTimeout, 400, "retryable", "maybe"),
    (ccxt.OperationFailed, 400, "retryable", "maybe"),
    (ccxt.ExchangeNotAvailable, 400, "retryable", "maybe"),
    (ccxt.InvalidNonce, 400, "retryable", "no"),
    (ccxt.InvalidNonce, 401, "retryable", "no"),
    (ccxt.InsufficientFunds, 400, "user_fixable", "no"),
    (ccxt.InvalidOrder, 400, "user_fixable", "no"),
    (ccxt.RateLimitExceeded, 403, "retryable", "no"),
    (ccxt.DuplicateOrderId, 400, "user_fixable", "maybe"),
    # a class that says less than the status
    (ccxt.ExchangeError, 409, "user_fixable", "maybe"),
    (ccxt.ExchangeError, 404, "fatal", "no"),
    (ccxt.ExchangeError, 500, "retryable", "maybe"),
    # classes that ccxt makes from the status alone
    (ccxt.DDoSProtection, 418, "retryable", "no"),
    (ccxt.RateLimitExceeded, 429, "retryable", "no"),
    (ccxt.AuthenticationError, 511, "user_fixable", "maybe"),
]


def classifier() -> Classifier:
    """Return a classifier of the tables that the policy `ccxt` lists."""
    base = CodeRegistry.builtin("http")
    return Classifier([CodeRegistry.builtin("ccxt"), base], base=base)


@pytest.mark.parametrize(("kind", "status", "category", "executed"), ROWS)
def test_ours(kind: type[Exception], status: int, category: str, executed: str) -> None:
    """An exact class decides; a vague one, and one made from the status, leave it to the status."""
    error: Any = kind("okx refused")
    error.http_status = status
    failure = classifier().classify(error)
    assert (failure.category, failure.executed) == (category, executed)
    assert failure.proof != "proven"


@pytest.mark.parametrize(("status", "executed"), [(404, "no"), (403, "no"), (503, "maybe"), (409, "maybe")])
def test_a_class_that_ccxt_made_from_the_status_is_that_status(status: int, executed: str) -> None:
    """Ccxt raises ExchangeNotAvailable for these statuses, and writes them into its text."""
    error = ccxt.ExchangeNotAvailable(f"okx GET https://example.com/orders {status} Some Reason <html>")
    assert classifier().classify(error).executed == executed
    marked: Any = ccxt.ExchangeNotAvailable("okx")
    marked.http_status, marked.resilience_from_status = status, True
    assert classifier().classify(marked).executed == executed
