"""Says what the data of Bitget cannot: the names of categories, and whether ccxt talks to a unified account.

ccxt queries the account type once and takes any error for "classic": after a dropped connection it would treat a
unified account as a classic one for ever. Here only Bitget's own rejection counts as an answer, and any other error
is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .._core.base.routine import Invocation, Routine
from .._core.classify.evidence import gather_evidence
from .._core.policy.codes import Category
from .._drivers.routine_runner import routine_function
from ..config.codes.code_tables import CodeRegistry

__all__ = ["methods", "placeholders"]


def placeholders(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the category as lists of orders take it: sockets have it in lower case, the lists in upper case."""
    return {"category": str(params["category"]).upper()} if params.get("category") else {}


def methods(original: Any, asynchronous: bool) -> dict[str, Callable[..., Any]]:
    """Return methods that override those of ccxt's class.

    Args:
        original: the ccxt class.
        asynchronous: the class is one of `ccxt.async_support`.
    """
    # Older releases of ccxt know no unified accounts.
    if not hasattr(original, "handle_uta_and_params"):
        return {}

    def handle_uta_and_params(self: Any, params: Any, method: Any, default: Any = False) -> Routine[Any]:
        if _needs_account_type(self, params, method):
            try:
                yield Invocation(self.privateUtaGetV3AccountSettings)
                self.options["uta"] = True
            except Exception as error:
                _set_account_type(self, error)
        return (yield Invocation(original.handle_uta_and_params, (self, params, method, default)))

    return {"handle_uta_and_params": routine_function(handle_uta_and_params, asynchronous=asynchronous)}


def _needs_account_type(engine: Any, params: Any, method: Any) -> bool:
    """Return True if the account type is not known and must be queried."""
    if not engine.check_required_credentials(False):
        return False
    return engine.handle_option_and_params(params or {}, method, "uta")[0] is None


def _set_account_type(engine: Any, error: Exception) -> None:
    """Set the type to classic if Bitget rejected the query; raise any other error again: it answers nothing."""
    # A rejected stamp and a retryable code say nothing about the account, so they are raised again like a lost
    # connection: taking them for "classic" would send later orders to endpoints that a unified account rejects.
    evidence = gather_evidence(error, ("code",))
    code = None if evidence.body is None else evidence.code
    rule = None if code is None else CodeRegistry.builtin("bitget").rule(code)
    if rule is None or rule.category is Category.RETRYABLE or rule.hint == "resync_clock":
        raise error
    engine.options["uta"] = False
