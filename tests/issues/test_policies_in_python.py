"""A `Policy` made in Python checks everything that a policy file's loader checks."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import Pipeline, Policies, Policy, PolicyError


def test_codes_may_be_a_list() -> None:
    """`codes` may be a list: it used to become an unhashable key at the first failure."""
    policy = Policy(codes=["bitget", "http"], quota=[{"rate": "10/s"}])  # type: ignore[arg-type]
    assert policy.codes == ("bitget", "http")
    assert policy.quota[0].rate == 10.0
    with pytest.raises(ZeroDivisionError):
        Pipeline(policy).call(lambda: 1 / 0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"codes": "bitget"}, "codes: expected a list, got a str"),
        ({"codes": [1]}, r"codes\[0\]: expected a string, got a int"),
        ({"name": 5}, "name: expected a string, got a int"),
        ({"quota": [{"rate": "x"}]}, r"quota\[0\]\.rate: expected a rate"),
        ({"breaker": {"when_open": "yes"}}, r"breaker\.when_open: 'yes' is not one of reject, wait_retries, wait"),
        ({"fallback": {}}, "^default: fallback: expected stale_for, call or value$"),
        ({"breaker": {"key": "hots"}}, r"breaker\.key: 'hots' is not one of host, operation, account"),
    ],
)
def test_wrong_values_raise_when_the_policy_is_made(settings: dict[str, Any], message: str) -> None:
    """The error names the path of a wrong value and what is allowed."""
    with pytest.raises(PolicyError, match=message):
        Policy(**settings)


def test_an_unknown_registry() -> None:
    """An unknown registry raises when the pipeline is made, not at the first failure."""
    policy = Policy(name="mine", codes=("http", "nope"))
    with pytest.raises(PolicyError, match=r"mine: codes\[1\]: no code registry 'nope'; available: binance"):
        Pipeline(policy)
    with pytest.raises(PolicyError, match="nope"):
        Policies.builtin().pipeline(policy)
