"""What a user of a plain HTTP client sees, told once and run through every client on real sockets."""

from __future__ import annotations

import pickle
import socket
import threading
from typing import Any

import pytest

from resilience import ApiError, RejectedError, failure_of
from resilience.integrations._time_limits import shorter_timeout
from resilience.testing import FakeClock
from tests.integrations.http_clients import (
    Ask,
    Got,
    HttpClient,
    every_client,
    every_endless_reader,
    every_telling_client,
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
    """A GET that is answered 503 is tried again after the schedule's wait."""
    clock = FakeClock()
    with Server(answer(503), drop_after, answer()) as server:
        assert client.run(policies(clock), server.url, Ask()) == [Got(200, "fine")]
    assert [one.method for one in server.requests] == ["GET"] * 3
    assert clock.sleeps == [1.0, 1.0]


@every_client
def test_an_error_status_comes_back_as_a_response(client: HttpClient) -> None:
    """When attempts run out the caller has the last response, body and all; a 404 is not tried again."""
    with Server(answer(404, "nothing"), answer(503, "busy")) as server:
        got = client.run(policies(FakeClock()), server.url, Ask(), Ask())
    assert got == [Got(404, "nothing"), Got(503, "busy")]
    assert len(server.requests) == 4


@every_client
def test_a_retry_after_is_heard(client: HttpClient) -> None:
    """The server's own wish is a floor; a POST that it refused so is sent again."""
    clock = FakeClock()
    with Server(answer(429, Retry_After="7"), answer()) as server:
        assert client.run(policies(clock), server.url, POST) == [Got(200, "fine")]
    assert clock.sleeps == [7.0]
    assert [one.body for one in server.requests] == [b"{}", b"{}"]


@every_client
def test_a_write_in_doubt_is_not_resent(client: HttpClient) -> None:
    """A POST whose answer was lost is sent once, carries no key that nobody asked for, and is told as in doubt."""
    with Server(drop_after) as server:
        (error,) = client.run(policies(FakeClock()), server.url, POST)
    assert len(server.requests) == 1
    assert "idempotency-key" not in server.requests[0].headers
    assert isinstance(error, client.error)
    assert failure_of(error).executed == "maybe"


@every_client
def test_a_keyed_write_is_looked_up(client: HttpClient) -> None:
    """With a reconciler the lost answer is found by the key, and the order is placed once."""
    with Server(drop_after, answer(body="booked")) as server:
        operations = {"post": {"reconcile": client.look_up(server.url)}}
        assert client.run(policies(FakeClock()), server.url, POST, operations=operations) == [Got(200, "booked")]
    post, look = server.requests
    assert (post.method, look.path) == ("POST", f"/orders/{post.headers['idempotency-key']}")


@every_client
def test_a_write_that_did_not_happen_is_sent_again(client: HttpClient) -> None:
    """Past the fence "not found" is believed, and the next attempt carries the same key."""
    clock = FakeClock()
    with Server(drop_after, answer(404), answer(404), answer(body="placed")) as server:
        operations = {"post": {"reconcile": client.look_up(server.url)}}
        assert client.run(policies(clock), server.url, POST, operations=operations) == [Got(200, "placed")]
    assert [one.method for one in server.requests] == ["POST", "GET", "GET", "POST"]
    assert sum(clock.sleeps) == pytest.approx(5, abs=0.01)
    first, *_, last = server.requests
    assert first.headers["idempotency-key"] == last.headers["idempotency-key"]


@every_client
def test_a_plain_client_buys_twice(client: HttpClient) -> None:
    """The trap: a server that forgets a key once its order is filled executes a plain client's resend."""
    ask = POST._replace(headers={"Idempotency-Key": "mine"})
    with Server(drop_after) as server:
        client.play(client.plain, server.url, ask, ask)
        assert [one.headers["idempotency-key"] for one in server.requests] == ["mine", "mine"]
    with Server(drop_after, answer(body="filled")) as server:
        operations = {"post": {"reconcile": client.look_up(server.url)}}
        assert client.run(policies(FakeClock()), server.url, ask, operations=operations) == [Got(200, "filled")]
    assert [one.method for one in server.requests] == ["POST", "GET"]
    assert server.requests[1].path == "/orders/mine"


@every_client
@pytest.mark.parametrize("name", ["x-client-id", "X-CLIENT-ID"])
def test_the_callers_own_key(client: HttpClient, name: str) -> None:
    """The header's name is the rules' to choose; a value of the caller's is kept, however its name is spelled."""
    with Server(answer(429), answer()) as server:
        operations = {"post": {"key": "X-Client-Id"}}
        asks = [POST._replace(headers={name: "mine"}), POST]
        client.run(policies(FakeClock()), server.url, *asks, operations=operations)
    keys = [one.headers["x-client-id"] for one in server.requests]
    assert keys[:2] == ["mine", "mine"]
    assert len(keys[2]) == 32


@every_client
def test_a_body_that_cannot_be_replayed_is_sent_once(client: HttpClient) -> None:
    """A generator is spent by its first attempt."""
    with Server(answer(503, "busy"), answer()) as server:
        assert client.run(policies(FakeClock()), server.url, Ask("PUT", body=True)) == [Got(503, "busy")]
    assert [one.body for one in server.requests] == [b"piece"]


@every_client
def test_operations_by_path(client: HttpClient) -> None:
    """A glob with a path names the operation, and its policy is another."""
    told: list[Any] = []
    rules = policies(FakeClock())
    rules.subscribe(lambda event: told.append(event.operation))
    with Server(answer(503)) as server:
        operations = {"post /orders/*": {"policy": "p", "idempotent": True}}
        client.run(rules, server.url, Ask("POST", "/orders/7", body=b""), operations=operations)
    assert len(server.requests) == 3
    assert set(told) == {"post /orders/*"}


@every_client
def test_a_refusal_is_also_the_clients_own_error(client: HttpClient) -> None:
    """An open breaker refuses in words that the client's users catch; the refusal can be pickled."""
    rules = policies(FakeClock(), retry=None, breaker={"consecutive": 1, "open_for": "5s"})
    with Server(drop_after) as server:
        _, refusal = client.run(rules, server.url, Ask(), Ask())
    assert len(server.requests) == 1
    assert isinstance(refusal, RejectedError)
    assert isinstance(refusal, client.error)
    assert failure_of(refusal).executed == "no"
    again = pickle.loads(pickle.dumps(refusal))
    assert (type(again), str(again), again.retry_after) == (type(refusal), str(refusal), 5.0)
    if "httpx" in client.name:
        assert str(refusal.request.url) == f"{server.url}/"


@every_endless_reader
@pytest.mark.parametrize("kind", ["text/plain", "application/json"])
def test_streams_are_not_read(client: HttpClient, kind: str) -> None:
    """The caller has the first piece of a body that never ends."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: 100\r\n\r\nhalf of it"
    with Server(raw(head.encode(), hold=True)) as server:
        (got,) = client.run(policies(FakeClock()), server.url, Ask(chunk=True))
    assert got.status == 200
    assert "half of it".startswith(got.text)


@every_telling_client
def test_a_streaming_caller_is_left_alone_under_an_envelope(client: HttpClient) -> None:
    """Where the client tells that its caller streams, a JSON body is not read either."""
    head = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"code"'
    with Server(raw(head, hold=True)) as server:
        got = client.run(policies(FakeClock(), codes=["bitget"]), server.url, Ask(chunk=True))
    assert got == [Got(200, '{"code"')]


@every_client
def test_an_error_under_200_is_seen(client: HttpClient) -> None:
    """With an envelope a JSON body is read within the attempt: a code in it is an error, classified and retried."""
    busy, poor = {"code": "429", "msg": "Too Many Requests"}, {"code": "43012", "msg": "Insufficient balance"}
    with Server(answer(body=busy), answer(body=poor)) as server:
        (error,) = client.run(policies(FakeClock(), codes=["bitget", "http"]), server.url, Ask())
    assert isinstance(error, ApiError)
    assert (error.code, failure_of(error).category, len(server.requests)) == ("43012", "user_fixable", 2)


@every_client
@pytest.mark.parametrize("chunk", [False, True])
def test_a_body_that_an_envelope_had_read_is_still_there(client: HttpClient, chunk: bool) -> None:
    """A good answer reaches the caller whole, read at once or streamed."""
    with Server(answer(body={"code": "00000", "data": 1})) as server:
        (got,) = client.run(policies(FakeClock(), codes=["bitget"]), server.url, Ask(chunk=chunk))
    whole = '{"code": "00000", "data": 1}'
    assert got.text == (whole[: len(got.text)] if chunk else whole)


@every_client
def test_an_answer_that_is_thrown_away_is_closed(client: HttpClient) -> None:
    """A streaming caller's retry begins when the connection before it has ended: it may be the only one."""
    over, seen = threading.Event(), []

    def busy(connection: Any) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 503 Busy\r\nContent-Length: 10\r\n\r\nhalf")
        if connection.ended():
            over.set()

    def then(connection: Any) -> None:
        seen.append(over.wait(5))
        answer()(connection)

    with Server(busy, then) as server:
        assert client.run(policies(FakeClock()), server.url, Ask(chunk=True)) == [Got(200, "fine")]
    assert seen == [True]


@every_wrapped_client
@pytest.mark.parametrize("then", ["refused", "429"])
def test_after_a_redirect_a_write_is_in_doubt(client: HttpClient, then: str) -> None:
    """Whoever redirected a POST may have carried it out: what befalls the next hop does not make it sendable again."""
    where = f"http://127.0.0.1:{refused_port()}/" if then == "refused" else "/done"
    with Server(answer(303, "", Location=where), answer(429)) as server:
        (got,) = client.run(policies(FakeClock()), server.url, POST)
    assert [one.method for one in server.requests].count("POST") == 1
    if then == "refused":
        assert failure_of(got).executed == "maybe"
    else:
        assert got.status == 429


@every_client
def test_a_connection_that_was_used_before_breaks_in_doubt(client: HttpClient) -> None:
    """A POST on a kept connection that the server drops may have been carried out."""

    def twice(connection: Any) -> None:
        keep(reply())(connection)
        connection.request()

    with Server(twice) as server:
        first, error = client.run(policies(FakeClock()), server.url, POST, POST)
    assert first == Got(200, "fine")
    assert failure_of(error).executed == "maybe"
    assert len(server.requests) == 2


def test_a_timeout_is_never_zero() -> None:
    """What is left of an attempt may be nothing; clients read 0 as no limit, or refuse it."""
    assert shorter_timeout(None, 0.0) == shorter_timeout(5.0, -1.0) == 0.001
    assert (shorter_timeout(None, 3.0), shorter_timeout(2.0, 3.0), shorter_timeout(4.0, 3.0)) == (3.0, 2.0, 3.0)


@every_client
def test_each_attempt_tells_its_number_where_the_policy_asks_for_it(client: HttpClient) -> None:
    """A server, or a proxy on the way, sees how much of its load are retries."""
    with Server(answer(503), answer(503), answer()) as server:
        client.run(policies(FakeClock(), attempt_header="X-Attempt"), server.url, Ask())
    assert [one.headers["x-attempt"] for one in server.requests] == ["1", "2", "3"]
