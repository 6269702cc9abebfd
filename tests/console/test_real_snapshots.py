"""What `Policies.snapshot()` says of a bot in trouble, and that it is what the published schema says."""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests

from resilience import Policies, wrap
from resilience.bitget import WebsocketClientV2
from resilience.testing import FakeClock
from tests.bitget.listening import TICKER
from tests.conftest import Driver
from tests.console.event_stream import ask
from tests.integrations.server import Server, answer

PUBLISHED = Path(__file__).parents[2] / "docs" / "reference" / "snapshot.schema.json"
RULES = {
    "prices": {"breaker": {"consecutive": 1, "open_for": "60s"}, "retry": "off"},
    "watch": {"breaker": {"consecutive": 1, "mode": "shadow"}, "retry": "off"},
    "trade": {
        "retry": "off",
        "breaker": {"consecutive": 10, "window": "100 calls"},
        "quota": [{"rate": "10/s", "burst": 10}, {"name": "orders", "rate": "5/s", "burst": 5, "key": "operation"}],
        "admission": {"max_concurrent": 3, "max_queue": 5, "lanes": {"urgent": {"priority": 5, "reserve": 1}}},
        "budget": {"ratio": "20%", "floor": "1/s"},
    },
}


class BannedError(Exception):
    """The API asks to stay away."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status_code = status
        self.headers = {"Retry-After": "300"}


def strict(schema: Any) -> Any:
    """Return a schema that allows no key but its own."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: strict(value) for name, value in schema.items()}
    return {**inner, "additionalProperties": False} if "properties" in inner else inner


def validated(policies: Policies) -> dict[str, Any]:
    """Return the snapshot as JSON carries it, after a check that it has all keys of the schema and no others."""
    text = json.dumps(policies.snapshot(), allow_nan=False)
    snapshot: dict[str, Any] = json.loads(text)
    jsonschema.Draft202012Validator(strict(json.loads(PUBLISHED.read_text("utf-8")))).validate(snapshot)
    return snapshot


def fail(error: Exception) -> None:
    """Fail as an API does."""
    raise error


def test_a_bot_in_trouble(driver: Driver) -> None:
    """A breaker that is open for one host, holds, used quotas, slots, an isolation, open writes and a stream."""
    policies = Policies.from_mapping({"policies": RULES}, clock=FakeClock(), log=False)
    with Server(answer(503)) as bad, Server(answer()) as good:
        session = wrap(requests.Session(), "prices", policies=policies)
        watched = wrap(requests.Session(), "watch", policies=policies)
        for client, server in ((session, bad), (session, good), (watched, bad)):
            client.get(f"{server.url}/v1/ticker")
        hosts = [server.url.removeprefix("http://") for server in (bad, good)]

    def trade(error: Exception | None, client_id: str | None = None) -> None:
        if error is not None:
            raise error

    fn = driver.function(trade)
    place = policies.resilient("trade", operation="create_order", key="client_id")(fn)
    for error, key in ((TimeoutError("no answer"), "k-1"), (None, "k-2"), (BannedError(418), "k-3")):
        with contextlib.suppress(TimeoutError, BannedError):
            driver.call(place, error, client_id=key)
    streams = WebsocketClientV2(policies=policies)
    streams.subscribe(TICKER)
    policies.isolate("trade", reason="the strategy is wrong", cancels=True)
    snapshot = validated(policies)

    now = policies.clock.time()
    assert (snapshot["at"], snapshot["healthy"]) == (now, False)
    isolated = {"policy": "trade", "by": "hand", "reason": "the strategy is wrong", "since": now, "cancels": True}
    assert snapshot["isolated"] == [isolated]
    unhealthy = [(row["name"], row["isolated"]) for row in snapshot["policies"] if not row["healthy"]]
    assert unhealthy == [("prices", False), ("trade", True)]
    rows = {(row["policy"], row["key"]): row for row in snapshot["breakers"]}
    opened = rows["prices", hosts[0]]
    assert (opened["state"], opened["opened_by"], opened["open_until"]) == ("open", "failures", now + 60)
    assert rows["prices", hosts[1]]["state"] == "closed"
    assert (rows["watch", hosts[0]]["state"], rows["watch", hosts[0]]["shadow"]) == ("open", True)
    assert rows["trade", "trade"]["state"] == "isolated"
    assert [(row["policy"], row["name"], row["key"], row["limit"]) for row in snapshot["quotas"]] == [
        ("trade", None, "", 10),
        (None, "orders", "create_order", 5),
    ]
    assert [row["used"] for row in snapshot["quotas"]] == [10, 5]  # all of it while the hold lasts
    assert all(row["ready_in"] == 300 for row in snapshot["quotas"])
    (hold,) = snapshot["holds"]
    assert (hold["reason"], hold["seconds_left"], hold["policies"]) == ("ban", 300, ["trade"])
    assert [(row["lane"], row["running"], row["limit"]) for row in snapshot["admission"]] == [
        ("urgent", 0, 3),
        ("cancel", 0, 3),
        ("default", 0, 3),
    ]
    (write,) = snapshot["writes_in_doubt"]
    assert (write["operation"], write["key"], write["since"], write["attempts"]) == ("create_order", "k-1", now, 1)
    assert "k-1" in write["remedy"]
    assert [(row["socket"], row["state"], row["dropped"]) for row in snapshot["streams"]] == [("public", "idle", 0)]
    counted = {row["operation"]: row for row in snapshot["counters"] if row["policy"] == "trade"}
    assert {name: counted["create_order"][name] for name in ("ok", "failed", "unknown")} == {
        "ok": 1,
        "failed": 1,
        "unknown": 1,
    }


def test_slots_that_are_taken() -> None:
    """While attempts run and wait, the snapshot counts them; what waits for ever is no number."""
    settings = {"admission": {"max_concurrent": 1, "max_queue": 5, "queue_timeout": "60s"}, "deadline": "120s"}
    policies = Policies.from_mapping({"policies": {"p": settings}}, log=False)
    running, over = threading.Event(), threading.Event()

    def wait() -> None:
        running.set()
        over.wait(60)

    call = policies.resilient("p", operation="wait")(wait)
    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    running.wait(60)
    while sum(row["waiting"] for row in validated(policies)["admission"]) < 2:
        pass
    rows = {row["lane"]: row for row in validated(policies)["admission"]}
    over.set()
    for thread in threads:
        thread.join()
    assert (rows["default"]["running"], rows["default"]["waiting"], rows["cancel"]["running"]) == (1, 2, 0)


@pytest.mark.parametrize("by", ["environment", "policy"])
def test_isolated_from_the_start(monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    """By the environment, and by the policy file."""
    if by == "environment":
        monkeypatch.setenv("RESILIENCE_ISOLATED", "moving house")
    policies = Policies.from_mapping({"isolated": "moving house"} if by == "policy" else {}, log=False)
    snapshot = validated(policies)
    assert [(row["policy"], row["by"], row["reason"]) for row in snapshot["isolated"]] == [(None, by, "moving house")]
    assert not any(row["healthy"] for row in snapshot["policies"])


def test_what_has_opened_a_breaker() -> None:
    """Its words; a closed one has none, and one that is isolated by hand has no instant at which it ends."""
    clock = FakeClock()
    settings = {"breaker": {"consecutive": 1, "open_for": "10s"}, "retry": "off"}
    policies = Policies.from_mapping({"policies": {"p": settings}}, clock=clock, log=False)
    call = policies.resilient("p", operation="op", idempotent=True)(fail)
    breaker = policies.pipeline("p").breaker
    assert breaker is not None

    def row() -> tuple[str, str | None, float | None]:
        (found,) = validated(policies)["breakers"]
        return found["state"], found["opened_by"], found["open_until"]

    assert row() == ("closed", None, None)
    for words in ("failures, at last OSError", "a failed trial, at last OSError"):
        with pytest.raises(OSError, match="down"):
            call(OSError("down"))
        assert row() == ("open", words, clock.time() + 10)
        clock.advance(10)
    breaker.open()
    assert row() == ("open", "hand", clock.time() + 10)
    breaker.restore(breaker.export())
    assert row() == ("open", "the state that was restored", clock.time() + 10)
    breaker.isolate()
    assert row() == ("isolated", "hand", None)
    breaker.close()
    assert row() == ("closed", None, None)


def test_the_server_sends_the_same() -> None:
    """What a viewer gets is valid too."""
    policies = Policies.builtin()
    policies.isolate("bitget", reason="maintenance")
    with policies.serve_snapshot() as server:
        sent = ask(server.url).body
    jsonschema.Draft202012Validator(strict(json.loads(PUBLISHED.read_text("utf-8")))).validate(sent)
    assert {**sent, "at": 0} == {**validated(policies), "at": 0}
