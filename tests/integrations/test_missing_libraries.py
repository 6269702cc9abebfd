"""What a user reads if a client library is not installed: which extra brings it."""

from __future__ import annotations

import subprocess
import sys

import pytest

WITHOUT = """
import sys
sys.modules[{library!r}] = None  # makes each import of it fail
try:
    {statement}
except ModuleNotFoundError as error:
    print(error)
else:
    print("imported")
"""


def run_without(library: str, statement: str) -> str:
    """Run a statement in a process without a library; return the text of its error."""
    program = WITHOUT.format(library=library, statement=statement)
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize(
    ("library", "statement"),
    [
        ("httpx", "from resilience.integrations.httpx import ResilientTransport"),
        ("httpx", "from resilience.bitget import AsyncBitgetClient"),
        ("aiohttp", "from resilience.integrations.aiohttp import resilience_middleware"),
        ("ccxt", "import resilience.integrations.ccxt"),
    ],
)
def test_the_extra_of_a_client(library: str, statement: str) -> None:
    """The error of the import names the extra."""
    needs = f"resilience.integrations.{library} needs {library}: pip install 'resilience-middleware[{library}]'"
    assert run_without(library, statement) == needs


def test_the_extra_of_streams() -> None:
    """The error is raised when a connection is opened, and not when the module is imported."""
    statement = "from resilience.integrations.websockets import connect; connect('ws://127.0.0.1:1').send(None)"
    assert "needs websockets: pip install 'resilience-middleware[streams]'" in run_without("websockets", statement)


@pytest.mark.slow
def test_nothing_else_needs_websockets() -> None:
    """Modules that open no socket, and the modules of the sockets, can be imported without the library."""
    statement = "import resilience.bitget.websocket, resilience.streams; from resilience.bitget import BitgetClient"
    assert run_without("websockets", statement) == "imported"


def test_an_import_error_inside_a_library_stays() -> None:
    """Only the missing library itself is reported as missing."""
    statement = "sys.modules['yarl'] = None; from resilience.integrations.aiohttp import resilience_middleware"
    assert "yarl" in run_without("nothing_at_all", statement)
