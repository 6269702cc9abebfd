"""Tests of breakers that a fleet merges: they open together, and one process makes the trial."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from resilience import CircuitOpenError, Policies
from tests.fleet.waiting import wait_for

BREAKER = "{failure_rate: 50%, min_calls: 12, window: 60s, consecutive: null, open_for: 60s, open_max: 300s}"
SOON = "{failure_rate: 50%, min_calls: 12, window: 60s, consecutive: null, open_for: 50ms, open_max: 300s, growth: 100}"


@pytest.fixture
def bot_file(policy_file: Path) -> Path:
    """Return a policy file that shares everything."""
    text = policy_file.read_text().replace("namespace: test", f"namespace: {uuid4().hex}")
    policy_file.write_text(f"{text}policies: {{p: {{retry: off, attempt_timeout: 2s, breaker: {BREAKER}}}}}\n")
    return policy_file


def change(file: Path, old: str, new: str) -> None:
    """Change a policy file."""
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def down() -> None:
    """Fail as a service that is down does."""
    raise ConnectionRefusedError


def fail(policies: Policies, times: int) -> None:
    """Fail so many times, whatever the breaker does."""
    for _ in range(times):
        with pytest.raises((ConnectionRefusedError, CircuitOpenError)):
            policies.pipeline("p").call(down)


def succeed(policies: Policies, times: int) -> None:
    """Succeed so many times."""
    for _ in range(times):
        assert policies.pipeline("p").call(len, "abc") == 3


def breaker_of(policies: Policies) -> Any:
    """Return the breaker."""
    return policies.pipeline("p").breaker


def states(fleet: list[Policies]) -> set[str]:
    """Return the states of the breakers of a fleet."""
    return {breaker_of(policies).state for policies in fleet}


def merged(policies: Policies) -> dict[str, Any]:
    """Return what a snapshot says of the breaker."""
    rows: list[dict[str, Any]] = policies.snapshot()["shared"]["breaker"]
    return rows[0] if rows else {}


def new_fleet(file: Path, count: int = 3) -> list[Policies]:
    """Return sets of policies whose breakers are merged."""
    fleet = [Policies.load(file, log=False) for _ in range(count)]
    for policies in fleet:
        assert breaker_of(policies).state == "closed"
        wait_for(lambda policies=policies: merged(policies))
    return fleet


def open_all(file: Path, count: int = 3) -> list[Policies]:
    """Return a fleet whose breakers are open."""
    fleet = new_fleet(file, count)
    for policies in fleet:
        fail(policies, 12 // count + 1)
    wait_for(lambda: all(merged(policies)["state"] == "open" for policies in fleet))
    return fleet


def until_trial(fleet: list[Policies], function: Callable[[], Any]) -> int:
    """Call in turn until one process makes the trial; returns which."""
    made: list[int] = []

    def trial(index: int) -> Any:
        made.append(index)
        return function()

    def one_round() -> list[int]:
        for index, policies in enumerate(fleet):
            try:
                policies.pipeline("p").call(trial, index)
            except (CircuitOpenError, ConnectionRefusedError):
                pass
            if made:
                break
        return made

    wait_for(one_round)
    return made[0]


def test_a_breaker_of_its_own_never_fills_its_window(bot_file: Path) -> None:
    """The naive way: each process has five failures of the twelve that it needs, and goes on."""
    change(bot_file, "patience", "share: [holds], patience")
    fleet = [Policies.load(bot_file, log=False) for _ in range(3)]
    for policies in fleet:
        fail(policies, 5)
    assert states(fleet) == {"closed"}


def test_breakers_open_on_what_all_have_counted(bot_file: Path) -> None:
    """All of them, and each says so. A process that starts later is open too."""
    fleet = new_fleet(bot_file)
    for policies in fleet:
        fail(policies, 5)
    wait_for(lambda: states(fleet) == {"open"})
    for policies in fleet:
        with pytest.raises(CircuitOpenError):
            policies.pipeline("p").call(len, "abc")
    assert {breaker_of(policies).opened_by for policies in fleet} == {"the processes of the fleet together"}
    members = {policies.snapshot()["shared"]["member"] for policies in fleet}
    assert merged(fleet[0])["opened_by"] in members
    assert merged(fleet[0])["state"] == "open"
    later = Policies.load(bot_file, log=False)
    assert breaker_of(later) is not None
    wait_for(lambda: breaker_of(later).state == "open")


def test_successes_of_others_count_too(bot_file: Path) -> None:
    """One process of three with a broken network opens its own breaker alone."""
    fleet = new_fleet(bot_file)
    succeed(fleet[1], 20)
    succeed(fleet[2], 20)
    fail(fleet[0], 14)
    wait_for(lambda: breaker_of(fleet[0]).state == "open")
    assert breaker_of(fleet[0]).opened_by == "failures, at last ConnectionRefusedError"
    fail(fleet[1], 1)
    fail(fleet[2], 1)
    assert states(fleet[1:]) == {"closed"}
    assert merged(fleet[1])["state"] == "closed"


def test_failures_in_a_row_are_counted_through_all(bot_file: Path) -> None:
    """A success in any process begins them anew."""
    change(bot_file, "consecutive: null", "consecutive: 9")
    change(bot_file, "min_calls: 12", "min_calls: 1000")
    fleet = new_fleet(bot_file)
    for policies in fleet:
        fail(policies, 4)
    wait_for(lambda: states(fleet) == {"open"})


@pytest.mark.slow
def test_one_process_makes_the_trial_and_all_follow(bot_file: Path) -> None:
    """A failed one opens all for longer, once; a good one closes all."""
    change(bot_file, BREAKER, SOON)
    fleet = open_all(bot_file)
    assert until_trial(fleet, down) in (0, 1, 2)
    wait_for(lambda: all(breaker_of(policies).describe()["opens_for"] == 5.0 for policies in fleet))
    assert states(fleet) == {"open"}
    assert until_trial(fleet, int) in (0, 1, 2)
    wait_for(lambda: states(fleet) == {"closed"})
    for policies in fleet:
        assert breaker_of(policies).counts == {"succeeded": 0, "failed": 0, "slow": 0}


def test_nobody_tries_while_another_process_does(bot_file: Path) -> None:
    """The naive way gives each process a trial."""
    change(bot_file, BREAKER, SOON)
    change(bot_file, "attempt_timeout: 2s", "deadline: 90s, attempt_timeout: 60s")  # the lease lasts twice as long
    fleet = open_all(bot_file)
    running, over = threading.Event(), threading.Event()

    def slow() -> None:
        running.set()
        over.wait(60)

    first = threading.Thread(target=until_trial, args=(fleet[:1], slow))
    first.start()
    assert running.wait(60)
    for _ in range(20):
        for policies in fleet[1:]:
            with pytest.raises(CircuitOpenError):
                policies.pipeline("p").call(len, "abc")
    assert merged(fleet[0])["has_trial"] is True
    over.set()
    first.join()
    wait_for(lambda: states(fleet) == {"closed"})


def test_a_trial_that_nobody_ends_blocks_nobody(bot_file: Path) -> None:
    """Its lease ends by the store's clock: a killed process cannot give it back."""
    change(bot_file, BREAKER, SOON)
    change(bot_file, "attempt_timeout: 2s", "attempt_timeout: 200ms")
    fleet = open_all(bot_file)
    stuck = threading.Event()
    thread = threading.Thread(target=until_trial, args=(fleet[:1], lambda: stuck.wait(60)), daemon=True)
    thread.start()
    wait_for(lambda: merged(fleet[0])["has_trial"])
    assert until_trial(fleet[1:], int) in (0, 1)
    wait_for(lambda: states(fleet[1:]) == {"closed"})
    stuck.set()
    thread.join()


def test_a_trial_that_says_nothing_is_given_back(bot_file: Path) -> None:
    """A refusal of the caller's own request is neutral: the next one is a trial as well."""
    change(bot_file, BREAKER, SOON)
    fleet = open_all(bot_file)

    def wrong() -> None:
        raise KeyError("mine")

    policies = fleet[0]
    with pytest.raises((KeyError, CircuitOpenError)):
        policies.pipeline("p").call(wrong)
    assert until_trial(fleet[1:], int) in (0, 1)
    wait_for(lambda: states(fleet) == {"closed"})


def test_without_the_store_each_decides_alone(bot_file: Path, own_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last shared state lasts until its end, then each process makes its own trial."""
    monkeypatch.setenv("RESILIENCE_SHARED_URL", f"redis://127.0.0.1:{own_server.port}")
    change(bot_file, BREAKER, SOON)
    fleet = open_all(bot_file)
    own_server.terminate()
    wait_for(lambda: not any(policies.snapshot()["shared"]["connected"] for policies in fleet))
    for policies in fleet:
        until_trial([policies], int)
    assert states(fleet) == {"closed"}


def test_a_flushed_store_has_closed_breakers(bot_file: Path, client: Any) -> None:
    """With a generation that is not older than any that a process has seen: old decisions do not come back."""
    fleet = open_all(bot_file)
    client.flushall()
    later = Policies.load(bot_file, log=False)
    assert breaker_of(later).state == "closed"
    assert states(fleet) == {"open"}  # until their end
    breaker_of(fleet[0]).close()
    wait_for(lambda: merged(fleet[0])["state"] == "closed")
    [key] = client.keys("*breaker:*")
    assert int(client.hget(key, "generation")) >= 1


def test_shadow_breakers_are_not_merged(bot_file: Path) -> None:
    """They measure what they would do alone."""
    change(bot_file, "open_for: 60s", "mode: shadow, open_for: 60s")
    fleet = new_fleet(bot_file)
    for policies in fleet:
        fail(policies, 5)
    assert states(fleet) == {"closed"}
    assert merged(fleet[0])["state"] == "closed"


def test_windows_of_calls_are_merged(bot_file: Path) -> None:
    """Each process adds the last calls of its own window."""
    change(bot_file, "window: 60s", "window: 20 calls")
    fleet = new_fleet(bot_file)
    for policies in fleet:
        fail(policies, 5)
    wait_for(lambda: states(fleet) == {"open"})


def test_nothing_is_sent_while_all_is_well(bot_file: Path, client: Any) -> None:
    """Successes alone are no news to the store."""
    fleet = new_fleet(bot_file)
    [key] = client.keys("*breaker:*")
    before = client.hgetall(key)
    for policies in fleet:
        succeed(policies, 50)
    assert client.hgetall(key) == before


def test_a_reload_ends_the_sharing(bot_file: Path) -> None:
    """Each breaker decides alone from then on."""
    change(bot_file, BREAKER, SOON)
    fleet = open_all(bot_file)
    text = bot_file.read_text().splitlines()
    bot_file.write_text("\n".join(line for line in text if not line.startswith("shared")))
    for policies in fleet:
        policies.reload()
        assert policies.snapshot()["shared"] is None
        until_trial([policies], int)
    assert states(fleet) == {"closed"}
