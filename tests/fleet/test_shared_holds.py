"""Tests of holds that a fleet shares: what one process is told to wait for, all wait for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests

from resilience import Policies, QuotaExceededError, wrap
from resilience.testing import recorded_events
from tests.fleet.processes import Processes
from tests.fleet.waiting import wait_for
from tests.integrations.server import Server, answer

POLICIES = "policies: {p: {extends: http, retry: off, breaker: off, deadline: 10s}}\n"


pytestmark = pytest.mark.usefixtures("patient_start")


@pytest.fixture
def bot_file(own_file: Path) -> Path:
    """Return a policy file that shares everything."""
    own_file.write_text(own_file.read_text() + POLICIES)
    return own_file


class StatusError(Exception):
    """An answer with this status."""

    def __init__(self, status: int, wait: str) -> None:
        super().__init__()
        self.status_code = status
        self.headers = {"Retry-After": wait}


def refuse(policies: Policies, operation: str = "op", wait: str = "60") -> None:
    """Have the API ask one process to wait."""

    def limited() -> None:
        raise StatusError(429, wait)

    with pytest.raises(StatusError):
        policies.pipeline("p", operation=operation).call(limited)


def held(policies: Policies) -> list[str]:
    """Return the operations that are held."""
    return sorted(row["operation"] for row in policies.snapshot()["holds"])


def new_session() -> requests.Session:
    """Return a session that no proxy of this machine is used for."""
    plain = requests.Session()
    plain.trust_env = False
    return plain


@pytest.mark.slow
def test_a_wait_is_obeyed_by_all_processes(bot_file: Path) -> None:
    """For the operation that it concerns, and for as long as it lasts; each has its event."""
    first, second = Policies.load(bot_file), Policies.load(bot_file)
    with recorded_events(second) as events:
        refuse(first)
        wait_for(lambda: held(second) == ["op"])
        with pytest.raises(QuotaExceededError) as caught:
            second.pipeline("p", operation="op").call(len, "abc")
        wait_for(lambda: [event for event in events if event.name == "hold_started"])
    assert caught.value.reason == "hold"
    assert second.pipeline("p", operation="other").call(len, "abc") == 3
    [event] = [event for event in events if event.name == "hold_started"]
    assert (event.by, event.reason, event.operation, event.policy) == ("fleet", "retry_after", "op", "p")
    assert 55 < event.retry_after <= 60.5
    row = second.snapshot()["shared"]["holds"][0]
    assert (row["operation"], row["reason"]) == ("op", "retry_after")
    assert 0 < row["seconds_left"] <= 60.5


def test_a_process_that_starts_later_obeys(bot_file: Path) -> None:
    """From its first call on."""
    first = Policies.load(bot_file)
    refuse(first)
    wait_for(lambda: first.snapshot()["shared"]["holds"])
    with pytest.raises(QuotaExceededError):
        Policies.load(bot_file).pipeline("p", operation="op").call(len, "abc")


def test_a_ban_concerns_all_clients_of_the_host(bot_file: Path) -> None:
    """Of all processes: one request is sent in all, and the naive way sends one for each client."""
    with Server(answer(418, Retry_After="60")) as server:
        fleet = [Policies.load(bot_file) for _ in range(4)]
        bots = [wrap(new_session(), "p", policies=policies) for policies in fleet]
        assert bots[0].get(server.url).status_code == 418
        wait_for(lambda: all(map(held, fleet)))
        assert all(_is_held(bot, server.url) for bot in bots)
        assert len(server.requests) == 1
        for bot in bots:
            bot.close()
    with Server(answer(418, Retry_After="60")) as server:  # the naive way
        for _ in range(4):
            with new_session() as plain:
                plain.get(server.url)
        assert len(server.requests) == 4


def _is_held(bot: requests.Session, url: str) -> bool:
    try:
        bot.get(url)
    except requests.RequestException as error:
        return getattr(error, "reason", "") == "hold"
    return False


def test_a_release_is_obeyed_by_all_processes(bot_file: Path) -> None:
    """By policy and altogether."""
    first, second = Policies.load(bot_file), Policies.load(bot_file)
    refuse(first)
    refuse(second, "other")
    wait_for(lambda: held(first) == held(second) == ["op", "other"])
    with recorded_events(first) as events:
        assert second.release("p") == 2
        wait_for(lambda: held(first) == [])
    assert [(event.name, event.by, event.reason) for event in events] == [("hold_ended", "fleet", "released")] * 2
    refuse(first)
    wait_for(lambda: held(second) == ["op"])
    assert second.release() == 1
    wait_for(lambda: held(first) == [])
    assert first.pipeline("p", operation="op").call(len, "abc") == 3


def test_the_longest_wait_counts(bot_file: Path) -> None:
    """A shorter one changes nothing in any process."""
    first, second = Policies.load(bot_file), Policies.load(bot_file)
    refuse(first, wait="30")
    wait_for(lambda: held(second) == ["op"])
    second.pipeline("p", operation="third").call(len, "abc")
    refuse(first, "other", wait="5")
    wait_for(lambda: held(second) == ["op", "other"])
    left = {row["operation"]: row["seconds_left"] for row in second.snapshot()["holds"]}
    assert left["op"] > 20 > left["other"]


def test_a_flushed_store_gets_the_holds_back(bot_file: Path, client: Any) -> None:
    """With the time that remains."""
    first = Policies.load(bot_file)
    refuse(first)
    wait_for(lambda: first.snapshot()["shared"]["holds"])
    client.flushall()
    wait_for(lambda: client.keys("*holds*"))
    later = Policies.load(bot_file)
    assert held(later) == ["op"]
    assert later.snapshot()["holds"][0]["seconds_left"] <= 60.5


def test_no_key_of_the_store_shows_host_account_or_operation(bot_file: Path, client: Any) -> None:
    """The names of keys and fields are digests."""
    first = Policies.load(bot_file)
    refuse(first, "secret_operation")
    wait_for(lambda: first.snapshot()["shared"]["holds"])
    for key in client.keys("*"):
        assert b"secret" not in key
        if client.type(key) == b"hash":
            assert not any(b"secret" in field for field in client.hkeys(key))


def bot_of(index: int, start: Any, file: str, url: str, send: Any) -> bool:
    """Get banned, or wait for the ban of another process; returns whether the next request is rejected."""
    policies = Policies.load(file, log=False)
    bot = wrap(new_session(), "p", policies=policies)
    send("ready")
    start.wait()
    if index == 0:
        assert bot.get(url).status_code == 418
        wait_for(lambda: policies.snapshot()["shared"]["holds"])  # else it might end before the store knows
    wait_for(lambda: held(policies))
    return _is_held(bot, url)


@pytest.mark.slow
def test_a_ban_is_obeyed_by_processes(bot_file: Path) -> None:
    """One request is sent in all, and a process that starts later sends none."""
    with Server(answer(418, Retry_After="60")) as server:
        processes = Processes(3, bot_of, str(bot_file), server.url)
        try:
            assert processes.messages() == ["ready"] * 3
            processes.start.set()
            assert processes.messages() == [True] * 3
        finally:
            processes.close()
        later = wrap(new_session(), "p", policies=Policies.load(bot_file))
        assert _is_held(later, server.url)
        assert len(server.requests) == 1


def test_a_release_of_one_policy_leaves_the_waits_of_others(bot_file: Path) -> None:
    """A 429 without a time has the quota of its policy wait, in its own process. Nobody has released that one."""
    quota = "quota: [{name: q, rate: 1000/h, burst: 1000}]"
    bot_file.write_text(
        bot_file.read_text().replace(
            "policies: {", f"policies: {{q: {{extends: http, retry: off, deadline: 10s, {quota}}}, "
        )
    )
    first, second = Policies.load(bot_file), Policies.load(bot_file)

    def limited() -> None:
        raise StatusError(429, "")

    with pytest.raises(StatusError):
        first.pipeline("q", operation="other").call(limited)
    refuse(first)
    wait_for(lambda: held(second) == ["op"])
    assert second.release("p") == 1
    wait_for(lambda: held(first) == [])
    with pytest.raises(QuotaExceededError):
        first.pipeline("q", operation="other").call(int)
