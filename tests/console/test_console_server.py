"""The console over HTTP: who may ask for what, what its streams send, and how it starts and ends."""

from __future__ import annotations

import http.client
import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest

from resilience import NOT_FOUND, Found, Policies
from resilience.console import serve, viewers
from resilience.telemetry.redaction import register_secret
from resilience.testing import FakeClock
from tests.console.event_stream import EventStream, ask

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")
web_server = pytest.importorskip("resilience.console.web_server")

RULES = {
    "trade": {"retry": "off", "deadline": "2s", "attempt_timeout": "1s"},
    "prices": {"retry": "off", "breaker": {"consecutive": 1, "open_for": "60s"}},
}
TOKEN = {"Authorization": "Bearer open-sesame"}


@pytest.fixture
def policies() -> Policies:
    """Two policies, on a clock of their own."""
    return Policies.from_mapping({"policies": RULES}, clock=FakeClock(), log=False)


@pytest.fixture
def url(policies: Policies) -> Iterator[str]:
    """The URL of a console whose token is `open-sesame`."""
    with serve(policies, token="open-sesame") as console:
        yield console.url


def fetch(url: str, path: str = "/", method: str = "GET", **headers: str) -> tuple[int, str, http.client.HTTPMessage]:
    """Return the answer to a request as text."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): text for name, text in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers
    finally:
        connection.close()


def post(url: str, action: str, **body: Any) -> Any:
    """Send an action with the token."""
    return ask(url, f"/actions/{action}", "POST", body, **TOKEN)


def test_the_page_is_open_and_strict(url: str) -> None:
    """Its files need no token, have nothing secret, and may load nothing from anywhere else."""
    for path, kind in (("/", "html"), ("/console.css", "css"), ("/console.js", "javascript"), ("/icon.svg", "svg")):
        status, text, headers = fetch(url, path)
        assert (status, kind in headers["Content-Type"], "open-sesame" in text) == (200, True, False)
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert (headers["X-Frame-Options"], headers["Cache-Control"]) == ("DENY", "no-store")
        assert headers["Server"] is None


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8700"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
    ],
)
@pytest.mark.parametrize("path", ["/", "/live", "/snapshot", "/actions/isolate", "/none"])
def test_pages_of_other_origins_are_refused(url: str, policies: Policies, path: str, headers: dict[str, str]) -> None:
    """A rebound domain, a cross-site post and a script of another page get nothing, with the token too."""
    method, body = ("POST", {}) if path.startswith("/actions") else ("GET", None)
    reply = ask(url, path, method, body, **TOKEN, **headers)
    assert (reply.status, list(reply.body)) == (403, ["error"])
    assert policies.snapshot()["isolated"] == []


@pytest.mark.parametrize("sent", [{}, {"Authorization": "Bearer open"}, {"Authorization": "open-sesame"}])
def test_the_token(url: str, sent: dict[str, str]) -> None:
    """A token that was given protects reading too."""
    for path, method in (("/live", "GET"), ("/events", "GET"), ("/snapshot", "GET"), ("/actions/isolate", "POST")):
        reply = ask(url, path, method, {} if method == "POST" else None, **sent)
        assert (reply.status, reply.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert post(url, "isolate", reason="stop").body["healthy"] is False


def test_a_random_token_is_printed_once(policies: Policies, capsys: pytest.CaptureFixture[str]) -> None:
    """Reading is open then, and actions are not."""
    with serve(policies) as console:
        assert ask(console.url).status == 200
        assert ask(console.url, "/actions/release", "POST", {}).status == 401
        printed = capsys.readouterr().err
        assert printed == f"resilience console: {console.url} (token for actions: {console.token})\n"
        assert console.token not in repr(console)


def test_wrong_requests(url: str) -> None:
    """Each gets a sentence, as from the snapshot server."""
    assert ask(url, "/none").status == 404
    assert ask(url, "/actions/isolate", **TOKEN).status == 405
    assert ask(url, "/actions/none", "POST", {}, **TOKEN).status == 404
    assert post(url, "isolate", policy="none").status == 404
    assert post(url, "isolate", reasons="x").body["error"].startswith("'reasons': unknown key; isolate takes")
    assert ask(url, "/actions/isolate", "POST", "x" * 20_000, **TOKEN).status == 413
    assert post(url, "close", policy="prices", key="none").status == 404
    assert post(url, "close", policy="prices").body["error"].startswith("key: missing; close takes for example")
    assert post(url, "look_up").body["error"].startswith("key: missing; look_up takes for example")
    assert post(url, "look_up", key="none").status == 409


def test_no_redirect_is_sent_to_anybody(url: str) -> None:
    """A path with a slash at its end is another path, and its answer has the checks and headers of all."""
    assert fetch(url, "/snapshot/", Host="evil.example")[0] == 403
    status, _, headers = fetch(url, "/snapshot/")
    assert (status, headers["Location"], headers["X-Frame-Options"]) == (404, None, "DENY")


def test_pages_that_are_opened_at_once(url: str) -> None:
    """Each gets the whole and then what changes: none is taken for a slow one because of the others."""
    streams = [live(url) for _ in range(12)]
    with ThreadPoolExecutor(12) as pool:
        assert {kind for kind, _ in pool.map(next, streams)} == {"whole"}
        for _ in range(2):
            assert {kind for kind, _ in pool.map(next, streams)} == {"change"}
    for stream in streams:
        stream.close()


def test_a_viewer_too_many(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer says so, and so does its status."""
    monkeypatch.setattr(viewers, "MAX_VIEWERS", 1)
    stream = EventStream(url, **TOKEN)
    stream.first("snapshot")
    reply = ask(url, "/events", **TOKEN)
    assert (reply.status, reply.headers["Retry-After"]) == (503, "5")
    stream.close()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux alone can tell")
def test_a_viewer_that_reads_nothing_is_disconnected(policies: Policies, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would keep its place from others for as long as it lives."""
    monkeypatch.setattr(web_server, "_SEND_TIMEOUT", 200)
    with serve(policies, token="open-sesame") as console, socket.socket() as stuck:
        address = urlsplit(console.url)
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
        stuck.connect((address.hostname, address.port))
        head = f"GET /events HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: {TOKEN['Authorization']}\r\n\r\n"
        stuck.sendall(head.encode())
        assert until(lambda: bool(console._viewers._viewers))
        for number in range(20):
            policies.isolate("trade", reason=f"{number}" * 400)
        assert until(lambda: not console._viewers._viewers)


def until(is_true: Callable[[], bool]) -> bool:
    """Wait until something is true, a minute at most."""
    pause = threading.Event()
    return any(is_true() or pause.wait(0.05) for _ in range(1_200))


FORK = """
import os, sys
from resilience import Policies
from resilience.console import serve
policies = Policies.from_mapping({"policies": {"p": {"retry": "off", "breaker": "off"}}}, log=False)

@policies.resilient("p", operation="op", idempotent=True)
def fail():
    raise ConnectionResetError

def lose():
    try:
        fail()
    except ConnectionResetError:
        pass

with serve(policies, token="open-sesame") as console:
    child = os.fork()
    if child == 0:
        lose()
        os._exit(len(console._view._events))
    assert os.waitpid(child, 0)[1] == 0
    lose()
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_collects_nothing() -> None:
    """Nobody reads there what the console would keep; the program ends without a word."""
    command = [sys.executable, "-W", "ignore", "-c", FORK]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_snapshot_endpoint(url: str, policies: Policies) -> None:
    """`resilience top` and other programs read the console as they read the snapshot server."""
    assert ask(url, **TOKEN).body["isolated"] == []
    stream = EventStream(url, **TOKEN)
    assert stream.first("snapshot")["healthy"] is True
    policies.isolate("trade", reason="stop")
    assert stream.first("decision")["reason"] == "stop"
    stream.close()


def live(url: str) -> Iterator[tuple[str, Any]]:
    """Yield what a page gets."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    connection.request("GET", "/live", headers=TOKEN)
    kind = ""
    try:
        for line in connection.getresponse():
            name, _, text = line.decode().rstrip("\n").partition(": ")
            if name == "event":
                kind = text
            elif name == "data":
                yield kind, json.loads(text)
    finally:
        connection.close()


def test_a_page_that_is_opened_later(url: str, policies: Policies) -> None:
    """It gets everything first, what happened before it came too, and then what changes."""

    @policies.resilient("prices", operation="fetch_price", idempotent=True)
    def fetch_price() -> None:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        fetch_price()
    messages = live(url)
    kind, whole = next(messages)
    assert kind == "whole"
    assert [(row["kind"], row["level"]) for row in whole["rows"]] == [("breaker", "bad")]
    assert "The breaker of prices opened: calls are rejected." in [entry["text"] for entry in whole["feed"]]
    assert post(url, "close", policy="prices", key=whole["rows"][0]["key"], reason="it is back").status == 200
    kind, change = next(message for message in messages if message[1]["feed"])
    assert (kind, change["rows"][0]["level"]) == ("change", "calm")
    assert [entry["text"] for entry in change["feed"]] == ["The breaker of prices closed. Reason: it is back"]
    messages.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("answer", "outcome", "words"),
    [
        (Found({"orderId": "7", "apiKey": "of-the-account"}), "found", "It took effect"),
        (Found("x" * 3_990 + "of-the-account"), "found", "It took effect"),  # it is cut in the middle of the secret
        (Found({}, matches=False), "foreign", "another order"),
        (NOT_FOUND, "not yet", "no proof before"),
        (ConnectionError("https://user:password@host"), "failed", "failed with ConnectionError"),
    ],
)
def test_a_write_is_looked_up(url: str, policies: Policies, answer: Any, outcome: str, words: str) -> None:
    """The answer of the API is shown without secrets; only proof settles the write, and nothing is sent again."""
    sent, answers = [], [ConnectionError("down")]
    register_secret("of-the-account")

    def look_up(_call: Any) -> Any:
        if isinstance(answers[0], Exception):
            raise answers[0]
        return answers[0]

    @policies.resilient("trade", operation="create_order", key="client_id", reconcile=look_up)
    def create_order(*, client_id: str | None = None) -> None:
        sent.append(client_id)
        raise TimeoutError

    with pytest.raises(TimeoutError):
        create_order(client_id="my-order-1")
    answers[0] = answer
    reply = post(url, "look_up", key="my-order-1")
    assert (reply.status, reply.body["outcome"], words in reply.body["sentence"]) == (200, outcome, True)
    assert "of-the" not in json.dumps(reply.body)
    assert "password" not in json.dumps(reply.body)
    assert len(policies.snapshot()["writes_in_doubt"]) == (outcome != "found")
    assert sent == ["my-order-1"]


def test_it_ends(policies: Policies, caplog: pytest.LogCaptureFixture) -> None:
    """Its streams and its threads end, twice does nothing, and uvicorn has written no line and keeps no filter."""
    caplog.set_level(logging.DEBUG)
    console = serve(policies, token="open-sesame")
    messages = live(console.url)
    next(messages)
    console.close()
    console.close()
    list(messages)
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("resilience-console")] == []
    assert [record.message for record in caplog.records if "uvicorn" in record.name] == []
    assert logging.getLogger("uvicorn.error").filters == []
    with pytest.raises(ConnectionRefusedError):
        ask(console.url)


def test_where_it_cannot_start(policies: Policies, monkeypatch: pytest.MonkeyPatch) -> None:
    """A taken port, an address that others can reach, a token with a space, and a missing extra."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"127.0.0.1:{port}"):
            serve(policies, port=port)
    for host in ("0.0.0.0", "example.com", ""):
        with pytest.raises(ValueError, match="host: expected a loopback address"):
            serve(policies, host=host)
    with pytest.raises(ValueError, match="token: expected"):
        serve(policies, token="a b")
    monkeypatch.delitem(sys.modules, "resilience.console.web_server", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ModuleNotFoundError, match="pip install 'resilience-middleware\\[console\\]'"):
        serve(policies)
