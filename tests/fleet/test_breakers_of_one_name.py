"""Tests of two policies of one name, made in Python with different settings: each has a breaker, and one is merged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from resilience import CircuitOpenError, Pipeline, Policies, Policy
from tests.fleet.waiting import wait_for


def pipeline_of(policies: Policies, consecutive: int) -> Pipeline:
    """Return a pipeline of the policy `p`, whose breaker opens after so many failures."""
    breaker: Any = {"consecutive": consecutive, "failure_rate": None, "open_for": 0.2}
    return policies.pipeline(Policy(name="p", retry=None, breaker=breaker))


def rows(policies: Policies) -> list[dict[str, Any]]:
    """Return what a snapshot says of the merged breakers."""
    merged: list[dict[str, Any]] = policies.snapshot()["shared"]["breaker"]
    return merged


def fail(pipeline: Pipeline, times: int) -> None:
    """Fail so many times."""

    def down() -> None:
        raise ConnectionRefusedError

    for _ in range(times):
        with pytest.raises(ConnectionRefusedError):
            pipeline.call(down)


def succeeds(pipeline: Pipeline) -> bool:
    """Call once; return whether the breaker let the call through."""
    try:
        return pipeline.call(len, "abc") == 3
    except CircuitOpenError:
        return False


def test_the_displaced_one_closes_again(policy_file: Path) -> None:
    """It was open in the whole fleet when another took its place there: from then on it makes its trials alone."""
    policies = Policies.load(policy_file, log=False)
    first = pipeline_of(policies, 3)
    assert first.breaker is not None
    wait_for(lambda: rows(policies))
    fail(first, 3)
    wait_for(lambda: rows(policies)[0]["state"] == "open")
    second = pipeline_of(policies, 4)
    assert second.breaker is not first.breaker
    wait_for(lambda: succeeds(second))
    wait_for(lambda: succeeds(first))
    assert first.breaker.state == "closed"


def test_the_one_that_new_calls_get_is_merged(policy_file: Path) -> None:
    """Where both exist before the fleet does."""
    shared = policy_file.read_text()
    policy_file.write_text("version: 1\n")
    policies = Policies.load(policy_file, log=False)
    first, second = pipeline_of(policies, 3), pipeline_of(policies, 4)
    assert first.breaker is not second.breaker
    policy_file.write_text(shared)
    policies.reload()
    wait_for(lambda: rows(policies))
    fail(second, 4)
    wait_for(lambda: rows(policies)[0]["state"] == "open")
    assert first.breaker is not None
    assert first.breaker.state == "closed"
