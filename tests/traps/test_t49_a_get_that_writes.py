"""T49: a GET that writes is sent again because GETs are reads, although its user said what it does."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import requests

from resilience import Policies, wrap
from resilience.testing import FakeClock
from tests.integrations.http_clients import Ask, Got, HttpClient, every_client, policies
from tests.integrations.server import Server, answer, drop_after

WITHDRAW = Ask("GET", "/withdraw?amount=1")
VERBS = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]


@every_client
def test_the_trap(client: HttpClient) -> None:
    """A GET of which nothing is said is a read, and sent up to three times."""
    with Server(answer(503)) as server:
        client.run(policies(FakeClock()), server.url, WITHDRAW)
    assert len(server.requests) == 3


@every_client
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("glob", ["{verb}", "{verb} /withdraw*"])
def test_what_is_said_in_python_outranks_the_method(client: HttpClient, verb: str, glob: str) -> None:
    """With `idempotent: False` it is sent once, and its outcome is uncertain."""
    reports: list[Any] = []
    rules = policies(FakeClock())
    rules.subscribe(lambda event: reports.append((event.name, event.executed)))
    operations = {glob.format(verb=verb.lower()): {"idempotent": False}}
    with Server(answer(503)) as server:
        (got,) = client.run(rules, server.url, WITHDRAW._replace(method=verb), operations=operations)
    assert (got.status, len(server.requests)) == (503, 1)
    assert reports[-1] == ("call_failed", "maybe")


@every_client
@pytest.mark.parametrize("rule", [{"idempotent": False}, {"key": "X-Key"}])
def test_what_is_said_in_the_policy_file_outranks_the_method(client: HttpClient, rule: dict[str, Any]) -> None:
    """The `operations` of a policy file are heeded alike."""
    settings = {"retry": {"max_attempts": 3, "backoff": {"kind": "constant", "initial": "1s", "jitter": "none"}}}
    rules = Policies.from_mapping(
        {"policies": {"p": settings}, "operations": [{"match": "get /withdraw*", **rule}]}, clock=FakeClock()
    )
    with Server(answer(503)) as server:
        (got,) = client.run(rules, server.url, WITHDRAW)
    assert (got.status, len(server.requests)) == (503, 1)
    assert ("x-key" in server.requests[0].headers) is ("key" in rule)


@every_client
def test_a_get_with_a_reconciler_is_looked_up(client: HttpClient) -> None:
    """It carries a key, and is looked up by it like any other write."""
    with Server(drop_after, answer(body={"id": "7"})) as server:
        operations = {"get /withdraw*": {"reconcile": client.look_up(server.url)}}
        assert client.run(policies(FakeClock()), server.url, WITHDRAW, operations=operations) == [
            Got(200, '{"id": "7"}')
        ]
    first, lookup = server.requests
    assert lookup.path == f"/orders/{first.headers['idempotency-key']}"


@every_client
def test_a_glob_of_wildcards_alone_names_no_get(client: HttpClient) -> None:
    """A reconciler for `*` is meant for the writes among what it matches: reads stay reads."""
    with Server(answer(503), answer(200, "fine")) as server:
        operations = {"*": {"reconcile": client.look_up(server.url)}}
        assert client.run(policies(FakeClock()), server.url, Ask("GET"), operations=operations) == [Got(200, "fine")]
    assert "idempotency-key" not in server.requests[0].headers


async def look_up_async(_call: Any) -> Any:
    """A reconciler that a sync client cannot await."""


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no function": ({"get": {"reconcile": "lookup"}}, r"operations\['get'\]: reconcile takes a function"),
    "async on a sync client": ({"get": {"reconcile": look_up_async}}, r"operations\['get'\]: the client is not async"),
    "no name": ({"get": {"key": ""}}, r"operations\['get'\]: key takes the name"),
    "a key of its own": ({"get": {"key": True}}, r"operations\['get'\]: key takes the name"),
    "a word for a truth": ({"get": {"idempotent": "no"}}, r"operations\['get'\]: idempotent takes True or False"),
    "a whole URL": ({"get https://api.x/withdraw": {"idempotent": False}}, r"matches no request.*'get /withdraw'"),
    "no method": ({"withdraw": {"idempotent": False}}, r"matches no request: write an HTTP method"),
    "a path alone": ({"/withdraw": {"idempotent": False}}, r"matches no request: write an HTTP method"),
    "no path": ({"get withdraw": {"idempotent": False}}, r"matches no request: a path begins with '/'"),
    "no lane": ({"get": {"lane": 3}}, r"operations\['get'\]: lane takes"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("make", [requests.Session, httpx.Client])
def test_what_cannot_take_effect_is_refused_at_once(name: str, make: Any) -> None:
    """A rule that would never work is an error when the client is wrapped; it names the glob."""
    operations, message = WRONG[name]
    with make() as client, pytest.raises(TypeError, match=message):
        wrap(client, "p", policies=policies(), operations=operations)
