"""The actions of the server on real policies: what calls under way and later ones do, and who may send an action."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from resilience import CircuitOpenError, Policies, wrap
from resilience.testing import FakeClock, recorded_events
from tests.conftest import Driver
from tests.console.event_stream import EventStream, ask
from tests.integrations.server import Connection, Server, answer

QUICK = {"max_attempts": 3, "backoff": {"kind": "constant", "initial": "1s", "jitter": "none"}}
CALLS = 20


def policies_of(**policy: Any) -> Policies:
    """Return policies with one named `p`, on a clock of their own."""
    return Policies.from_mapping(
        {"policies": {"p": {"retry": QUICK, "breaker": "off", **policy}}}, clock=FakeClock(), log=False
    )


def post(url: str, action: str, token: str, body: Any, **headers: str) -> Any:
    """Send an action and return the answer."""
    return ask(url, f"/actions/{action}", "POST", body, Authorization=f"Bearer {token}", **headers)


def test_a_retry_under_way_is_not_sent(driver: Driver) -> None:
    """The switch comes while an attempt runs: no further one follows, and after the release calls are sent again."""
    policies = policies_of()
    sent = []
    with policies.serve_snapshot() as server, recorded_events(policies) as events:

        def api() -> str:
            sent.append(1)
            if len(sent) == 1:
                reply = post(server.url, "isolate", server.token, {"policy": "p", "reason": "stop"})
                assert (reply.status, reply.body["healthy"]) == (200, False)
                raise ConnectionError("down")
            return "done"

        call = policies.resilient("p", operation="read", idempotent=True)(driver.function(api))
        with pytest.raises(ConnectionError):
            driver.call(call)
        with pytest.raises(CircuitOpenError, match="policy 'p' is isolated by hand, nothing was sent: stop"):
            driver.call(call)
        assert len(sent) == 1
        reply = post(server.url, "release", server.token, {"policy": "p"})
        assert (reply.body["healthy"], reply.body["isolated"]) == (True, [])
        assert driver.call(call) == "done"
    named = {event.name: event for event in events}
    assert (named["circuit_isolated"].reason, named["circuit_isolated"].by) == ("stop", "hand")
    assert named["circuit_released"].refused == 2


def test_requests_under_way_are_the_last() -> None:
    """Many threads wait for answers of a failing server: nothing is sent after the action was answered."""
    policies = Policies.from_mapping({"policies": {"p": {"retry": QUICK, "breaker": "off"}}}, log=False)
    switched = threading.Event()

    def fail_later(connection: Connection) -> None:
        if connection.request() is not None:
            switched.wait(60)
            answer_503(connection)

    def answer_503(connection: Connection) -> None:
        body = b"down"
        connection.send(b"HTTP/1.1 503 Down\r\nConnection: close\r\nContent-Length: 4\r\n\r\n" + body)

    with Server(*[fail_later] * CALLS, answer()) as api, policies.serve_snapshot() as server:
        session = wrap(requests.Session(), "p", policies=policies)

        def fetch(_: int) -> Any:
            return session.get(api.url).status_code

        with ThreadPoolExecutor(CALLS) as pool:
            waiting = [pool.submit(fetch, number) for number in range(CALLS)]
            while len(api.requests) < CALLS:
                api.received.wait(0.01)
            assert post(server.url, "isolate", server.token, {}).status == 200
            switched.set()
            assert [future.result(60) for future in waiting] == [503] * CALLS
        assert len(api.requests) == CALLS
        with pytest.raises(CircuitOpenError):
            fetch(0)
        assert len(api.requests) == CALLS
        assert post(server.url, "release", server.token, {}).status == 200
        assert fetch(0) == 200


def test_cancels_pass_where_the_action_says_so(driver: Driver) -> None:
    """An order does not; without `cancels` a cancel does not either."""
    policies = policies_of()

    def outcome(name: str) -> str:
        try:
            return str(driver.call(policies.resilient("p", operation=name)(driver.function(lambda: "sent"))))
        except CircuitOpenError as error:
            return error.reason

    with policies.serve_snapshot() as server:
        reply = post(server.url, "isolate", server.token, {"policy": None, "reason": "stop", "cancels": True})
        assert reply.body["isolated"][0]["cancels"] is True
        assert [outcome("cancel_order"), outcome("create_order")] == ["sent", "isolated"]
        post(server.url, "isolate", server.token, {"policy": None, "reason": "stop"})
        assert [outcome("cancel_order"), outcome("create_order")] == ["isolated", "isolated"]


@pytest.mark.parametrize("given", ["open-sesame", None])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": ""}, 401),
        ({"Authorization": "Bearer guess"}, 401),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
    ],
)
def test_what_is_refused_switches_nothing(given: str | None, headers: dict[str, str], status: int) -> None:
    """No token, a wrong one, pages of other origins and rebound domains: calls go on, and releases are refused too."""
    policies = policies_of()
    call = policies.resilient("p")(lambda: "sent")
    with policies.serve_snapshot(token=given) as server:
        sent = {"Authorization": f"Bearer {server.token}", **headers}
        assert ask(server.url, "/actions/isolate", "POST", {}, **sent).status == status
        assert (call(), policies.snapshot()["isolated"]) == ("sent", [])
        policies.isolate("p")
        assert ask(server.url, "/actions/release", "POST", {}, **sent).status == status
        assert len(policies.snapshot()["isolated"]) == 1


def test_an_unknown_policy() -> None:
    """Nothing is switched, and the answer names those that exist."""
    policies = policies_of()
    with policies.serve_snapshot() as server:
        for action in ("isolate", "release"):
            reply = post(server.url, action, server.token, {"policy": "trading"})
            assert reply.status == 404
            assert "'trading'" in reply.body["error"]
            assert "bitget" in reply.body["error"]
    assert policies.snapshot()["isolated"] == []


def test_a_release_of_one_policy_does_not_lift_all() -> None:
    """The answer still lists the isolation of all policies."""
    policies = policies_of()
    with policies.serve_snapshot() as server:
        post(server.url, "isolate", server.token, {"reason": "all"})
        reply = post(server.url, "release", server.token, {"policy": "p"})
        assert (reply.body["healthy"], [row["policy"] for row in reply.body["isolated"]]) == (False, [None])


def test_viewers_hear_of_it() -> None:
    """The event stream has the switch as a decision, with the reason and without secrets in it."""
    policies = policies_of()
    with policies.serve_snapshot() as server:
        stream = EventStream(server.url)
        stream.first("snapshot")
        post(server.url, "isolate", server.token, {"policy": "p", "reason": f"apiKey=ab12cd34 {server.token}"})
        event = stream.first("decision")
        assert (event["name"], event["policy"]) == ("circuit_isolated", "p")
        assert event["reason"] == "apiKey=[redacted] [redacted]"
        stream.close()
