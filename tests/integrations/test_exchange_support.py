"""Where the ccxt integration finds what is known of single exchanges."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import pytest

from resilience import Policies, wrap
from resilience.integrations.ccxt import exchange_support


def test_other_packages_add_exchanges(bots: Any, api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry point, named by the exchange's id, leads to a module with `exchange_support` and `methods`."""
    point = EntryPoint("binance", "resilience.bitget.ccxt_venue", exchange_support._GROUP)
    monkeypatch.setattr(exchange_support, "_entry_points", lambda: {"binance": point})
    bot = wrap(bots.plain(api, "binance"), "ccxt", policies=Policies.builtin())
    assert bot.resilience_operation_info("create_order", bot).reconcile is not None
