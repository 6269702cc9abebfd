"""Tests of the kill switch of a fleet: one isolates, all obey, and one releases."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from resilience import CircuitOpenError, Policies
from resilience.testing import recorded_events
from tests.fleet.waiting import wait_for

POLICIES = "policies: {p: {}, q: {}}\n"


pytestmark = pytest.mark.usefixtures("patient_start")


@pytest.fixture
def bot_file(own_file: Path) -> Path:
    """Return a policy file with two policies that shares everything."""
    own_file.write_text(own_file.read_text() + POLICIES)
    return own_file


def isolated(policies: Policies) -> list[tuple[str | None, str, str]]:
    """Return what is isolated: policy, by whom, and why."""
    return [(row["policy"], row["by"], row["reason"]) for row in policies.snapshot()["isolated"]]


def until_isolated(policies: Policies, *rows: tuple[str | None, str, str]) -> None:
    """Wait until exactly this is isolated."""
    wait_for(lambda: isolated(policies) == list(rows))


def until_stored(policies: Policies) -> None:
    """Wait until the store has an isolation."""
    wait_for(lambda: policies.snapshot()["shared"]["switch"])


def test_an_isolation_stops_all_processes_and_a_release_starts_them(bot_file: Path) -> None:
    """The error says that it was done in another process, and why."""
    first, second = Policies.load(bot_file), Policies.load(bot_file)
    first.isolate("p", reason="the strategy is wrong")
    until_isolated(second, ("p", "fleet", "the strategy is wrong"))
    assert isolated(first) == [("p", "hand", "the strategy is wrong")]
    with pytest.raises(CircuitOpenError, match="by hand in another process, nothing was sent: the strategy is wrong"):
        second.pipeline("p").call(len, "abc")
    assert second.pipeline("q").call(len, "abc") == 3
    assert second.release("p") == 1
    until_isolated(first)
    assert first.pipeline("p").call(len, "abc") == 3


def test_a_process_that_starts_later_obeys_from_its_first_call_on(bot_file: Path) -> None:
    """An isolation of all policies, too, and one whose process has ended."""
    first = Policies.load(bot_file)
    first.isolate(reason="stop", cancels=True)
    until_stored(first)
    del first
    later = Policies.load(bot_file)
    assert isolated(later) == [(None, "fleet", "stop")]
    with pytest.raises(CircuitOpenError):
        later.pipeline("q").call(len, "abc")
    assert later.pipeline("q", operation="cancel_order").call(len, "abc") == 3
    described = later.snapshot()["shared"]["switch"][0]
    assert (described["policy"], described["reason"], described["cancels"]) == (None, "stop", True)


def test_a_flushed_store_gets_it_back(bot_file: Path, client: Any) -> None:
    """So a process that starts after it obeys as well."""
    first = Policies.load(bot_file)
    first.isolate("p", reason="stop")
    until_stored(first)
    client.flushall()
    wait_for(lambda: client.keys("*switch*"))
    assert isolated(Policies.load(bot_file)) == [("p", "fleet", "stop")]


def test_what_was_released_meanwhile_is_not_put_back(bot_file: Path, client: Any) -> None:
    """A process that was cut off does not bring back what the others have released."""
    first, second = Policies.load(bot_file), Policies.load(bot_file)
    first.isolate("p", reason="stop")
    until_isolated(second, ("p", "fleet", "stop"))
    client.config_set("maxclients", 1)  # every connection but this one is closed
    client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    client.config_set("maxclients", 10000)
    second.release("p")
    until_isolated(first)
    until_isolated(second)


def test_a_release_of_all_concerns_what_nobody_here_knows(bot_file: Path) -> None:
    """Isolations by files and by the environment of other processes stay."""
    text = bot_file.read_text()
    first = Policies.load(bot_file)
    bot_file.write_text(text.replace("q: {}", "q: {isolated: moving house}"))
    second = Policies.load(bot_file)
    first.isolate("p", reason="stop")
    until_isolated(second, ("q", "policy", "moving house"), ("p", "fleet", "stop"))
    first.release()
    until_isolated(second, ("q", "policy", "moving house"))


def test_a_new_reason_replaces_the_old_one(bot_file: Path) -> None:
    """The last hand counts in all processes."""
    first, second = Policies.load(bot_file), Policies.load(bot_file)
    first.isolate("p", reason="one")
    until_isolated(second, ("p", "fleet", "one"))
    second.isolate("p", reason="two", cancels=True)
    until_isolated(first, ("p", "fleet", "two"))
    first.release()
    until_isolated(second)


def test_what_is_isolated_before_the_fleet_is_joined_is_shared(bot_file: Path) -> None:
    """A reload may name the store for the first time, and no store later: then the process is alone."""
    text = bot_file.read_text()
    second = Policies.load(bot_file)
    bot_file.write_text("version: 1\n" + POLICIES)
    first = Policies.load(bot_file)
    first.isolate("p", reason="stop")
    bot_file.write_text(text)
    first.reload()
    until_isolated(second, ("p", "fleet", "stop"))
    bot_file.write_text("version: 1\n" + POLICIES)
    second.reload()
    second.release()
    first.isolate("q", reason="too")
    third_text = isolated(second)
    assert third_text == []
    assert ("p", "hand", "stop") in isolated(first)


def test_a_store_that_is_gone_delays_no_start(bot_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it end what is isolated here."""
    monkeypatch.setenv("RESILIENCE_SHARED_URL", "redis://127.0.0.1:1")
    policies = Policies.load(bot_file)
    policies.isolate("p", reason="stop")
    assert isolated(policies) == [("p", "hand", "stop")]
    assert policies.release() == 1


def test_each_change_is_an_event_in_each_process(bot_file: Path) -> None:
    """Once, and with who did it."""
    first, second = Policies.load(bot_file), Policies.load(bot_file)
    with recorded_events(first) as own, recorded_events(second) as others:
        first.isolate("p", reason="stop")
        wait_for(lambda: [event for event in others if event.name == "circuit_isolated"])
        first.release("p")
        until_isolated(second)
        wait_for(lambda: [event for event in others if event.name == "circuit_released"])
    names = [(event.name, event.by) for event in own if event.name.startswith("circuit_")]
    assert names == [("circuit_isolated", "hand"), ("circuit_released", "hand")]
    names = [(event.name, event.by) for event in others if event.name.startswith("circuit_")]
    assert names == [("circuit_isolated", "fleet"), ("circuit_released", "fleet")]


def test_what_happens_during_an_outage_is_joined(
    bot_file: Path, own_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store comes back empty: what both knew, and what each has isolated alone, is isolated in both."""
    monkeypatch.setenv("RESILIENCE_SHARED_URL", f"redis://127.0.0.1:{own_server.port}")
    bot_file.write_text(bot_file.read_text().replace("q: {}", "q: {}, r: {}"))
    fleet = [Policies.load(bot_file, log=False) for _ in range(2)]
    fleet[0].isolate("p", reason="both")
    until_isolated(fleet[1], ("p", "fleet", "both"))
    own_server.stop()
    wait_for(lambda: not any(policies.snapshot()["shared"]["connected"] for policies in fleet))
    fleet[0].isolate("q", reason="one")
    fleet[1].isolate("r", reason="other")
    own_server.start()
    for policies in fleet:
        wait_for(lambda policies=policies: {row[0] for row in isolated(policies)} == {"p", "q", "r"})
    fleet[0].release()
    until_isolated(fleet[1])


def test_entries_of_another_version_keep_nobody_from_obeying(bot_file: Path, client: Any) -> None:
    """They are left alone."""
    first = Policies.load(bot_file)
    first.isolate("p", reason="stop")
    until_stored(first)
    [key] = client.keys("*switch*")
    client.hset(key, mapping={"=a": "0|[1]", "=b": "0|no json", "=c": '0|{"policy": "c"}', "=d": "0|7"})
    later = Policies.load(bot_file)
    assert isolated(later) == [("p", "fleet", "stop")]
    assert later.snapshot()["shared"]["connected"] is True


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_is_in_the_fleet_too(bot_file: Path) -> None:
    """What it isolates stops its parent, and what its parent isolates stops it."""
    program = f"""
import os, sys
from resilience import Policies
from tests.fleet.waiting import wait_for
policies = Policies.load({str(bot_file)!r}, log=False)
def isolated():
    return sorted((row["policy"], row["by"]) for row in policies.snapshot()["isolated"])
child = os.fork()
if child == 0:
    policies.isolate("p")
    wait_for(lambda: isolated() == [("p", "hand"), ("q", "fleet")])
    os._exit(0)
wait_for(lambda: isolated() == [("p", "fleet")])
policies.isolate("q")
assert os.waitpid(child, 0)[1] == 0
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
