"""Tests of retry budgets that a fleet shares: the retries of all together stay within the floor and the share."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from resilience import Policies
from resilience.testing import FakeClock
from tests.fleet.waiting import wait_for

RETRY = "retry: {max_attempts: 2, backoff: {kind: constant, initial: 1ms, jitter: none}}"
POLICY = f"policies: {{p: {{breaker: off, {RETRY}, budget: {{ratio: 0, floor: 1/s}}}}}}\n"
CALLS, PROCESSES = 30, 4
SHARED = f"processes: {PROCESSES}, share: [budget]"


@pytest.fixture
def bot_file(policy_file: Path) -> Path:
    """Return a policy file that shares everything, with a floor of ten retries in ten seconds."""
    text = policy_file.read_text().replace("namespace: test", f"namespace: {uuid4().hex}, {SHARED}")
    policy_file.write_text(text + POLICY)
    return policy_file


def row_of(policies: Policies) -> dict[str, Any]:
    """Return what a snapshot says of the budget."""
    rows: list[dict[str, Any]] = policies.snapshot()["shared"]["budget"]
    return next((row for row in rows if row["policy"] == "p"), {})


def attempts_of(fleet: list[Policies], calls: int) -> int:
    """Fail in turn until each process has made so many calls; returns the attempts of all."""
    attempts: list[int] = []

    def down() -> None:
        attempts.append(1)
        raise ConnectionRefusedError

    for _ in range(calls):
        for policies in fleet:
            with pytest.raises(ConnectionRefusedError):
                policies.pipeline("p").call(down)
    return len(attempts)


def new_fleet(file: Path) -> list[Policies]:
    """Return sets of policies whose budget is shared. Their clocks stand still: no retry gets old."""
    fleet = [Policies.load(file, log=False, clock=FakeClock()) for _ in range(PROCESSES)]
    for policies in fleet:
        policies.pipeline("p").call(int)
        if policies.snapshot()["shared"] is not None:
            wait_for(lambda policies=policies: row_of(policies))
    return fleet


def test_budgets_alone_multiply_the_floor(bot_file: Path) -> None:
    """The naive way: each process makes ten retries."""
    bot_file.write_text("version: 1\n" + POLICY)
    retries = attempts_of(new_fleet(bot_file), CALLS) - CALLS * PROCESSES
    assert retries == 10 * PROCESSES


@pytest.mark.slow
def test_all_processes_together_stay_within_the_floor(bot_file: Path) -> None:
    """To within one retry for each process and beat."""
    fleet = new_fleet(bot_file)
    retries = attempts_of(fleet, CALLS) - CALLS * PROCESSES
    assert 1 <= retries <= 10 + 2 * PROCESSES
    wait_for(lambda: row_of(fleet[0])["retries"] == retries)
    more = attempts_of(fleet, 1) - PROCESSES
    assert more <= PROCESSES


def test_without_the_store_each_has_its_own(bot_file: Path, own_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No call waits, and no retry is refused that the process alone would make."""
    monkeypatch.setenv("RESILIENCE_SHARED_URL", f"redis://127.0.0.1:{own_server.port}")
    fleet = new_fleet(bot_file)
    own_server.terminate()
    wait_for(lambda: not any(policies.snapshot()["shared"]["connected"] for policies in fleet))
    assert attempts_of(fleet, CALLS) - CALLS * PROCESSES == 10 * PROCESSES


def test_a_reload_ends_the_sharing(bot_file: Path) -> None:
    """Each budget is its own from then on."""
    fleet = new_fleet(bot_file)
    bot_file.write_text("version: 1\n" + POLICY)
    for policies in fleet:
        policies.reload()
    assert attempts_of(fleet, CALLS) - CALLS * PROCESSES == 10 * PROCESSES
