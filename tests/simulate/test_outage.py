"""The built-in policy in a small outage and in brownouts keeps the values that it was chosen for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from resilience import Policies, Policy
from resilience.simulate import Client, Incident, Outcome, Scenario, policy_client, simulate

pytestmark = pytest.mark.slow

BEGIN, END = 12.0, 42.0


def outage(client: Client, *, clients: int = 10, seed: int = 1, **changes: Any) -> Outcome:
    """Run an outage of 30 seconds."""
    settings = {"clients": clients, "capacity": 15.0 * clients, "lasts": END + 12, **changes}
    return simulate(Scenario(incidents=(Incident(start=BEGIN, end=END),), **settings), client, seed=seed)


def brownout(client: Client, share: float, *, clients: int = 10) -> Outcome:
    """Run a brownout from second 10 on."""
    incident = Incident(start=10, end=50, share=share, kind="error")
    return simulate(Scenario(clients=clients, capacity=15.0 * clients, incidents=(incident,), lasts=40), client)


@pytest.fixture(scope="module")
def built_in() -> Client:
    """Clients under the policy that is used by default."""
    return policy_client(Policies.builtin().pipeline("default").policy)


def test_an_outage(built_in: Client) -> None:
    """Few attempts reach a dead service, calls fail quickly, and requests recover soon after the service does."""
    seen = outage(built_in)
    recovery = seen.recovery(END)
    assert seen.attempts_per_request(BEGIN, END) < 0.6  # half of it in an outage half as long as the benchmark's
    assert seen.seconds_to_fail(BEGIN, END) < 0.6
    assert recovery is not None
    assert recovery <= 2.5
    assert seen.success(5, BEGIN - 1) == 1.0


def test_brownouts(built_in: Client) -> None:
    """Retries help while a service fails half of the requests, or a quarter; the policy does not stop calling it."""
    assert brownout(built_in, 0.5).success(20, 38) >= 0.58
    assert brownout(built_in, 0.25).success(20, 38) >= 0.85


def test_retries_alone_make_an_overload_that_stays() -> None:
    """A service that queues never recovers from retries without a budget, and the run shows it."""
    alone = policy_client(Policy(deadline="30s", retry={"max_attempts": 3}))
    seen = outage(alone, overload="queue", clients=6)
    assert seen.attempts_per_request(BEGIN, END) > 2.5
    assert seen.recovery(END) is None


def test_the_same_seed_gives_the_same_run(built_in: Client) -> None:
    """All randomness comes from the seed, including the jitter of retries."""

    def trace(seed: int) -> list[Any]:
        seen = outage(built_in, clients=4, seed=seed)
        return [(one.begun, one.ended, one.answered) for one in seen.requests] + seen.attempts

    assert trace(1) == trace(1)
    assert trace(1) != trace(2)


def test_a_run_ends_early_when_all_is_well() -> None:
    """With `settled` the run ends soon after the recovery."""
    seen = outage(_plain, clients=4, lasts=500.0, settled=3.0)
    assert END < seen.requests[-1].begun < END + 15


def _plain(send: Callable[[], Any], _clock: Any, _random: Any) -> Callable[[], Any]:
    return send
