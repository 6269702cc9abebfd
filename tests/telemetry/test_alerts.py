"""Stories of alerts: what a webhook gets, how often, and what happens when it fails. The webhook is a real server."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from resilience import ApiError, Policies
from resilience.telemetry.alerts import AlertMessage, send_alerts
from resilience.telemetry.alerts.alert_message import body_of
from resilience.telemetry.alerts.alert_rounds import AlertRounds
from resilience.telemetry.alerts.new_entries import NewEntries
from resilience.telemetry.alerts.webhook import Delivery, Webhook, _beginning_of
from resilience.telemetry.inbox import Inbox, InboxEntry
from resilience.telemetry.redaction import redact
from resilience.testing import FakeClock

SECRET = "T0SECRETSECRET/B0SECRETSECRETSECRET"
ROOT = Path(__file__).parents[2]


class Hook:
    """A webhook on loopback. It answers with the next of `answers`, then with 200, and keeps what it got."""

    def __init__(self, *answers: tuple[int, dict[str, str], str]) -> None:
        self.got: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        left = list(answers)
        me = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                me.headers.append(dict(self.headers))
                me.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                status, headers, text = left.pop(0) if left else (200, {}, "ok")
                self.send_response(status)
                for name, value in {"Content-Length": str(len(text)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/services/{SECRET}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def hook(*answers: tuple[int, dict[str, str], str]) -> Iterator[Hook]:
    """Serve a webhook for the length of the block."""
    made = Hook(*answers)
    try:
        yield made
    finally:
        made.close()


def new_policies(clock: FakeClock | None = None) -> Policies:
    """Return policies with one policy `p` that knows Bitget's codes."""
    settings = {"policies": {"p": {"retry": "off", "codes": ["bitget"]}}}
    return Policies.from_mapping(settings, clock=clock or FakeClock(wall=1_700_000_000.0), log=False)


def fail(policies: Policies, error: BaseException, **options: Any) -> None:
    """Make a call that fails."""

    def send(*, client_id: str = "") -> None:
        raise error

    with contextlib.suppress(Exception):
        policies.resilient("p", operation="place", **options)(send)()


def lose(policies: Policies, key: str) -> None:
    """Make a write whose outcome nobody knows."""
    fail(policies, TimeoutError(), key="client_id", key_factory=lambda: key)


class Rounds:
    """Rounds that a test runs by hand, on a clock of its own."""

    def __init__(self, *answers: Delivery, **limits: float) -> None:
        self.clock = FakeClock(wall=1_700_000_000.0)
        self.policies = new_policies(self.clock)
        self.sent: list[list[str]] = []
        self.reported: list[Delivery] = []
        self._answers = list(answers)
        inbox = Inbox()
        self.policies.subscribe(inbox)
        news = NewEntries(**{"remind_after": 3600.0, "gone_for": 900.0, **limits})
        self.rounds = AlertRounds(self.policies, inbox, news, self._send, self.reported.append, every=10.0, poll=30.0)

    def run(self, after: float = 0.0) -> float:
        """Run the round that is due after some seconds, and return the seconds until the next."""
        self.clock.advance(after)
        return self.rounds.run(self.clock.monotonic())

    def _send(self, entries: list[InboxEntry]) -> Delivery:
        self.sent.append([entry.id for entry in entries])
        return self._answers.pop(0) if self._answers else Delivery(True, http_status=200)


def test_a_webhook_gets_each_new_entry_once() -> None:
    """A hundred calls that fail with one remedy are one entry; closing sends what waits."""
    policies = new_policies()
    with hook() as server, send_alerts(policies, server.url, name="bot-1"):
        for _ in range(100):
            fail(policies, ApiError("40014"))
        lose(policies, "order-17")
    ids = [entry["id"] for body in server.got for entry in body["entries"]]
    assert sorted(ids) == ["user_fixable:Grant the named permission to this API key", "write_in_doubt:place:order-17"]
    assert server.headers[0]["Content-Type"] == "application/json"


@pytest.mark.slow
def test_a_storm_of_writes_is_counted_whole() -> None:
    """The message says how many there are, and begins with the oldest of them."""
    bot = Rounds()
    for number in range(1_200):
        lose(bot.policies, f"{number}")
    bot.run()
    assert (len(bot.sent[0]), bot.sent[0][0]) == (1_200, "write_in_doubt:place:0")


def test_a_message_says_what_happened_and_what_to_do() -> None:
    """The write in doubt comes first, and the remedy is there once for a hundred calls."""
    policies, inbox = new_policies(), Inbox()
    policies.subscribe(inbox)
    for _ in range(100):
        fail(policies, ApiError("40014"))
    lose(policies, "order-17")
    body = body_of("bot-1", inbox.entries(policies.snapshot()), "json", {})
    assert body["name"] == "bot-1"
    assert [(entry["kind"], entry["key"], entry["times"]) for entry in body["entries"]] == [
        ("write_in_doubt", "order-17", 1), ("user_fixable", None, 100),
    ]  # fmt: skip
    lines = body["text"].splitlines()
    assert lines[:2] == ["bot-1 needs you:", "• write in doubt: place order-17"]
    assert lines[3:] == ["• place fails with 40014 (100 times)", "  Grant the named permission to this API key"]


def test_the_thread_wakes_for_an_event() -> None:
    """Nobody has to close anything for an alert to arrive."""
    arrived = threading.Event()
    policies = new_policies()

    def note(message: AlertMessage) -> dict[str, str]:
        arrived.set()
        return {"said": message.text}

    with hook() as server, send_alerts(policies, server.url, format=note) as alerts:
        lose(policies, "order-17")
        assert arrived.wait(60)
        assert alerts.close(60)
    assert "order-17" in server.got[0]["said"]


def test_an_entry_is_sent_again_after_a_while_only() -> None:
    """A remedy that goes on is sent once more after `remind_after`; one that was gone for a while is new."""
    bot = Rounds()
    for _ in range(100):
        fail(bot.policies, ApiError("40014"))
        bot.run(after=30)
    assert len(bot.sent) == 1
    fail(bot.policies, ApiError("40014"))
    bot.run(after=700)
    assert len(bot.sent) == 2
    bot.run(after=3601)  # forgotten by the inbox
    fail(bot.policies, ApiError("40014"))
    bot.run(after=1)
    assert bot.sent == [["user_fixable:Grant the named permission to this API key"]] * 3


def test_what_a_person_does_is_news_each_time() -> None:
    """A second isolation, right after the first, is an alert; the same write in doubt is none."""
    bot = Rounds()
    lose(bot.policies, "order-17")
    for after in (0, 60):
        bot.policies.isolate("p", reason="stop")
        bot.run(after=after)
        bot.policies.release("p")
        bot.run(after=10)
    assert bot.sent == [["write_in_doubt:place:order-17", "isolated:p"], ["isolated:p"]]


def test_messages_keep_their_distance() -> None:
    """What comes within `every` seconds waits and is one message."""
    bot = Rounds()
    lose(bot.policies, "a")
    assert bot.run() == 30.0
    for key in "bcd":
        lose(bot.policies, key)
        assert bot.run(after=2) <= 8
    assert len(bot.sent) == 1
    bot.run(after=4)
    assert bot.sent[1:] == [[f"write_in_doubt:place:{key}" for key in "bcd"]]


def test_a_failing_webhook_is_asked_again_and_reported_once() -> None:
    """Waits grow, `Retry-After` is a floor, and what happens meanwhile joins the message."""
    bot = Rounds(
        Delivery(False, True, caused_by="ConnectionRefusedError"),
        Delivery(False, True, 503),
        Delivery(False, True, 429, None, 77.0),
    )
    lose(bot.policies, "a")
    assert bot.run() == 10.0
    lose(bot.policies, "b")
    assert bot.run(after=10) == 10.0
    assert bot.run(after=10) == 30.0  # 77 seconds, but it looks at the inbox meanwhile
    assert bot.run(after=76) == 1.0
    bot.run(after=1)
    both = ["write_in_doubt:place:a", "write_in_doubt:place:b"]
    assert bot.sent == [both[:1], both, both, both]
    assert bot.reported == [Delivery(False, True, caused_by="ConnectionRefusedError")]
    assert bot.rounds.failures == 0


def test_a_webhook_that_refuses_is_left_alone() -> None:
    """A message that it would refuse again is dropped; the next entry is tried after two minutes."""
    bot = Rounds(Delivery(False, False, 404))
    lose(bot.policies, "a")
    bot.run()
    lose(bot.policies, "b")
    assert bot.run(after=1) == 30.0
    bot.run(after=120)
    assert bot.sent == [["write_in_doubt:place:a"], ["write_in_doubt:place:b"]]


ANSWERS = [
    ((204, {}, ""), Delivery(True, http_status=204)),
    ((429, {"Retry-After": "7"}, "{}"), Delivery(False, True, 429, None, 7.0)),
    ((429, {}, '{"ok": false, "parameters": {"retry_after": 35}}'), Delivery(False, True, 429, None, 35.0)),  # Telegram
    ((429, {}, '{"message": "limited", "retry_after": 0.65}'), Delivery(False, True, 429, None, 0.65)),  # Discord
    ((503, {"Retry-After": "99999999"}, ""), Delivery(False, True, 503, None, 3_600.0)),
    ((503, {}, ""), Delivery(False, True, 503)),
    ((404, {}, "no_service"), Delivery(False, False, 404)),
    ((302, {"Location": "http://127.0.0.1:9/"}, ""), Delivery(False, False, 302)),
]


@pytest.mark.parametrize(("answer", "expected"), ANSWERS, ids=lambda value: str(value[0]))
def test_how_answers_are_read(answer: tuple[int, dict[str, str], str], expected: Delivery) -> None:
    """A refusal for good is not repeated, a wait is read from the header or the body, a redirect is not followed."""
    with hook(answer) as server:
        assert Webhook(server.url).post({}, 10) == expected


def test_no_server_is_retryable() -> None:
    """The class of the error is kept, without its text."""
    with hook() as server:
        url = server.url
    assert Webhook(url).post({}, 10) == Delivery(False, True, caused_by="ConnectionRefusedError")


class Drops:
    """The body of an answer that comes byte by byte, and never ends."""

    def read1(self, _size: int) -> bytes:
        return b"x"


def test_an_answer_that_does_not_end_is_left() -> None:
    """The thread has other messages to send: it takes a beginning, or what comes until a moment."""
    assert len(_beginning_of(Drops(), float("inf"))) == 10_000
    assert _beginning_of(Drops(), 0.0) == b""


def entry(**fields: Any) -> InboxEntry:
    """Return an entry."""
    return InboxEntry(
        **{"id": "i", "kind": "user_fixable", "title": "t", "remedy": "r", "since": 0, "last": 0, **fields}
    )


def test_formats_of_chats() -> None:
    """Each has the field that its chat reads, nobody is mentioned, and further fields are added."""
    entries = [entry(title="<!channel> @everyone fails & more")]
    assert body_of("b", entries, "slack", {"channel": "#ops"}) == {
        "text": "b needs you:\n• &lt;!channel&gt; @everyone fails &amp; more\n  r", "mrkdwn": False, "channel": "#ops",
    }  # fmt: skip
    assert body_of("b", entries, "discord", {})["allowed_mentions"] == {"parse": []}
    telegram = body_of("b", entries, "telegram", {"chat_id": "7"})
    assert (telegram["chat_id"], telegram["text"].splitlines()[1]) == ("7", "• <!channel> @everyone fails & more")


def test_no_text_is_markup_in_discord() -> None:
    """A link with a name of its own would lead somewhere else, and stars in a key would be gone."""
    text = body_of("b", [entry(title="a*b*c [new key](https://evil.example) ||x||")], "discord", {})["content"]
    line = r"• a\*b\*c \[new key\](https://evil.example) \|\|x\|\|"
    assert text.splitlines()[1] == line


def test_a_message_has_a_length_that_its_chat_takes() -> None:
    """What does not fit is counted: 10,000 writes in doubt are one message."""
    for letter, more in (("x", "9,998"), ("*", "9,999")):
        entries = [entry(title=f"{number} " + letter * 900, remedy=letter * 900) for number in range(10_000)]
        discord = body_of("b", entries, "discord", {})["content"]
        assert 1000 < len(discord) <= 2000
        assert discord.splitlines()[-1] == f"and {more} more"
    body = body_of("b", entries, "json", {})
    assert (len(body["entries"]), body["more"]) == (10, 9990)


def test_no_secret_and_no_control_character_is_sent() -> None:
    """An API's text may hold anything."""
    text = body_of("b", [entry(title="apiKey=abcdef0123456789 \x1b[31m\u202e\n• fake", remedy=None)], "slack", {})[
        "text"
    ]
    assert "abcdef0123456789" not in text
    assert len(text.splitlines()) == 2
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_the_url_is_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    """One line says that the webhook fails, without the URL; nor has any error it, nor any later line."""
    policies = new_policies()
    with hook(*[(404, {}, "no_service")] * 3) as server:
        alerts = send_alerts(policies, server.url, headers={"Authorization": "Bearer abcdefghijklmnop"}, every=0)
        lose(policies, "a")
        assert alerts.close(60)
        assert server.headers[0]["Authorization"] == "Bearer abcdefghijklmnop"
        logging.getLogger("resilience.call").warning("%s", alerts)
    (record, _) = caplog.records
    assert (record.levelname, record.name) == ("ERROR", "resilience.policy")
    assert record.getMessage() == "alerts cannot be sent, check the webhook: http_status=404"
    assert SECRET.split("/")[1] not in caplog.text
    with pytest.raises(ValueError, match="url: ") as caught:
        send_alerts(policies, f"https://user:{SECRET[:10]}@example.com/")
    assert SECRET[:10] not in str(caught.value)


def test_parts_of_the_url_and_of_headers_are_secrets() -> None:
    """A signature in the query, and a token that stands after the word `Bearer`."""
    Webhook("https://example.com/hook?sig=QsIgNaTuRe0fTheHook1", {"Authorization": "Bearer HeAdErToKeN0fTheHook"})
    for secret in ("QsIgNaTuRe0fTheHook1", "HeAdErToKeN0fTheHook"):
        assert redact(f"it was {secret} there") == "it was [redacted] there"


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"url": "hooks.example.com"}, "url: expected the URL"),
    ({"url": None}, "url: expected the URL"),
    ({"url": "https://example.com/a b"}, "url: expected the URL"),
    ({"url": "ftp://example.com/"}, "url: expected the URL"),
    ({"headers": {"Authorization": "Bearer abc\n"}}, "headers: Authorization: expected printable ASCII"),
    ({"headers": {"X-Number": 5}}, "headers: X-Number: expected printable ASCII"),
    ({"headers": {"X Name": "a"}}, "headers: 'X Name' is no name of a header"),
    ({"format": "teams"}, "format: expected json, slack, discord, telegram or a function, got 'teams'"),
    ({"format": "telegram"}, "fields: Telegram needs the chat"),
    ({"every": -1}, "every: expected seconds"),
    ({"open_for": "60s"}, "open_for: expected seconds"),
    ({"remind_after": float("nan")}, "remind_after: expected seconds"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_a_wrong_argument_is_named(arguments: dict[str, Any], message: str) -> None:
    """Nothing is started then."""
    with pytest.raises(ValueError, match=message.replace("(", "\\(")):
        send_alerts(new_policies(), **{"url": "https://example.com/hook", **arguments})
    assert "resilience-alerts" not in [thread.name for thread in threading.enumerate()]


def test_a_function_that_raises_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    """The thread goes on; the line names the class of the error."""
    policies = new_policies()

    def broken(message: AlertMessage) -> Any:
        raise KeyError("oops")

    with hook() as server, send_alerts(policies, server.url, format=broken):
        lose(policies, "a")
    assert server.got == []
    assert [record.getMessage() for record in caplog.records] == [
        "alerts cannot be sent, check the webhook: caused_by=KeyError"
    ]


PROGRAM = """
import multiprocessing, os, sys
from resilience import Policies
from resilience.telemetry.alerts import send_alerts

policies = Policies.builtin(log=False)
send_alerts(policies, sys.argv[1], name="bot")
def write(*, key):
    raise TimeoutError
def fail(key):
    try:
        policies.resilient("default", operation="place", key="key")(write)(key=key)
    except TimeoutError:
        pass
fail("of-the-parent")
if hasattr(os, "fork"):
    child = os.fork()
    if child == 0:
        fail("of-the-child")
        sys.exit()
    os.waitpid(child, 0)
    worker = multiprocessing.get_context("fork").Process(target=fail, args=("of-the-worker",))
    worker.start()
    worker.join()
"""


@pytest.mark.slow
def test_a_program_that_ends_has_sent_its_alerts() -> None:
    """Nothing has to be closed, and a forked child or worker sends its own: each write is in one message."""
    with hook() as server:
        subprocess.run([sys.executable, "-W", "ignore", "-c", PROGRAM, server.url], check=True, cwd=ROOT, timeout=120)
    keys = [entry["key"] for body in server.got for entry in body["entries"]]
    forked = ["of-the-child", "of-the-worker"] if hasattr(os, "fork") else []
    assert sorted(keys) == sorted(["of-the-parent", *forked])
