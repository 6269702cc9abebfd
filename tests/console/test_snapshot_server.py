"""The server of a running bot's state: who may ask for what, and what is answered to everybody else."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from resilience import Policies, PolicyError
from resilience.console import serve_snapshot
from tests.conftest import Driver
from tests.console.event_stream import EventStream, ask


class SwitchablePolicies:
    """Policies that record what is switched, in place of real ones."""

    def __init__(self) -> None:
        self.switched: list[tuple[Any, ...]] = []
        self.state: dict[str, Any] = {"at": 5.0, "holds": [], "healthy": True, "isolated": []}

    def snapshot(self) -> dict[str, Any]:
        return self.state

    def isolate(self, policy: str | None = None, *, reason: str = "", cancels: bool = False) -> None:
        if policy == "no":
            raise PolicyError("bot.yaml: no policy 'no'")
        self.switched.append(("isolate", policy, reason, cancels))
        self.state = {**self.state, "healthy": False, "isolated": [{"policy": policy, "reason": reason}]}

    def release(self, policy: str | None = None, *, reason: str = "") -> None:
        self.switched.append(("release", policy))

    def subscribe(self, listener: Any) -> Callable[[], None]:
        return lambda: None


@pytest.fixture
def policies() -> SwitchablePolicies:
    """Policies that record what is switched."""
    return SwitchablePolicies()


@pytest.fixture
def url(policies: SwitchablePolicies) -> Iterator[str]:
    """The URL of a server whose token is `open-sesame`; reading needs it too."""
    with serve_snapshot(policies, token="open-sesame") as server:
        yield server.url


TOKEN = {"Authorization": "Bearer open-sesame"}


@pytest.fixture
def open_url(policies: SwitchablePolicies) -> Iterator[str]:
    """The URL of a server that everybody on this machine may read."""
    with serve_snapshot(policies) as server:
        yield server.url


def server_threads() -> list[str]:
    """Return the names of the threads of all servers."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("resilience-snapshot")]


def failing() -> None:
    """Fail as an API does."""
    raise ConnectionError("down")


def test_policies_serve_their_snapshot() -> None:
    """The answer is what `snapshot()` returns, and no cache may keep it."""
    policies = Policies.builtin()
    with policies.serve_snapshot() as server:
        reply = ask(server.url)
        assert (reply.status, reply.body.keys()) == (200, policies.snapshot().keys())
        assert (reply.headers["Cache-Control"], reply.headers["Server"]) == ("no-store", "resilience")
        assert server.token not in repr(server)
        assert server.url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "", "10.0.0.1", "intranet", "127.0.0.1.evil.example", "[::2]", "[", "0"]
)
def test_a_rebound_domain_is_refused(open_url: str, host: str) -> None:
    """A page whose domain resolves to this machine reads nothing: its domain is in `Host`."""
    reply = ask(open_url, Host=host)
    assert (reply.status, reply.body) == (403, {"error": "Host: expected localhost or a loopback address"})


@pytest.mark.parametrize("host", ["localhost", "localhost:9000", "127.0.0.1", "127.1.2.3:80", "[::1]:80"])
def test_names_of_this_machine_are_accepted(open_url: str, host: str) -> None:
    """A tunnel has another port, and curl may use any name of loopback."""
    assert ask(open_url, Host=host).status == 200


@pytest.mark.parametrize("path", ["/snapshot", "/events", "/actions/isolate"])
@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"}]
)
def test_a_page_of_another_origin_is_refused(open_url: str, path: str, headers: dict[str, str]) -> None:
    """Neither a read nor an event stream nor a post of another page gets through."""
    assert ask(open_url, path, "POST" if "actions" in path else "GET", "{}", **headers).status == 403


def test_a_page_of_this_server_is_accepted(open_url: str) -> None:
    """The console is such a page."""
    host = urlsplit(open_url).netloc
    assert ask(open_url, Host=host, Origin=open_url, Sec_Fetch_Site="same-origin").status == 200


def test_two_hosts_are_refused(open_url: str) -> None:
    """A proxy and this server could read different ones."""
    address = urlsplit(open_url)
    with socket.create_connection((address.hostname, address.port), 60) as connection:
        connection.sendall(b"GET /snapshot HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("sent", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic open-sesame"}])
def test_an_action_needs_the_token(url: str, policies: SwitchablePolicies, sent: dict[str, str]) -> None:
    """Without it nothing is switched, and the answer says where the token belongs."""
    reply = ask(url, "/actions/isolate", "POST", {}, **sent)
    assert (reply.status, reply.headers["WWW-Authenticate"], policies.switched) == (401, "Bearer", [])
    assert reply.body["error"].startswith("the token is missing or wrong; send it in the header Authorization")


def test_a_given_token_protects_reading_too(url: str) -> None:
    """With `token=` nobody else on this machine reads the state."""
    assert [ask(url).status, ask(url, "/events").status, ask(url, **TOKEN).status] == [401, 401, 200]


def test_a_random_token_protects_actions_alone(policies: SwitchablePolicies) -> None:
    """Reading is open, and each server makes a token of its own."""
    with serve_snapshot(policies) as server, serve_snapshot(policies) as other:
        assert ask(server.url).status == 200
        assert ask(server.url, "/actions/isolate", "POST", {}).status == 401
        assert ask(server.url, "/actions/isolate", "POST", {}, Authorization=f"Bearer {other.token}").status == 401
        assert ask(server.url, "/actions/isolate", "POST", {}, Authorization=f"bearer {server.token}").status == 200


def test_actions_switch(url: str, policies: SwitchablePolicies) -> None:
    """They are the methods of `Policies`, and the answer says what is isolated then."""
    body = {"policy": "bitget", "reason": "maintenance", "cancels": True}
    reply = ask(url, "/actions/isolate", "POST", body, **TOKEN)
    isolated = [{"policy": "bitget", "reason": "maintenance"}]
    assert reply.body == {"action": "isolate", "policy": "bitget", "healthy": False, "isolated": isolated}
    assert ask(url, "/actions/release", "POST", {"policy": "bitget", "reason": "done"}, **TOKEN).status == 200
    assert ask(url, "/actions/isolate", "POST", {}, **TOKEN).status == 200
    expected = [("isolate", "bitget", "maintenance", True), ("release", "bitget"), ("isolate", None, "", False)]
    assert policies.switched == expected


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ("", 400, "the body is not JSON"),
        ("{", 400, "the body is not JSON"),
        ("[" * 10_000, 400, "the body is not JSON"),
        (b"\xff\xfe\xfd", 400, "the body is not JSON"),
        ("[]", 400, "the body is no JSON object"),
        ('{"polcy": "bitget"}', 400, "'polcy': unknown key; isolate takes policy, reason, cancels"),
        ('{"policy": 3}', 400, "policy: expected a policy's name, or null for all"),
        ('{"reason": null}', 400, "reason: expected a string"),
        ('{"cancels": 1}', 400, "cancels: expected true or false"),
        ({"reason": "x" * 501}, 400, "reason: at most 500 characters"),
        ('{"policy": "no"}', 404, "bot.yaml: no policy 'no'"),
        (b" " * 20_000, 413, "the body has more than 16384 bytes"),
        (b" " * 3_000_000, 413, "the body has more than 16384 bytes"),
    ],
)
def test_a_wrong_body(url: str, policies: SwitchablePolicies, body: Any, status: int, message: str) -> None:
    """Nothing is switched, and the answer says what was expected."""
    reply = ask(url, "/actions/isolate", "POST", body, **TOKEN)
    assert (reply.status, policies.switched) == (status, [])
    assert reply.body["error"].startswith(message)


@pytest.mark.parametrize("length", ["", "x", "-1", "²", "9" * 5_000])
def test_a_wrong_length(url: str, length: str) -> None:
    """A body without a known length is not read."""
    reply = ask(url, "/actions/isolate", "POST", **TOKEN, Content_Length=length.encode().decode("latin-1"))
    assert reply.status == (413 if "9" in length else 411)


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("GET", "/", 404, None),
        ("GET", "/snapshot/", 404, None),
        ("GET", "/actions/isolate", 405, "POST"),
        ("POST", "/snapshot", 405, "GET, HEAD"),
        ("HEAD", "/events", 405, "GET"),
        ("PUT", "/snapshot", 405, None),
        ("HEAD", "/snapshot", 200, None),
        ("GET", "/snapshot?since=1", 200, None),
    ],
)
def test_paths_and_methods(url: str, method: str, path: str, status: int, allowed: str | None) -> None:
    """A wrong one is an error with its status; a `HEAD` has no body."""
    reply = ask(url, path, method, **TOKEN)
    assert (reply.status, reply.headers["Allow"]) == (status, allowed)
    assert (reply.body is None) == (method == "HEAD")


def test_what_is_no_http_is_refused(open_url: str) -> None:
    """The answer is JSON, and no page with the server's version."""
    address = urlsplit(open_url)
    with socket.create_connection((address.hostname, address.port), 60) as connection:
        connection.sendall(b"GARBAGE\r\n\r\n")
        assert b'{"error": "Bad request syntax' in b"".join(iter(lambda: connection.recv(1_000), b""))


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", b"Content-Length: 26"),
        ("POST", b"Content-Length: 2\r\nContent-Length: 28"),
        ("POST", b"Content-Length: 2\r\nTransfer-Encoding: chunked"),
    ],
)
def test_no_request_hides_in_a_body(url: str, policies: SwitchablePolicies, method: str, headers: bytes) -> None:
    """A body that is not read, or whose end is unclear, is refused with its connection."""
    address, path = urlsplit(url), "/snapshot" if method == "GET" else "/actions/isolate"
    head = f"{method} {path} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: {TOKEN['Authorization']}\r\n"
    with socket.create_connection((address.hostname, address.port), 60) as connection:
        connection.sendall(head.encode() + headers + b"\r\n\r\n{}GET /hidden HTTP/1.1\r\n\r\n")
        got = b"".join(iter(lambda: connection.recv(1_000), b""))
    assert (got.count(b"HTTP/1.1 "), got[9:12], policies.switched) == (1, b"400", [])


def test_a_snapshot_that_fails_is_no_traceback(policies: SwitchablePolicies, open_url: str) -> None:
    """The class of the error is named, and its text is not."""
    policies.snapshot = lambda: 1 / 0  # type: ignore[method-assign, assignment, return-value]
    reply = ask(open_url)
    assert (reply.status, reply.body) == (500, {"error": "internal error: ZeroDivisionError"})


def test_secrets_are_not_sent(policies: SwitchablePolicies) -> None:
    """Neither a secret of an API in the state nor the token; infinity, which JSON has not, is null."""
    with serve_snapshot(policies, token="open-sesame") as server:
        why = "apiKey=ab12cd34 and open-sesame"
        policies.state = {"at": 1.0, "isolated": [{"reason": why, "since": float("inf")}]}
        reply = ask(server.url, **TOKEN)
    assert reply.body["isolated"] == [{"reason": "apiKey=[redacted] and [redacted]", "since": None}]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "", "example.com", "::", None])
def test_only_loopback_is_served(policies: SwitchablePolicies, host: Any) -> None:
    """Another host would show the state to the network."""
    with pytest.raises(ValueError, match="host: expected a loopback address"):
        serve_snapshot(policies, host=host)


@pytest.mark.parametrize("port", [-1, 65_536, True, "80", None])
def test_a_wrong_port(policies: SwitchablePolicies, port: Any) -> None:
    """The message has the range."""
    with pytest.raises(ValueError, match="port: expected a port from 0 to 65535"):
        serve_snapshot(policies, port=port)


@pytest.mark.parametrize("token", ["", "two words", "ümlaut", "a\nb", 5])
def test_a_wrong_token(policies: SwitchablePolicies, token: Any) -> None:
    """A token that no header can carry is refused at once, and not shown."""
    with pytest.raises(ValueError, match=r"^token: expected printable ASCII characters without spaces$"):
        serve_snapshot(policies, token=token)


def test_a_port_in_use_is_named(policies: SwitchablePolicies, open_url: str) -> None:
    """The operating system's own text does not say which port it was."""
    port = urlsplit(open_url).port
    with pytest.raises(OSError, match=f"127.0.0.1:{port}"):
        serve_snapshot(policies, port=port or 0)


def test_close_ends_everything(policies: SwitchablePolicies) -> None:
    """Streams, idle connections and threads end, the port is free, and a second close does nothing."""
    before = server_threads()
    server = serve_snapshot(policies)
    address = urlsplit(server.url)
    streams = [EventStream(server.url) for _ in range(3)]
    for stream in streams:
        stream.first("snapshot")
    with socket.create_connection((address.hostname, address.port), 60) as idle:
        server.close()
        with contextlib.suppress(ConnectionResetError):  # it may not have been accepted yet
            assert idle.recv(1) == b""
    for stream in streams:
        stream.answer.read()  # ends, where an open stream would go on
        stream.close()
    assert server_threads() == before
    server.close()
    serve_snapshot(policies, port=address.port or 0).close()


def test_decisions_arrive_as_they_happen(driver: Driver) -> None:
    """A viewer gets a snapshot at once, then the events of the calls that fail, whatever kind of program it is."""
    policies = Policies.from_mapping({"policies": {"once": {"retry": {"max_attempts": 1}}}})
    call = policies.pipeline("once", operation="fetch").compile(driver.function(failing))
    with policies.serve_snapshot() as server:
        stream = EventStream(server.url)
        assert stream.answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert stream.first("snapshot").keys() == policies.snapshot().keys()
        with pytest.raises(ConnectionError):
            driver.call(call)
        event = next(data for kind, data in stream.events() if kind == "decision" and data["name"] == "call_failed")
        assert (event["operation"], event["level"], event["policy"]) == ("fetch", "warning", "once")
        stream.close()


def test_snapshots_come_again(policies: SwitchablePolicies, open_url: str) -> None:
    """The stream has one about every second, with the state of that moment."""
    stream = EventStream(open_url)
    assert stream.first("snapshot")["healthy"] is True
    policies.isolate("bitget")
    assert next(data for _, data in stream.events() if not data["healthy"])["isolated"][0]["policy"] == "bitget"
    stream.close()


def test_fifty_viewers(driver: Driver) -> None:
    """Each gets every decision."""
    policies = Policies.from_mapping({"policies": {"once": {"retry": {"max_attempts": 1}}}})
    call = policies.pipeline("once", operation="fetch").compile(driver.function(failing))
    with policies.serve_snapshot() as server:
        streams = [EventStream(server.url) for _ in range(50)]
        for stream in streams:
            stream.first("snapshot")
        for _ in range(3):
            with pytest.raises(ConnectionError):
                driver.call(call)
        for stream in streams:
            ends = (data for kind, data in stream.events() if kind == "decision" and data["name"] == "call_failed")
            assert len({next(ends)["call"] for _ in range(3)}) == 3
            stream.close()


def test_a_viewer_too_many(policies: SwitchablePolicies, open_url: str) -> None:
    """The answer says so; the others keep their streams, and one that leaves makes room."""
    streams = [EventStream(open_url) for _ in range(64)]
    reply = ask(open_url, "/events")
    assert (reply.status, reply.headers["Retry-After"]) == (503, "5")
    assert reply.body["error"].startswith("there are 64 viewers already")
    assert ask(open_url).status == 200
    for stream in streams:
        stream.first("snapshot")
        stream.close()


def test_a_stuck_viewer_slows_no_call(driver: Driver) -> None:
    """It stops reading, 1,000 calls fail as ever, and later it gets each decision or learns how many were dropped."""
    policies = Policies.from_mapping({"policies": {"once": {"retry": {"max_attempts": 1}, "breaker": "off"}}})
    events: list[Any] = []
    call = policies.pipeline("once", operation="fetch").compile(driver.function(failing))
    with policies.serve_snapshot() as server:
        stuck = EventStream(server.url)
        stuck.first("snapshot")
        policies.subscribe(events.append)
        for _ in range(1_000 if driver.kind == "sync" else 100):
            with pytest.raises(ConnectionError):
                driver.call(call)
        seen = 0
        for kind, data in stuck.events():
            seen += {"decision": 1, "dropped": data.get("count", 0)}.get(kind, 0)
            if seen >= len(events):
                break
        assert seen == len(events) >= 100
        stuck.close()


FORK = """
import os, sys, warnings
warnings.simplefilter("ignore")
from resilience import Policies
from tests.console.event_stream import EventStream, ask
server = Policies.builtin().serve_snapshot()
stream = EventStream(server.url)
stream.first("snapshot")
port = int(server.url.rpartition(":")[2])
child = os.fork()
if child == 0:
    server.close()
    with Policies.builtin().serve_snapshot() as own:
        assert ask(own.url).status == 200
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert ask(server.url).status == 200
stream.first("snapshot")
server.close()
print("served on")
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
def test_a_forked_child_does_not_serve() -> None:
    """The child closes its copies of the sockets; the parent and its streams serve on, and a child may serve itself."""
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("served on\n", "")


@pytest.mark.slow
def test_a_bot_that_does_not_serve_imports_no_server() -> None:
    """`http.server` and its friends are imported with the first server."""
    code = (
        "import sys, resilience as r; r.Policies.builtin(); print('resilience.console.snapshot_server' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "False\n"
