"""Tests of joining a fleet: settings, the connection, members, outages and forks."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from resilience import Policies, PolicyError
from resilience.cli import main
from resilience.fleet.keys import KeySpace
from resilience.testing import recorded_events
from tests.fleet.waiting import wait_for


def shared_of(policies: Policies) -> dict[str, Any]:
    """Return what a snapshot says of the fleet."""
    shared: dict[str, Any] = policies.snapshot()["shared"]
    return shared


def link_threads() -> list[threading.Thread]:
    """Return the threads that talk to stores."""
    return [thread for thread in threading.enumerate() if thread.name == "resilience-shared"]


def test_two_sets_of_policies_see_each_other(policy_file: Path) -> None:
    """Each process counts the members of its namespace; two sets of policies are two members."""
    first, second = Policies.load(policy_file), Policies.load(policy_file)
    wait_for(lambda: max(shared_of(first)["members"] or 0, shared_of(second)["members"] or 0) >= 2)
    assert shared_of(first)["connected"] is True
    assert shared_of(first)["round_trip"] > 0


def test_one_thread_for_each_url(policy_file: Path) -> None:
    """Sets of policies with one store share its thread, which ends with the last of them."""
    before = set(link_threads())
    policies = [Policies.load(policy_file) for _ in range(3)]
    (own,) = wait_for(lambda: set(link_threads()) - before)
    policies.clear()
    gc.collect()
    wait_for(lambda: not own.is_alive())


@pytest.mark.slow
def test_nothing_is_imported_without_the_section() -> None:
    """A program without a section `shared` imports nothing of it (pybreaker imports redis where it is installed)."""
    program = (
        "import sys, resilience\n"
        "policies = resilience.Policies.from_mapping({'policies': {'p': {'quota': [{'rate': 10}]}}})\n"
        "policies.pipeline('p').call(int)\n"
        "print([name for name in sys.modules if name.startswith('resilience.fleet.')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_section_can_be_switched_off_by_a_reload(policy_file: Path) -> None:
    """A reload that removes the section leaves the fleet; the credentials of the URL are in no change."""
    policies = Policies.load(policy_file)
    assert shared_of(policies)["namespace"] == "test"
    text = policy_file.read_text()
    policy_file.write_text(text.replace("test", "other"))
    assert [str(change) for change in policies.reload()] == ["shared.namespace: test → other"]
    policy_file.write_text("version: 1\n")
    assert [change.path for change in policies.reload()] == ["shared"]
    assert policies.snapshot()["shared"] is None


def test_a_password_is_shown_nowhere(policy_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL with a password comes from the environment; neither changes nor snapshots nor representations show it."""
    policies = Policies.load(policy_file)
    monkeypatch.setenv("RESILIENCE_SHARED_URL", "redis://bot:ab@hunter22@127.0.0.1:1/0?password=hunter22")
    changes = policies.reload()
    assert [change.path for change in changes] == ["shared.url"]
    wait_for(lambda: shared_of(policies)["lost"])
    assert "hunter22" not in f"{changes} {policies!r} {policies.snapshot()}"


def test_a_name_that_cannot_be_shared_is_a_mistake(url: str) -> None:
    """What is not supported is refused, and not ignored."""
    with pytest.raises(PolicyError, match=r"share\[0\]: 'breakers' is not supported"):
        Policies.from_mapping({"shared": {"url": url, "share": ["breakers"]}})


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({}, "needs url"),
        ({"url": "http://localhost"}, "expected the URL of a store"),
        ({"url": "redis://"}, "expected a host"),
        ({"url": "redis://localhost:port"}, "a port as a number"),
        ({"url": "redis+sentinel://one:26379,:26379/mymaster"}, "expected a host"),
        ({"url": "unix://redis.sock"}, "expected the path of a socket"),
        ({"url": "redis://localhost", "share": []}, "nothing is shared"),
        ({"url": "redis://localhost", "share": ["holds", "holds"]}, r"share\[1\]: 'holds' is there twice"),
        ({"url": "redis://localhost", "namespace": "{a}"}, "expected 1 to 64 letters"),
        ({"url": "redis://localhost", "processes": 0}, "out of range"),
        ({"url": "redis://u:password1@localhost"}, "looks like a secret"),
        ({"url": "redis://:password1@localhost"}, "looks like a secret"),
        ({"url": "${NO_SUCH_VARIABLE:-redis://:password1@localhost}"}, "looks like a secret"),
        ({"url": "redis://localhost?db=1&password=password1"}, "looks like a secret"),
    ],
)
def test_mistakes_in_the_section(section: dict[str, Any], message: str) -> None:
    """Each mistake says what is wrong."""
    with pytest.raises(PolicyError, match=message):
        Policies.from_mapping({"shared": section})


def test_a_store_that_goes_and_comes_back_is_reported_once(own_server: Any) -> None:
    """An outage is one event, however many attempts fail, and so is its end."""
    port = own_server.port
    with recorded_events() as events:
        policies = Policies.from_mapping({"shared": {"url": f"redis://127.0.0.1:{port}", "patience": "2s"}})
        policies.subscribe(events.append)
        wait_for(lambda: shared_of(policies)["members"])
        own_server.stop()
        policies.reload()
        wait_for(lambda: shared_of(policies)["lost"])
        restarted = type(own_server)(port=port)
        with restarted:
            wait_for(lambda: shared_of(policies)["connected"])
            wait_for(lambda: any(event.name == "shared_back" for event in events))  # it is emitted a moment later
    assert [event.name for event in events if event.name.startswith("shared")] == ["shared_lost", "shared_back"]


@pytest.mark.parametrize(
    ("setting", "value", "reason"),
    [
        ("maxmemory-policy", "allkeys-lru", "maxmemory-policy is allkeys-lru"),
        ("replicaof", "127.0.0.1 1", "read-only replica"),
    ],
)
def test_an_unsafe_store_is_refused_aloud(own_server: Any, setting: str, value: str, reason: str) -> None:
    """A store that may forget what was sent is not used, and the event says why."""
    import redis

    with redis.Redis(port=own_server.port) as client:
        if setting == "replicaof":
            client.replicaof(*value.split())
        else:
            client.config_set(setting, value)
    policies = Policies.from_mapping({"shared": {"url": f"redis://127.0.0.1:{own_server.port}", "patience": "2s"}})
    assert reason in wait_for(lambda: shared_of(policies)["lost"])


@pytest.mark.slow
@pytest.mark.parametrize("command", ["zadd", "subscribe"])
def test_a_user_without_a_command_is_refused_aloud(
    own_server: Any, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """The reason names the command that the store's user may not run. There is one event, however often it is tried."""
    import redis

    with redis.Redis(port=own_server.port) as client:
        client.acl_setuser(
            "bot", enabled=True, nopass=True, keys=["rs1:*"], channels=["rs1:*"], commands=["+@all", f"-{command}"]
        )
        monkeypatch.setenv("RESILIENCE_SHARED_URL", f"redis://bot:any@127.0.0.1:{own_server.port}")
        policies = Policies.from_mapping({"shared": {"url": "${RESILIENCE_SHARED_URL}", "patience": "2s"}})
        events: list[Any] = []
        policies.subscribe(events.append)
        assert command in wait_for(lambda: shared_of(policies)["lost"])
        policies.isolate()
        before = client.info()["total_connections_received"]
        wait_for(lambda: client.info()["total_connections_received"] > before + 3)
        client.execute_command("ACL", "SETUSER", "bot", f"+{command}")
        wait_for(lambda: "shared_back" in [event.name for event in events])
    names = [event.name for event in events]
    assert names.count("shared_lost") <= 1  # the first may have been before anybody listened
    assert names.count("shared_back") == 1


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_is_a_member_of_its_own(policy_file: Path) -> None:
    """A child starts a thread of its own, and is another member."""
    # A name of its own: sets of policies of earlier tests may not be collected yet.
    policy_file.write_text(policy_file.read_text().replace("namespace: test", "namespace: forked"))
    program = f"""
import os, sys, time
from resilience import Policies
policies = Policies.load({str(policy_file)!r})
def shared(): return policies.snapshot()["shared"]
def wait(number):
    end = time.monotonic() + 30
    seen = []  # read once a round: on a slow machine the store may be lost a moment later
    while not seen or (seen[-1]["members"] != number and time.monotonic() < end):
        seen.append(shared())
        time.sleep(0.01)
    assert seen[-1]["members"] == number, (seen[-1], len(seen))
wait(1)
if os.fork() == 0:
    wait(2)
    os._exit(0)
assert os.wait()[1] == 0
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_threads_import_nothing(policy_file: Path) -> None:
    """A child that is forked while a thread of its parent imports something would wait for it for ever."""
    program = f"""
import sys, threading, time
from resilience import Policies
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if threading.current_thread() is not threading.main_thread(): print(name, flush=True)
sys.meta_path.insert(0, Finder)
policies = Policies.load({str(policy_file)!r})
end = time.monotonic() + 30
while policies.snapshot()["shared"]["members"] is None and time.monotonic() < end: time.sleep(0.01)
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == ""


def test_a_part_with_a_mistake_does_not_stop_the_others(url: str, client: Any) -> None:
    """What nobody can read among the holds must not keep the kill switch from being heard."""
    client.hset(f"{KeySpace('test').tag('holds')}entries", "junk", "0|no json")
    shared = {"url": url, "namespace": "test", "patience": "2s"}
    first, second = (Policies.from_mapping({"shared": shared}) for _ in range(2))
    first.isolate(reason="stop")
    wait_for(lambda: second.snapshot()["isolated"])


def test_policies_made_during_an_outage_know_of_it(caplog: pytest.LogCaptureFixture) -> None:
    """A second set of policies in the process, or one of a reload, uses the same connection, which is lost already."""
    shared = {"url": "redis://127.0.0.1:1"}
    first = Policies.from_mapping({"shared": shared})
    wait_for(lambda: shared_of(first)["lost"])
    caplog.clear()
    second = Policies.from_mapping({"shared": shared})
    wait_for(lambda: "shared store lost" in caplog.text)
    assert shared_of(second)["lost"]


def test_describe_says_what_is_shared(policy_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The store is named without credentials, and is not asked."""
    assert main(["describe", str(policy_file)]) == 0
    assert "Shared by up to 8 processes through redis://127.0.0.1:" in capsys.readouterr().out
    assert main(["describe", "--json", str(policy_file)]) == 0
    assert json.loads(capsys.readouterr().out)["shared"]["namespace"] == "test"


def test_metrics_say_whether_the_store_answers(url: str) -> None:
    """And how long it takes; a store that is gone is 0."""
    shared = {"url": url, "namespace": "test"}
    policies = Policies.from_mapping({"shared": shared})
    reader = policies.read_metrics()
    wait_for(lambda: _metrics_of(reader)["resilience.shared.up"] == {("test",): 1})
    ((trips,),) = _metrics_of(reader)["resilience.shared.round_trip"].values()
    assert sum(trips.read().counts) > 0
    gone = Policies.from_mapping({"shared": {**shared, "url": "redis://127.0.0.1:1"}}).read_metrics()
    assert _metrics_of(gone)["resilience.shared.up"] == {("test",): 0}


def _metrics_of(reader: Any) -> dict[str, Any]:
    return {reading.metric.name: reading.values for reading in reader.read()}


def test_without_the_extra_the_section_is_an_error(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an error where it is given, and no outage that a thread finds later."""
    monkeypatch.setattr("resilience.fleet.store.find_spec", lambda name: None)
    with pytest.raises(PolicyError, match="resilience-middleware\\[shared\\]"):
        Policies.from_mapping({"shared": {"url": url}})


def test_the_path_of_a_socket_is_a_url(tmp_path: Path) -> None:
    """The store need not be there yet."""
    policies = Policies.from_mapping({"shared": {"url": f"unix://{tmp_path}/none.sock"}, "policies": {"p": {}}})
    wait_for(lambda: shared_of(policies)["lost"])
