"""A call is made while another thread is still importing a module that the library looks for in `sys.modules`."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from resilience import Policies, resilient, wrap
from resilience.bitget import BitgetClient
from resilience.outbox import Outbox
from resilience.sandbox import Sandbox

ORDER = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": "10"}


@pytest.mark.parametrize("module", ["asyncio.events", "unittest.mock", "structlog", "trio"])
def test_an_order_is_placed(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that has no names yet changes nothing: with Celery's threads an order failed with an AttributeError."""
    with Sandbox(window=1.0) as exchange, Outbox(tmp_path / "orders.db") as outbox:
        monkeypatch.setitem(sys.modules, module, ModuleType(module))
        client = BitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)
        bot = wrap(client, "bitget", policies=Policies.load(exchange.policy), outbox=outbox)
        bot.spot_place_order(**ORDER, clientOid="early")
        assert resilient(lambda: 1)() == 1
        monkeypatch.undo()
        assert [row["executions"] for row in exchange.ledger()["orders"]] == [1]
