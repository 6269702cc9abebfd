"""What a user of a plain HTTP client sees, for every client on real sockets."""

from __future__ import annotations

import pickle
import socket
import threading
from typing import Any

import pytest

from resilience import ApiError, RejectedError, failure_of
from resilience.testing import FakeClock
from tests.integrations.http_clients import (
    Ask,
    Got,
    HttpClient,
    every_client,
    every_partial_reader,
    every_streaming_aware_client,
    every_wrapped_client,
    policies,
)
from tests.integrations.server import Server, answer, drop_after, keep, raw, reply

POST = Ask("POST", "/orders", body=b"{}")


def refused_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@every_client
def test_a_read_recovers(client: HttpClient) -> None:
    """A GET that gets a 503 or no response is retried after the scheduled delay."""
    clock = FakeClock()
    with Server(answer(503), drop_after, answer()) as server:
        assert client.run(policies(clock), server.url, Ask()) == [Got(200, "fine")]
    assert [request.method for request in server.requests] == ["GET"] * 3
    assert clock.sleeps == [1.0, 1.0]


@every_client
def test_an_error_status_comes_back_as_a_response(client: HttpClient) -> None:
    """When the attempts are exhausted, the caller gets the last response with its body; a 404 is not retried."""
    with Server(answer(404, "nothing"), answer(503, "busy")) as server:
        got = client.run(policies(FakeClock()), server.url, Ask(), Ask())
    assert got == [Got(404, "nothing"), Got(503, "busy")]
    assert len(server.requests) == 4


@every_client
def test_a_retry_after_is_respected(client: HttpClient) -> None:
    """The delay is at least the server's `Retry-After`; a POST that got a 429 is sent again."""
    clock = FakeClock()
    with Server(answer(429, Retry_After="7"), answer()) as server:
        assert client.run(policies(clock), server.url, POST) == [Got(200, "fine")]
    assert clock.sleeps == [7.0]
    assert [request.body for request in server.requests] == [b"{}", b"{}"]


@every_client
def test_an_uncertain_write_is_not_resent(client: HttpClient) -> None:
    """A POST whose response was lost is sent once, without a key that was not configured, and is uncertain."""
    with Server(drop_after) as server:
        (error,) = client.run(policies(FakeClock()), server.url, POST)
    assert len(server.requests) == 1
    assert "idempotency-key" not in server.requests[0].headers
    assert isinstance(error, client.error)
    assert failure_of(error).executed == "maybe"


@every_client
def test_a_keyed_write_is_looked_up(client: HttpClient) -> None:
    """With a reconciler the write is looked up by its key, and the order is placed once."""
    with Server(drop_after, answer(body="booked")) as server:
        operations = {"post": {"reconcile": client.look_up(server.url)}}
        assert client.run(policies(FakeClock()), server.url, POST, operations=operations) == [Got(200, "booked")]
    post, lookup = server.requests
    assert (post.method, lookup.path) == ("POST", f"/orders/{post.headers['idempotency-key']}")


@every_client
def test_a_write_that_did_not_happen_is_sent_again(client: HttpClient) -> None:
    """After the fence "not found" is proof, and the next attempt has the same key."""
    clock = FakeClock()
    with Server(drop_after, answer(404), answer(404), answer(body={"id": 7})) as server:
        operations = {"post": {"reconcile": client.look_up(server.url)}}
        assert client.run(policies(clock), server.url, POST, operations=operations) == [Got(200, '{"id": 7}')]
    assert [request.method for request in server.requests] == ["POST", "GET", "GET", "POST"]
    assert sum(clock.sleeps) == pytest.approx(5, abs=0.01)
    first, *_, last = server.requests
    assert first.headers["idempotency-key"] == last.headers["idempotency-key"]


@every_client
def test_a_plain_client_buys_twice(client: HttpClient) -> None:
    """The trap: a server that forgets a key once its order is filled executes what a plain client resends."""
    ask = POST._replace(headers={"Idempotency-Key": "mine"})
    with Server(drop_after) as server:
        client.play(client.plain, server.url, ask, ask)
        assert [request.headers["idempotency-key"] for request in server.requests] == ["mine", "mine"]
    with Server(drop_after, answer(body="filled")) as server:
        operations = {"post": {"reconcile": client.look_up(server.url)}}
        assert client.run(policies(FakeClock()), server.url, ask, operations=operations) == [Got(200, "filled")]
    assert [request.method for request in server.requests] == ["POST", "GET"]
    assert server.requests[1].path == "/orders/mine"


@every_client
@pytest.mark.parametrize("name", ["x-client-id", "X-CLIENT-ID"])
def test_the_callers_own_key(client: HttpClient, name: str) -> None:
    """The rules choose the header's name; the caller's own value is kept, whatever the case of its name."""
    with Server(answer(429), answer()) as server:
        operations = {"post": {"key": "X-Client-Id"}}
        asks = [POST._replace(headers={name: "mine"}), POST]
        client.run(policies(FakeClock()), server.url, *asks, operations=operations)
    keys = [request.headers["x-client-id"] for request in server.requests]
    assert keys[:2] == ["mine", "mine"]
    assert len(keys[2]) == 32


@every_client
def test_a_body_that_cannot_be_replayed_is_sent_once(client: HttpClient) -> None:
    """The first attempt consumes a generator."""
    with Server(answer(503, "busy"), answer()) as server:
        assert client.run(policies(FakeClock()), server.url, Ask("PUT", body=True)) == [Got(503, "busy")]
    assert [request.body for request in server.requests] == [b"piece"]


@every_client
def test_operations_by_path(client: HttpClient) -> None:
    """A glob with a path names the operation, and sets its policy."""
    operation_names: list[Any] = []
    rules = policies(FakeClock())
    rules.subscribe(lambda event: operation_names.append(event.operation))
    with Server(answer(503)) as server:
        operations = {"post /orders/*": {"policy": "p", "idempotent": True}}
        client.run(rules, server.url, Ask("POST", "/orders/7", body=b""), operations=operations)
    assert len(server.requests) == 3
    assert set(operation_names) == {"post /orders/*"}


@every_client
def test_a_rejection_is_also_the_clients_own_error(client: HttpClient) -> None:
    """An open breaker rejects with an error that the client's users catch; it can be pickled."""
    rules = policies(FakeClock(), retry=None, breaker={"consecutive": 1, "open_for": "5s"})
    with Server(drop_after) as server:
        _, rejection = client.run(rules, server.url, Ask(), Ask())
    assert len(server.requests) == 1
    assert isinstance(rejection, RejectedError)
    assert isinstance(rejection, client.error)
    assert failure_of(rejection).executed == "no"
    again = pickle.loads(pickle.dumps(rejection))
    assert (type(again), str(again), again.retry_after) == (type(rejection), str(rejection), 5.0)
    if "httpx" in client.name:
        assert str(rejection.request.url) == f"{server.url}/"


@every_partial_reader
@pytest.mark.parametrize("kind", ["text/plain", "application/json"])
def test_streams_are_not_read(client: HttpClient, kind: str) -> None:
    """The caller gets the first piece of a body that never ends."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: 100\r\n\r\nhalf of it"
    with Server(raw(head.encode(), hold=True)) as server:
        (got,) = client.run(policies(FakeClock()), server.url, Ask(chunk=True))
    assert got.status == 200
    assert "half of it".startswith(got.text)


@every_streaming_aware_client
def test_an_envelope_is_not_read_for_a_streaming_caller(client: HttpClient) -> None:
    """If the integration knows that its caller streams, a JSON body is not read."""
    head = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"code"'
    with Server(raw(head, hold=True)) as server:
        got = client.run(policies(FakeClock(), codes=["bitget"]), server.url, Ask(chunk=True))
    assert got == [Got(200, '{"code"')]


@every_client
def test_an_error_under_200_is_seen(client: HttpClient) -> None:
    """With an envelope a JSON body is read within the attempt: a code in it is classified as an error and retried."""
    busy, poor = {"code": "429", "msg": "Too Many Requests"}, {"code": "43012", "msg": "Insufficient balance"}
    with Server(answer(body=busy), answer(body=poor)) as server:
        (error,) = client.run(policies(FakeClock(), codes=["bitget", "http"]), server.url, Ask())
    assert isinstance(error, ApiError)
    assert (error.code, failure_of(error).category, len(server.requests)) == ("43012", "user_fixable", 2)


@every_client
@pytest.mark.parametrize("chunk", [False, True])
def test_a_body_that_was_read_for_its_envelope_is_still_there(client: HttpClient, chunk: bool) -> None:
    """The caller gets a good response whole, read at once or streamed."""
    with Server(answer(body={"code": "00000", "data": 1})) as server:
        (got,) = client.run(policies(FakeClock(), codes=["bitget"]), server.url, Ask(chunk=chunk))
    whole = '{"code": "00000", "data": 1}'
    assert got.text == (whole[: len(got.text)] if chunk else whole)


@every_client
def test_a_discarded_response_is_closed(client: HttpClient) -> None:
    """A streaming caller's retry starts after the previous connection was closed: the pool may have only one."""
    over, seen = threading.Event(), []

    def busy(connection: Any) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 503 Busy\r\nContent-Length: 10\r\n\r\nhalf")
        if connection.ended():
            over.set()

    def then(connection: Any) -> None:
        seen.append(over.wait(60))
        answer()(connection)

    with Server(busy, then) as server:
        assert client.run(policies(FakeClock()), server.url, Ask(chunk=True)) == [Got(200, "fine")]
    assert seen == [True]


@every_wrapped_client
@pytest.mark.parametrize("then", ["refused", "429"])
def test_after_a_redirect_a_write_is_uncertain(client: HttpClient, then: str) -> None:
    """The server that redirected a POST may have executed it: a failure of the next hop must not lead to a resend."""
    where = f"http://127.0.0.1:{refused_port()}/" if then == "refused" else "/done"
    with Server(answer(303, "", Location=where), answer(429)) as server:
        (got,) = client.run(policies(FakeClock(), follow_redirects=True), server.url, POST)
    assert [request.method for request in server.requests].count("POST") == 1
    if then == "refused":
        assert failure_of(got).executed == "maybe"
    else:
        assert got.status == 429


@every_client
@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("then", [429, 400, 503])
def test_a_redirect_that_keeps_the_method_is_sent_once(client: HttpClient, status: int, then: int) -> None:
    """Each hop is a write of its own: neither is repeated, and the failure of the second says nothing of the first."""
    events: list[Any] = []
    following = policies(FakeClock(), follow_redirects=True)
    following.subscribe(events.append)
    with Server(answer(status, "", Location="/done"), answer(then)) as server:
        (got,) = client.run(following, server.url, POST)
    assert [request.method for request in server.requests] == ["POST", "POST"]
    assert got.status == then
    assert [event.executed for event in events if event.name == "call_failed"] == ["maybe"]


@every_client
def test_a_kept_connection_that_breaks_is_uncertain(client: HttpClient) -> None:
    """A POST on a kept connection that the server closes may have been executed."""

    def twice(connection: Any) -> None:
        keep(reply())(connection)
        connection.request()

    with Server(twice) as server:
        first, error = client.run(policies(FakeClock()), server.url, POST, POST)
    assert first == Got(200, "fine")
    assert failure_of(error).executed == "maybe"
    assert len(server.requests) == 2


@every_client
def test_each_attempt_has_its_number_in_a_header_if_the_policy_wants_it(client: HttpClient) -> None:
    """A server or a proxy can see how much of its load are retries."""
    with Server(answer(503), answer(503), answer()) as server:
        client.run(policies(FakeClock(), attempt_header="X-Attempt"), server.url, Ask())
    assert [request.headers["x-attempt"] for request in server.requests] == ["1", "2", "3"]
