"""Without the extra `streams` everything but a WebSocket works, and the error names the extra."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

pytestmark = pytest.mark.full

HIDE = "import sys; sys.modules['websockets'] = None"  # an import of it now raises ModuleNotFoundError
MISSING = "needs websockets: pip install 'resilience-middleware[streams]'"


def run(*lines: str) -> Any:
    """Run Python lines in a process that cannot import `websockets`; return what they print, parsed as JSON."""
    code = "\n".join((HIDE, "import json", *lines))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_rest_client_trades_on_the_sandbox() -> None:
    """Importing the packages, the REST client and the REST side of the sandbox need no WebSocket."""
    assert (
        run(
            "import resilience, resilience.streams",
            "from resilience.bitget import BitgetClient, WebsocketClientV2, WebsocketClientV3",
            "from resilience.sandbox import Sandbox",
            "with Sandbox() as exchange:",
            "    keys = exchange.key, exchange.secret, exchange.passphrase",
            "    with BitgetClient(*keys, base_url=exchange.rest) as client:",
            "        order = dict(symbol='BTCUSDT', side='buy', orderType='market', size='50', clientOid='mine')",
            "        client.spot_place_order(**order)",
            "    print(json.dumps(exchange.ledger()['orders'][0]['executions']))",
        )
        == 1
    )


@pytest.mark.parametrize(
    "use",
    [
        "WebsocketClientV2()",
        "WebsocketClientV3('key', 'secret', 'passphrase')",
        "exchange.ws",
        "exchange.sockets.port",
        "exchange.sockets.script('refuse')",
        "exchange.sockets.fault('drop')",
    ],
)
def test_an_error_names_the_extra(use: str) -> None:
    """Opening a stream, and asking the sandbox for its WebSocket, raise an error that says what to install."""
    message = run(
        "from resilience.bitget import WebsocketClientV2, WebsocketClientV3",
        "from resilience.sandbox import Sandbox",
        "with Sandbox() as exchange:",
        "    try:",
        f"        {use}",
        "    except ImportError as error:",
        "        print(json.dumps(str(error)))",
    )
    assert message.endswith(MISSING)


def test_the_demo_runs() -> None:
    """`resilience demo` needs the extra `cli` alone."""
    result = run("from resilience.cli import main", "main(['demo', '--orders', '3', '--json'])")
    assert result["clients"]["resilient"]["exactly_once"] == 3


def test_the_command_sandbox_has_no_websocket_address() -> None:
    """The REST side starts, and `ws` is null."""
    code = f"{HIDE}\nfrom resilience.cli import main\nmain(['sandbox', '--json'])"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        addresses = json.loads(process.stdout.readline())
        process.terminate()
    assert list(addresses) == ["rest", "ws", "key", "secret", "passphrase", "policy", "venue", "urls"]
    assert addresses["ws"] is None
