"""A breaker that its pool has forgotten still counts in the metrics."""

from __future__ import annotations

import pytest

from resilience import Policies
from resilience._core.base.bounded_dict import BoundedDict
from resilience.telemetry.prometheus import collector
from resilience.testing import FakeClock


@pytest.mark.slow
def test_breakers_that_are_forgotten_have_counted() -> None:
    """Where there are more keys than breakers are kept, what all of them have counted together never goes back."""
    policies = Policies.from_mapping(
        {"policies": {"p": {"breaker": {"consecutive": 1, "open_for": "1s", "key": "host"}, "retry": "off"}}},
        log=False,
        clock=FakeClock(),
    )
    exported = collector(policies)
    pool, policy = policies.pipeline("p").shared.breakers, policies.policy("p")
    pool._breakers = BoundedDict(4, pool._unused)  # a small pool, as if there were very many hosts
    seen = []
    for host in range(210):
        breaker = pool.get(policy, f"host-{host}", keep_state=True)
        assert breaker is not None
        breaker.open()
        breaker.close()
        del breaker
        family = next(family for family in exported.collect() if family.name == "resilience_breaker_transitions")
        seen.append(sum(sample.value for sample in family.samples if sample.labels["to"] == "open"))
    assert seen == list(range(1, 211))
