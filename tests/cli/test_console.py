"""`resilience console` from start to end: what it prints, what it shows, and how it ends."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import Any
from urllib.parse import urlsplit

import pytest

from resilience import cli

pytest.importorskip("uvicorn")


def ask(url: str, path: str, token: str, body: Any = None) -> Any:
    """Return the answer of the console."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        method = "GET" if body is None else "POST"
        connection.request(method, path, json.dumps(body), {"Authorization": f"Bearer {token}"})
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_newcomer_sees_it_alive(number: int) -> None:
    """One command, without settings: the page, and an order in doubt that a lookup settles. A signal ends it."""
    command = [sys.executable, "-m", "resilience", "console", "--json"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RESILIENCE_")}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        access = json.loads(process.stdout.readline())
        url, token = access["url"], access["token"]
        assert ask(url, "/snapshot", token)["isolated"] == []
        if number == signal.SIGINT:
            while not (writes := ask(url, "/snapshot", token)["writes_in_doubt"]):
                time.sleep(0.2)
            answer: Any = {"settled": False}
            while not answer["settled"]:  # a lookup may be dropped until the call of the order is over
                answer = ask(url, "/actions/look_up", token, {"key": writes[0]["key"]})
            assert (answer["outcome"], writes[0]["key"] in answer["answer"]) == ("found", True)
        process.send_signal(number)
        assert process.communicate(timeout=60) == ("", "")
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "70000"], "expected a port from 0 to 65535"),
        (["--host", "0.0.0.0"], "host: expected a loopback address"),
        (["--host", "example.com"], "host: expected a loopback address"),
    ],
)
def test_wrong_use(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each is one line, and the exit code is 2."""
    assert cli.main(["console", *arguments]) == 2
    printed = capsys.readouterr()
    assert (printed.out, words in printed.err, printed.err.count("\n")) == ("", True, 1)


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    """The message names it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert cli.main(["console", "--port", str(port)]) == 2
    assert f"resilience console: 127.0.0.1:{port}: " in capsys.readouterr().err


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The message says what to install."""
    monkeypatch.delitem(sys.modules, "resilience.console.web_server", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert cli.main(["console"]) == 2
    assert "pip install 'resilience-middleware[console]'" in capsys.readouterr().err
