"""A bot that is frozen: it decorates, wraps a session, fails, tries again, reads a policy file and runs commands."""

from __future__ import annotations

import json
import sys
import threading
from contextlib import redirect_stdout
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from pathlib import Path

import requests

import resilience
from resilience.cli import main

POLICY = "version: 1\npolicies: {bot: {extends: bitget, retry: {max_attempts: 3, backoff: {initial: 1ms, max: 5ms}}}}\n"


class FirstAnswerIs503(BaseHTTPRequestHandler):
    """A service that is unavailable once."""

    asked = 0

    def do_GET(self) -> None:
        """Answer."""
        FirstAnswerIs503.asked += 1
        self.send_response(503 if FirstAnswerIs503.asked == 1 else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Stay quiet."""


def decorated() -> int:
    """Return how often a function ran that is refused once."""
    calls = []

    @resilience.resilient(idempotent=True)
    def ticker() -> None:
        calls.append(1)
        if len(calls) < 2:
            raise ConnectionRefusedError("not yet")

    ticker()
    return len(calls)


def wrapped(policies: resilience.Policies) -> list[int]:
    """Return the status that the caller sees, and the number of requests."""
    server = HTTPServer(("127.0.0.1", 0), FirstAnswerIs503)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with requests.Session() as plain:
        plain.trust_env = False
        session = policies.wrap(plain, policy="bot")
        status = session.get(f"http://127.0.0.1:{server.server_port}/").status_code
    server.shutdown()
    server.server_close()
    return [status, FirstAnswerIs503.asked]


def command(*words: str) -> list[object]:
    """Return the exit code and the output of a command."""
    output = StringIO()
    with redirect_stdout(output):
        try:
            code = main(list(words))
        except SystemExit as end:
            code = int(end.code or 0)
    return [code, output.getvalue()]


def results() -> dict[str, object]:
    """Return what works."""
    found: dict[str, object] = {"frozen": getattr(sys, "frozen", False), "home": resilience.__file__}
    found["decorated"] = decorated()
    found["read YAML"] = "yaml" in sys.modules  # the compiled forms of the shipped policies were found
    file = Path("bot.yaml")
    file.write_text(POLICY, encoding="utf-8")
    found["wrapped"] = wrapped(resilience.Policies.load(file))
    found["check"] = command("check", str(file))
    found["explain"] = command("explain", "43012", "--json")
    found["schema"] = command("schema")
    found["scenarios"] = command("simulate", "--list", "--json")
    found["help"] = command("--help")
    found["version"] = command("--version")
    words = ["--policy", "bot", "--scenario", "outage", "--scale", "2%", "--report", "report.html"]
    report = command("simulate", str(file), *words)
    found["simulate"] = [report[0], "</html>" in Path("report.html").read_text(encoding="utf-8")]
    found["demo"] = command("demo", "--orders", "5", "--json")
    return found


if __name__ == "__main__":
    print(json.dumps(results()))
