"""Where the ccxt integration finds what is known of single exchanges."""

from __future__ import annotations

import re
from typing import Any

import pytest

from resilience import Policies, wrap

SUPPORT = """
from resilience.integrations.ccxt.exchange_support import ExchangeSupport


class Support(ExchangeSupport):
    def describe(self, method, wrapped):
        return {"reconcile": print}


def exchange_support(exchange):
    return Support()


def methods(original, asynchronous):
    return {"market_id_of_the_package": lambda self: "ours"}
"""


def test_other_packages_add_exchanges(bots: Any, api: Any, install: Any) -> None:
    """An entry point, named by the exchange's id, leads to a module with `exchange_support` and `methods`."""
    install("resilience.venues", "binance", "support_of_binance", support_of_binance=SUPPORT)
    bot = wrap(bots.plain(api, "binance"), "ccxt", policies=Policies.builtin())
    assert bot.resilience_operation_info("create_order", bot).reconcile is print
    assert bot.market_id_of_the_package() == "ours"


@pytest.mark.parametrize("old", [True, False])
def test_a_module_without_exchange_support(bots: Any, api: Any, install: Any, old: bool) -> None:
    """`wrap` names the package, the function that its module lacks, and that of 0.1 where it has it."""
    name = f"venue_of_0_{old:d}"
    install("resilience.venues", "binance", name, **{name: "venue = print" if old else ""})
    message = (
        f"the entry point 'binance' = '{name}' in resilience.venues of the package shop-plugins 1.2 "
        f"has no exchange_support(exchange){', but venue(handle), the function of 0.1' if old else ''}; "
        "exchange_support returns an ExchangeSupport, a protocol of resilience.integrations.ccxt.exchange_support"
    )
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        wrap(bots.plain(api, "binance"), "ccxt", policies=Policies.builtin())


@pytest.mark.parametrize(
    ("returned", "kind"), [("None", "a NoneType"), ("ExchangeSupport", "the class ExchangeSupport")]
)
def test_support_that_is_none(bots: Any, api: Any, install: Any, returned: str, kind: str) -> None:
    """A forgotten `return`, or a class in place of an object, is reported when the exchange is wrapped."""
    name = f"support_of_{len(returned)}"
    source = "from resilience.integrations.ccxt.exchange_support import ExchangeSupport\n"
    source += f"exchange_support = lambda _: {returned}"
    install("resilience.venues", "binance", name, **{name: source})
    with pytest.raises(
        TypeError, match=rf"shop-plugins 1\.2: .* returned {kind}, not an object derived from ExchangeSupport$"
    ):
        wrap(bots.plain(api, "binance"), "ccxt", policies=Policies.builtin())


def test_a_module_that_cannot_be_imported(bots: Any, api: Any, install: Any) -> None:
    """The error names the package and the entry point; other exchanges can be wrapped."""
    install("resilience.venues", "binance", "venue_that_is_gone")
    with pytest.raises(ImportError, match=r"'binance' .*shop-plugins 1\.2 cannot be loaded: ModuleNotFoundError"):
        wrap(bots.plain(api, "binance"), "ccxt", policies=Policies.builtin())
    assert wrap(bots.plain(api, "bitget"), "ccxt", policies=Policies.builtin()).id == "bitget"
