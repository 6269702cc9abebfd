"""Uses the installed wheel as a stranger would, without a checkout. `.ci/run` runs it in clean environments.

`python wheel_check.py` expects no extras; `python wheel_check.py extras` expects those of `EXTRAS`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module
from importlib.metadata import entry_points, metadata
from pathlib import Path

EXTRAS = {
    "aiohttp": ("aiohttp", "resilience.integrations.aiohttp"),
    "cli": ("rich", "resilience.cli"),
    "console": ("uvicorn", "resilience.console.web_server"),
    "httpx": ("httpx", "resilience.integrations.httpx"),
    "otel": ("opentelemetry.trace", "resilience.telemetry.opentelemetry.spans"),
    "postgres": ("psycopg", "resilience.outbox.postgres"),
    "prometheus": ("prometheus_client", "resilience.telemetry.prometheus"),
    "shared": ("redis", "resilience.fleet.store"),
    "starlette": ("starlette", "resilience.integrations.starlette"),
    "streams": ("websockets", "resilience.integrations.websockets"),
    "trio": ("trio", "resilience"),
    "urllib3": ("urllib3", "resilience.integrations.urllib3"),
    "watch": ("watchfiles", "resilience.config.reload.watch"),
}
"""The extras of users but `ccxt`, which is large: the package that each brings, and our module that needs it."""


def check_import() -> None:
    """The package comes from the wheel, and no extra is needed to import all of its names."""
    import resilience

    assert "site-packages" in Path(resilience.__file__).parts, resilience.__file__
    for name in resilience.__all__:
        getattr(resilience, name)
    for extra in ("httpx", "aiohttp", "ccxt", "rich", "trio", "websockets", "pytest"):
        assert extra not in sys.modules, extra


def check_command() -> None:
    """The command finds its tables and policies inside the wheel."""
    command = [str(Path(sys.executable).with_name("resilience"))]
    rows = json.loads(subprocess.run([*command, "codes", "--json"], check=True, capture_output=True).stdout)
    assert len(rows) >= 1040, len(rows)
    answer = json.loads(
        subprocess.run([*command, "explain", "43012", "--json"], check=True, capture_output=True).stdout
    )
    assert answer["category"] == "user_fixable", answer
    import resilience

    printed = subprocess.run([*command, "schema"], check=True, capture_output=True).stdout
    assert printed == (Path(resilience.__file__).parent / "_policies" / "policy.schema.json").read_bytes()
    listed = json.loads(
        subprocess.run([*command, "simulate", "--list", "--json"], check=True, capture_output=True).stdout
    )
    assert "outage" in [one["name"] for one in listed], listed
    words = ["simulate", "--scenario", "brownout", "--scale", "5%", "--report", "report.html"]
    subprocess.run([*command, *words], check=True, capture_output=True)
    assert "</html>" in Path("report.html").read_text(encoding="utf-8")
    subprocess.run([*command, "dashboards", "monitoring"], check=True, capture_output=True)
    assert len(list(Path("monitoring").iterdir())) == 3


def check_description() -> None:
    """What a package index shows has no link and no picture that leads nowhere there."""
    text = str(metadata("resilience-middleware").get_payload() or metadata("resilience-middleware")["Description"])
    assert "exactly once" in text
    assert re.findall(r"\]\((?!https?:)|(?:src|srcset|href)=\"(?!https?:)", text) == []


def check_hook() -> None:
    """PyInstaller finds the hook of the wheel, and importing its folder needs no PyInstaller."""
    (point,) = (one for one in entry_points(group="pyinstaller40") if one.value.startswith("resilience."))
    (folder,) = point.load()()
    assert (Path(folder) / "hook-resilience.py").is_file(), folder


def check_decorator() -> None:
    """A decorated function is tried again after a failure that may pass."""
    from resilience import resilient
    from resilience.testing import no_waits

    calls = []

    @resilient(idempotent=True)
    def ticker() -> int:
        calls.append(1)
        if len(calls) < 2:
            raise ConnectionRefusedError("not yet")
        return 42

    with no_waits():
        assert ticker() == 42
    assert len(calls) == 2


def check_first_call() -> None:
    """The wheel has the compiled form of its policies: a first call reads no YAML, and validates nothing."""
    program = (
        "import sys, resilience\n"
        "assert resilience.resilient(lambda: 42)() == 42\n"
        "assert resilience.CodeRegistry.builtin('bitget').rule('43012') is not None\n"
        "assert not {'yaml', 'pydantic', 'pydantic_core'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


class _Flaky(BaseHTTPRequestHandler):
    asked = 0

    def do_GET(self) -> None:
        _Flaky.asked += 1
        self.send_response(503 if _Flaky.asked == 1 else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Stay quiet."""


def check_session() -> None:
    """A wrapped session is still a session, and a read survives a 503."""
    import requests

    from resilience import wrap
    from resilience.testing import no_waits

    server = HTTPServer(("127.0.0.1", 0), _Flaky)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with requests.Session() as plain, no_waits():
            plain.trust_env = False
            session = wrap(plain)
            assert isinstance(session, requests.Session)
            assert session.get(f"http://127.0.0.1:{server.server_port}/").status_code == 200
    finally:
        server.shutdown()
        server.server_close()
    assert _Flaky.asked == 2, _Flaky.asked


def check_extras() -> None:
    """Each extra of the wheel brings the package that our module for it imports."""
    provided = metadata("resilience-middleware").get_all("Provides-Extra") or []
    assert {*EXTRAS, "ccxt"} <= set(provided), provided
    for package, module in EXTRAS.values():
        import_module(package)
        import_module(module)


def check_clients() -> None:
    """Clients of the extras are wrapped, and are still of their classes."""
    import httpx
    import urllib3

    from resilience import wrap

    with httpx.Client() as client:
        assert isinstance(wrap(client), httpx.Client)
    assert isinstance(wrap(urllib3.PoolManager()), urllib3.PoolManager)


CHECKS = {
    "bare": (
        check_import,
        check_command,
        check_description,
        check_hook,
        check_decorator,
        check_first_call,
        check_session,
    ),
    "extras": (check_extras, check_clients),
}

if __name__ == "__main__":
    for check in CHECKS[sys.argv[1] if len(sys.argv) > 1 else "bare"]:
        check()
        print(f"{check.__name__}: fine")
