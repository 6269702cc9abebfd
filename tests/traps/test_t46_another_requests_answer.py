"""T46: an answer that belongs to another request counts as this write's success."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from resilience import Found, failure_of, wrap
from resilience.testing import FakeClock
from tests.integrations.http_clients import Ask, Got, HttpClient, every_client, policies
from tests.integrations.server import Connection, Server, answer, keep, reply


def json_answer(body: Any) -> bytes:
    """Return the bytes of an answer that keeps the connection."""
    raw = json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(raw), raw)


def hinting(*interim: int, at_once: bool) -> Any:
    """Answer each request with these interim statuses and then with an order whose id is the path."""

    def behaviour(connection: Connection) -> None:
        while (request := connection.request()) is not None:
            hints = b"".join(b"HTTP/1.1 %d Interim\r\nLink: </style.css>\r\n\r\n" % status for status in interim)
            order = json_answer({"id": request.path[1:]})
            for part in (hints + order,) if at_once else (hints, order):
                connection.send(part)

    return behaviour


@every_client
@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("interim", [(103,), (100, 103, 102)])
def test_interim_answers_shift_nothing(client: HttpClient, interim: tuple[int, ...], at_once: bool) -> None:
    """Each order gets its own answer, although the server sends `103 Early Hints` before it."""
    asks = [Ask("POST", f"/order{number}", body=b"{}") for number in range(4)]
    with Server(hinting(*interim, at_once=at_once)) as server:
        got = client.run(policies(FakeClock(), retry=None), server.url, *asks)
    assert got == [Got(200, json.dumps({"id": f"order{number}"})) for number in range(4)]


def test_a_connection_with_an_interim_answer_is_not_used_again() -> None:
    """A wrapped session connects anew after a 103, and keeps a connection without one."""
    connections: list[Connection] = []

    def counting(behaviour: Any) -> Any:
        def counted(connection: Connection) -> None:
            connections.append(connection)
            behaviour(connection)

        return counted

    for behaviour, expected in ((hinting(103, at_once=True), 3), (hinting(at_once=True), 1)):
        connections.clear()
        with Server(counting(behaviour)) as server, requests.Session() as plain:
            session = wrap(plain, "p", policies=policies(FakeClock()))
            for number in range(3):
                assert session.post(f"{server.url}/{number}").json() == {"id": str(number)}
        assert len(connections) == expected


def test_a_plain_session_takes_the_interim_answer_for_the_final_one() -> None:
    """The trap: `http.client` returns a 103 as the answer."""
    with Server(hinting(103, at_once=False)) as server, requests.Session() as plain:
        assert plain.post(server.url).status_code == 103


ANOTHERS = {
    "another's key": {"id": "1", "idempotency_key": "of another order"},
    "another's key, deep": {"data": [{"orderId": "1", "clientOid": "of another order"}]},
    "no id": {"status": "ok"},
    "an id of nothing": {"id": None},
    "the id of a request": {"requestId": "r-1"},
}
UNREADABLE = {
    "empty": b"",
    "a page": b"<html>fine</html>",
    "cut": b'{"id": "7"',
}


@every_client
@pytest.mark.parametrize("name", [*ANOTHERS, *UNREADABLE])
def test_an_answer_that_proves_nothing_is_looked_up(client: HttpClient, name: str) -> None:
    """The write stays open: it is looked up by its key, sent once, and the order of the lookup is returned."""
    body = ANOTHERS.get(name, UNREADABLE.get(name))
    with Server(answer(200, body), answer(body={"id": "mine"})) as server:
        operations = {"post": {"reconcile": client.look_up(server.url)}}
        (got,) = client.run(
            policies(FakeClock()), server.url, Ask("POST", "/orders", body=b"{}"), operations=operations
        )
    assert got == Got(200, '{"id": "mine"}')
    assert [request.method for request in server.requests] == ["POST", "GET"]


@every_client
@pytest.mark.parametrize("name", UNREADABLE)
def test_without_a_reconciler_it_is_reported_as_uncertain(client: HttpClient, name: str) -> None:
    """A write that only has a key is sent once; its caller gets the answer, and the report says "maybe"."""
    reports: list[tuple[str, Any]] = []
    rules = policies(FakeClock())
    rules.subscribe(lambda event: reports.append((event.name, event.executed)))
    with Server(answer(200, UNREADABLE[name])) as server:
        (got,) = client.run(rules, server.url, Ask("POST", "/", body=b"{}"), operations={"post": {"key": "X-Key"}})
    assert got == Got(200, UNREADABLE[name].decode())
    assert reports[-1] == ("call_failed", "maybe")
    assert len(server.requests) == 1


@every_client
def test_a_write_without_a_key_may_be_answered_by_nothing(client: HttpClient) -> None:
    """A 204 is a success for a write that nobody gave a key."""
    events: list[str] = []
    rules = policies(FakeClock())
    rules.subscribe(lambda event: events.append(event.name))
    with Server(answer(204, b"")) as server:
        assert client.run(rules, server.url, Ask("POST", "/", body=b"{}")) == [Got(204, "")]
    assert events == []


@every_client
def test_a_created_resource_is_found_by_its_location(client: HttpClient) -> None:
    """A 201 without a body is a success if its `Location` says where the new thing is."""
    with Server(answer(201, b"", Location="/orders/7")) as server:
        operations = {"post": {"reconcile": client.look_up(server.url)}}
        assert client.run(policies(FakeClock()), server.url, Ask("POST", "/", body=b"{}"), operations=operations) == [
            Got(201, "")
        ]
    assert len(server.requests) == 1


@every_client
@pytest.mark.parametrize("rest", [b"", b'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"id": "rest"}'])
def test_what_follows_a_cut_answer_is_nobodys(client: HttpClient, rest: bytes) -> None:
    """After a body with a wrong Content-Length, the next order does not get the rest of it as its answer."""
    body = b'{"id": "first", "status": "filled"}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (len(body) - 9)

    def first(connection: Connection) -> None:
        connection.request()
        connection.send(head + body + rest)
        keep(reply(body={"id": "shifted"}))(connection)

    found = {"id": "first"}
    lookups: list[Any] = []

    def reconcile(call: Any) -> Found:
        lookups.append(call.key)
        return Found(found)

    asks = [Ask("POST", path, body=b"{}") for path in ("/1", "/2")]
    with Server(first, answer(body={"id": "second"})) as server:
        got = client.run(policies(FakeClock()), server.url, *asks, operations={"post": {"reconcile": reconcile}})
    assert [json.loads(answer.text)["id"] for answer in got] == ["first", "second"]
    assert len(lookups) == 1


@every_client
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirected_write_is_looked_up_and_not_followed(client: HttpClient, status: int) -> None:
    """A redirect proves nothing: the order is looked up, and no second request is made for it."""
    with Server(answer(status, "", Location="/other"), answer(body={"id": "mine"})) as server:
        operations = {"post": {"reconcile": client.look_up(server.url)}}
        (got,) = client.run(
            policies(FakeClock()), server.url, Ask("POST", "/orders", body=b"{}"), operations=operations
        )
    assert got == Got(200, '{"id": "mine"}')
    assert [(request.method, request.path.partition("/")[2][:6]) for request in server.requests] == [
        ("POST", "orders"),
        ("GET", "orders"),
    ]


@every_client
def test_a_redirected_write_without_a_reconciler_is_uncertain(client: HttpClient) -> None:
    """The caller gets the redirect itself, and the report says "maybe"; a GET is followed as before."""
    reports: list[Any] = []
    rules = policies(FakeClock())
    rules.subscribe(lambda event: reports.append((event.code, event.executed)))
    with Server(answer(307, "", Location="/other"), answer()) as server:
        (got,) = client.run(rules, server.url, Ask("POST", "/", body=b"{}"))
    assert got == Got(307, "")
    assert reports[-1] == ("no_final_answer", "maybe")
    with Server(answer(307, "", Location="/other"), answer()) as server:
        assert client.run(policies(FakeClock()), server.url, Ask("GET")) == [Got(200, "fine")]


def test_the_failure_of_a_response() -> None:
    """`failure_of` says of a response with status 200 why it is none."""
    with Server(answer(200, b"")) as server, requests.Session() as plain:
        session = wrap(plain, "p", policies=policies(FakeClock()), operations={"post": {"key": "X-Key"}})
        failure = failure_of(session.post(server.url))
    assert (failure.executed, failure.code, failure.http_status) == ("maybe", "decode_error", 200)
    assert len(failure.key or "") == 32
