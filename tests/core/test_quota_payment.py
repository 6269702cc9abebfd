"""Tests of what a cancel pays where several processes share a quota: it leaves itself time to be sent."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from resilience import Policy
from resilience._core.call.quota_payment import Payment
from resilience._core.stages.quota import Quota, Quotas
from tests.core.leases import Bench


class Plan:
    """What a payment needs of the plan of a cancel."""

    is_cancel = True

    def __init__(self, bench: Bench) -> None:
        settings: Any = Policy(name="p", quota=[{"rate": 1, "burst": 1}]).quota[0]
        self.quotas = Quotas([(Quota(settings, new_window=lambda *_: bench.window), 1)])

    def fits_deadline(self, instant: float, deadline: float) -> bool:
        """Return whether an attempt may begin at this instant."""
        return instant < deadline


@pytest.mark.parametrize(("deadline", "wait", "ready_at"), [(1.0, 0.4, 0.4), (1.0, 0.9, None), (inf, 0.9, 0.9)])
def test_a_cancel_waits_for_a_lease_for_half_of_its_time(deadline: float, wait: float, ready_at: float | None) -> None:
    """Later it would have no time left, or come too late by a hair, because of the store. So it is sent on credit."""
    bench = Bench(limit=1)
    bench.window.ready_at(0.0)
    bench.grant(0.0, 1, wait=wait)
    plan: Any = Plan(bench)
    payment = Payment(plan, (1,), high_priority=False)
    assert payment.pay(0.0, deadline) == ready_at
    assert bench.window.question().overdrawn == (ready_at is None)
