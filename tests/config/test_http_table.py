"""The shipped table of HTTP statuses says row by row what counts as proof."""

from __future__ import annotations

import pytest

from resilience import CodeRegistry, Rule

HTTP = CodeRegistry.builtin("http")
NO_PROOF = {408, 409, 444, 460, 499}
SENT_AGAIN = {418, 421, 425, 429}
NEVER_LEFT = {
    "connect_timeout", "connection_refused", "dns", "pool_timeout", "proxy_error", "tls", "connect_error",
    "invalid_url", "client_closed", "client_protocol_error",
}  # fmt: skip
STATUSES = [rule for rule in HTTP if rule.code.isdecimal()]


@pytest.mark.parametrize("rule", STATUSES, ids=lambda rule: rule.code)
def test_a_status(rule: Rule) -> None:
    """Every 5xx and five statuses below are no proof; four of the others pass by themselves."""
    status = int(rule.code)
    assert rule.executed == ("maybe" if status >= 500 or status in NO_PROOF else "no")
    if status < 500 and status not in NO_PROOF:
        assert (rule.category == "retryable") is (status in SENT_AGAIN)


def test_every_status_of_the_rule_has_a_row() -> None:
    """None of them falls back on its class of statuses."""
    assert {int(rule.code) for rule in STATUSES} >= NO_PROOF | SENT_AGAIN | {500, 502, 503, 504, 511}


def test_errors_before_the_request_left_are_the_only_other_proof() -> None:
    """Every other error of a transport is uncertain."""
    rows = [rule for rule in HTTP if not rule.code.isdecimal()]
    assert {rule.code for rule in rows if rule.executed == "no"} == NEVER_LEFT
