"""Where the ccxt integration finds what is known of single exchanges."""

from __future__ import annotations

import re
import sys
from importlib.metadata import EntryPoint
from types import ModuleType
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


@pytest.mark.parametrize("old", [True, False])
def test_a_module_without_exchange_support(bots: Any, api: Any, monkeypatch: pytest.MonkeyPatch, old: bool) -> None:
    """`wrap` names the module, the function that it lacks, and that of 0.1 where it has it."""
    module = ModuleType("venue_of_0_1")
    if old:
        module.venue = lambda handle: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "venue_of_0_1", module)
    point = EntryPoint("binance", "venue_of_0_1", exchange_support._GROUP)
    monkeypatch.setattr(exchange_support, "_entry_points", lambda: {"binance": point})
    message = (
        "venue_of_0_1, the entry point 'binance' of resilience.venues, has no exchange_support(exchange)"
        f"{', but venue(handle), the function of 0.1' if old else ''}; "
        "exchange_support returns an ExchangeSupport, a protocol of resilience.integrations.ccxt.exchange_support"
    )
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        wrap(bots.plain(api, "binance"), "ccxt", policies=Policies.builtin())
