"""`resilience top`: the view of a snapshot from a URL, a file or standard input, once and live."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from resilience import Policies
from resilience.cli import main
from tests.conftest import ScriptedApi

SNAPSHOT: dict[str, Any] = {
    "at": 1_796_000_000.0,
    "healthy": False,
    "isolated": [{"policy": None, "by": "hand", "reason": "stop \x1b[2J", "since": 1_795_999_000, "cancels": False}],
    "policies": [{"name": "trade", "isolated": False, "healthy": False}],
    "breakers": [
        {"policy": "read", "key": "a.example", "state": "closed", "counts": {"succeeded": 9, "failed": 1, "slow": 0}},
        {
            "policy": "trade",
            "key": "api.example",
            "state": "open",
            "counts": {"succeeded": 3, "failed": 20, "slow": 0},
            "consecutive_failures": 20,
            "open_until": 1_796_000_004.0,
            "opened_by": "20 failures in a row",
            "shadow": False,
        },
        {"policy": "watch", "key": "b.example", "state": "open", "shadow": True},
    ],
    "quotas": [{"policy": "trade", "key": "ab12", "rate": "10/s", "used": 10, "limit": 10, "ready_in": 0.25}],
    "holds": [{"host": "api.example", "operation": None, "reason": "ban", "seconds_left": 300, "policies": ["trade"]}],
    "budgets": [{"policy": "trade", "left": 4.5, "limit": 10}],
    "admission": [{"policy": "trade", "lane": "orders", "running": 3, "waiting": 1, "limit": 50}],
    "writes_in_doubt": [
        {
            "policy": "trade",
            "operation": "create_order",
            "key": "order-1",
            "since": 1_795_999_900,
            "code": "40725",
            "remedy": "look the order up by its client id",
            "attempts": 3,
            "owner": "node-2:77:ab",
        }
    ],
    "counters": [
        {
            "policy": "trade",
            "operation": "create_order",
            "ok": 90,
            "failed": 7,
            "rejected": 2,
            "unknown": 1,
            "cancelled": 0,
        }
    ],
    "streams": [{"socket": "ws.example", "state": "connected", "reconnects": 1, "gaps": 0, "dropped": 0}],
    "shared": None,
}
VIEW = """\
NOT HEALTHY, 1 write in doubt   2026-11-30 00:53:20 UTC

Needs you
what            policy        which                 since   why
isolated        all policies  -                     17 min  hand: stop \\x1b[2J
breaker open    trade         api.example           -       20 failures in a row
write in doubt  trade         create_order order-1  100 s   node-2:77:ab has it: look the order up by its client id

Now
what       policy  which        state
breaker    trade   api.example  open, next attempt in 4.0 s, 3 succeeded, 20 failed, 0 slow
breaker    watch   b.example    open (shadow)
breaker    read    a.example    closed, 9 succeeded, 1 failed, 0 slow
quota      trade   ab12         10 of 10 used at 10/s, ready in 0.2 s
hold       trade   api.example  ban, ends in 5 min
budget     trade   -            4.5 of 10 retries left
admission  trade   orders       3 of 50 running, 1 waiting
stream     -       ws.example   connected, 1 reconnects, 0 gaps, 0 dropped

Calls since the start
operation     policy  calls  success  failed  rejected  unknown  cancelled
create_order  trade   100    90.0%    7       2         1        0
"""


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    """A server that is no bot."""
    server = ScriptedApi()
    yield server
    server.close()


def saved(folder: Path, content: Any) -> str:
    """Save a snapshot and return the file's name."""
    path = folder / "snapshot.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(path)


def test_a_saved_snapshot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What needs a person comes first, and nothing in it reaches the terminal unescaped."""
    assert main(["top", saved(tmp_path, SNAPSHOT)]) == 1
    assert capsys.readouterr().out == VIEW


def test_a_healthy_bot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bot that has done nothing yet is healthy: exit code 0."""
    assert main(["top", saved(tmp_path, {"at": 0, "healthy": True})]) == 0
    lines = ["healthy   1970-01-01 00:00:00 UTC", "Needs you: nothing", "Now: nothing is in use yet"]
    assert capsys.readouterr().out.split("\n\n") == [*lines, "Calls since the start: no calls yet\n"]


def test_a_fleet_that_has_lost_its_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The store that does not answer needs somebody; the members that were seen stand below."""
    shared = {"store": "redis://store", "lost": "TimeoutError", "members": 3, "processes": 8, "round_trip": 0.002}
    path = tmp_path / "snapshot.json"
    path.write_text(json.dumps({**SNAPSHOT, "shared": shared}))
    main(["top", str(path)])
    text = capsys.readouterr().out
    assert "shared store lost" in text
    assert "TimeoutError" in text
    assert "3 of 8 processes, round trip 2.0 ms" in text


@pytest.mark.parametrize(("name", "code"), [("isolated", 1), ("breakers", 1), ("writes_in_doubt", 0), ("holds", 0)])
def test_health_without_the_word(tmp_path: Path, name: str, code: int) -> None:
    """A snapshot without `healthy` is judged by its lists, as a bot judges itself: writes in doubt do not count."""
    assert main(["top", saved(tmp_path, {"at": 0, name: SNAPSHOT[name]})]) == code


def test_breakers_that_need_somebody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Half-open and isolated ones too; those of an isolated policy are one row, that of the policy."""
    breakers = [
        {"policy": policy, "key": state, "state": state}
        for policy in ("one", "two")
        for state in ("open", "half-open", "isolated", "closed")
    ]
    isolated = [{"policy": "two", "by": "hand", "reason": ""}, {"policy": ["odd"]}]
    main(["top", saved(tmp_path, {"at": 0, "healthy": False, "breakers": breakers, "isolated": isolated})])
    needs = capsys.readouterr().out.partition("Needs you\n")[2].partition("\n\n")[0].splitlines()[1:]
    assert [" ".join(line.split()) for line in needs] == [
        "isolated two - - hand",
        "isolated ['odd'] - - -",
        "breaker open one open - -",
        "breaker half-open one half-open - -",
        "breaker isolated one isolated - -",
        "breaker open two open - -",
        "breaker half-open two half-open - -",
    ]


def test_json_is_the_snapshot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Scripts get all of it."""
    assert main(["top", saved(tmp_path, SNAPSHOT), "--once", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == SNAPSHOT


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[1]", "expected a JSON object"),
        ("{}", "at: expected Unix seconds"),
        ('{"at": true}', "at: expected Unix seconds"),
        ('{"at": NaN}', "at: expected Unix seconds"),
        ('{"at": 1e400}', "at: expected Unix seconds"),
        ('{"at": 1, "holds": 5}', "holds: expected a list of objects"),
        ('{"at": 1, "breakers": [5]}', "breakers: expected a list of objects"),
    ],
)
def test_what_is_no_snapshot(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, message: str) -> None:
    """One line that says what was expected, and exit code 2."""
    path = saved(tmp_path, content)
    assert main(["top", path]) == 2
    assert capsys.readouterr() == ("", f"resilience: {path}: not a snapshot: {message}\n")


def test_what_is_no_snapshot_on_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message has its name; a snapshot there is shown."""
    for text, code in (("{}", 2), (json.dumps(SNAPSHOT), 1)):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        assert main(["top", "-"]) == code
        out, err = capsys.readouterr()
        said = "resilience: standard input: not a snapshot: at: expected Unix seconds\n"
        assert (out, err) == (("", said) if code == 2 else (VIEW, ""))


def test_odd_values_are_dashes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A value of another type, or a number of a thousand digits, is no reason to show nothing."""
    huge = "1" + "0" * 5_000
    text = f"""{{
        "at": 1,
        "counters": [{{"ok": {huge}, "failed": "x"}}],
        "breakers": [{{"counts": 3, "state": [], "open_until": "x"}}],
        "holds": [{{"policies": 3, "seconds_left": {huge}}}],
        "writes_in_doubt": [{{"since": {huge}, "key": {{"a": 1}}}}]
    }}"""
    assert main(["top", saved(tmp_path, text)]) == 0
    rows = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert {"write in doubt - {'a': 1} - -", "breaker - - []", "hold - - -, ends in -"} <= set(rows)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("no.json", "no.json: No such file or directory; a URL begins with http://"),
        ("127.0.0.1:80", "127.0.0.1:80: No such file or directory; a URL begins with http://"),
        (".", ".: Is a directory"),
        ("http://", "http://: not a URL: expected one such as http://127.0.0.1:8700"),
        ("ftp://127.0.0.1/x", "ftp://127.0.0.1/x: not a URL: expected one such as http://127.0.0.1:8700"),
        ("http://[", "http://[: not a URL: Invalid IPv6 URL"),
    ],
)
def test_a_wrong_source(capsys: pytest.CaptureFixture[str], source: str, message: str) -> None:
    """One line, and exit code 2."""
    assert main(["top", source]) == 2
    assert capsys.readouterr() == ("", f"resilience: {message}\n")


def test_a_server_that_is_gone(capsys: pytest.CaptureFixture[str]) -> None:
    """The message has the URL and the reason."""
    server = Policies.builtin().serve_snapshot()
    server.close()
    assert main(["top", server.url]) == 2
    assert capsys.readouterr() == ("", f"resilience: {server.url}: no answer: Connection refused\n")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((404, "not found"), "HTTP 404: Not Found; expected the URL of policies.serve_snapshot()"),
        ((403, '{"error": "no \\u001b[2J"}'), "HTTP 403: no \\x1b[2J"),
        ((302, ""), "HTTP 302: Found; expected the URL of policies.serve_snapshot()"),
        ((200, "<html>"), "not a snapshot: no JSON"),
        ("drop", "no answer: Remote end closed connection without response"),
    ],
)
def test_a_server_that_is_no_bot(
    api: ScriptedApi, capsys: pytest.CaptureFixture[str], answer: Any, message: str
) -> None:
    """Its status and its words are shown, escaped."""
    api.on("/snapshot", answer)
    assert main(["top", api.rest]) == 2
    assert capsys.readouterr() == ("", f"resilience: {api.rest}: {message}\n")


@pytest.mark.parametrize("end", ["", "/", "/snapshot"])
def test_a_running_bot(capsys: pytest.CaptureFixture[str], end: str) -> None:
    """The server's URL is enough; without a terminal the view is printed once."""
    with Policies.builtin().serve_snapshot() as server:
        assert main(["top", server.url + end]) == 0
    assert capsys.readouterr().out.startswith("healthy   ")


def test_a_bot_that_protects_reading(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The token comes from the environment, because the words of a command are seen by others."""
    with Policies.builtin().serve_snapshot(token="open-sesame") as server:
        assert main(["top", server.url]) == 2
        assert capsys.readouterr().err.endswith("; $RESILIENCE_TOKEN is sent as the token\n")
        monkeypatch.setenv("RESILIENCE_TOKEN", "open-sesame")
        assert main(["top", server.url, "--json"]) == 0


def troubled_bot() -> Policies:
    """Return policies with an open breaker, one that is isolated by hand, and a write of unknown outcome."""
    settings = {"retry": "off", "breaker": {"consecutive": 1, "key": "operation"}}
    policies = Policies.from_mapping({"policies": {"p": settings, "q": settings}}, log=False)

    def fail(client_id: str = "") -> None:
        raise TimeoutError(client_id)

    for name in ("create_order", "amend_order"):
        with pytest.raises(TimeoutError):
            policies.resilient("p", operation=name, key="client_id")(fail)(client_id=f"key-{name}")
    policies.isolate("q", reason="moving house")
    return policies


def test_a_bot_in_trouble(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its snapshot, written by `json.dump` or served, shows what is isolated, each breaker, and what to do."""
    policies = troubled_bot()
    path = tmp_path / "snapshot.json"
    with path.open("w", encoding="utf-8") as file:
        json.dump(policies.snapshot(), file)
    with policies.serve_snapshot() as server:
        for source in (str(path), server.url):
            assert main(["top", source]) == 1
            rows = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
            assert rows[0].startswith("NOT HEALTHY, 2 writes in doubt ")
            for beginning in (
                "isolated q - ",
                "breaker open p amend_order - failures, at last TimeoutError",
                "breaker open p create_order - failures, at last TimeoutError",
                "write in doubt p create_order key-create_order ",
                "create_order p 1 0.0% 0 0 1 0",
            ):
                assert any(row.startswith(beginning) for row in rows), (beginning, rows)
            assert any("look for key key-amend_order since" in row for row in rows)


@pytest.mark.parametrize("interval", ["0", "-1", "x", "2h", "50ms"])
def test_a_wrong_interval(capsys: pytest.CaptureFixture[str], interval: str) -> None:
    """The message has the range."""
    assert main(["top", "x", f"--interval={interval}"]) == 2
    assert "from 100ms to 1h" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo terminals")
@pytest.mark.parametrize("rich", [True, False])
def test_live_on_a_terminal(api: ScriptedApi, tmp_path: Path, rich: bool) -> None:
    """It shows rates between snapshots, goes on when the bot is gone, and Ctrl-C ends it with exit code 0.

    It ends so too where a shell in the background has started it, which leaves SIGINT ignored.
    """
    import pty

    later = {**SNAPSHOT, "at": SNAPSHOT["at"] + 10, "counters": [{**SNAPSHOT["counters"][0], "ok": 140}]}
    api.on("/snapshot", SNAPSHOT, later, "drop")
    code = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    code += "from resilience.cli import main; raise SystemExit(main())"
    if not rich:
        code = f"import sys; sys.modules['rich.live'] = None; {code}"
    command = [sys.executable, "-c", code, "top", api.rest, "--interval", "100ms"]
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True
    ) as process:
        os.close(theirs)
        shown = b""
        while b"OUT OF DATE" not in shown:
            shown += os.read(ours, 65_536)
        process.send_signal(2)
        while True:
            try:
                if not os.read(ours, 65_536):
                    break
            except OSError:  # Linux says so when the other end is closed
                break
        assert process.wait(60) == 0
    os.close(ours)
    for text in (b"NOT HEALTHY", b"write in doubt", b"Calls since the start", b"Lately: the last 10 s"):
        assert text in shown
    # 50 calls more in 10 seconds, all of which succeeded.
    assert b"create_order  trade   5        100.0%" in shown
