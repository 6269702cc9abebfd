"""Which kind of account ccxt talks to, classic or unified: asked once, and never guessed from a failure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._core.classify.evidence import gather_evidence
from .._core.policy.codes import Category, Rule
from ..config.codes.code_tables import CodeRegistry

__all__ = ["methods", "rule_of", "undecided"]


def methods(original: Any, asynchronous: bool) -> dict[str, Callable[..., Any]]:
    """Return methods to put over those of ccxt's class.

    ccxt asks once which kind of account it is and takes any error for an answer: a dropped connection
    would pin a unified account as a classic one. Here an error that is no answer is an error.
    """
    if not hasattr(original, "handle_uta_and_params"):
        return {}

    def handle(self: Any, params: Any, method: Any, default: Any = False) -> Any:
        if undecided(self, params, method):
            try:
                self.privateUtaGetV3AccountSettings()
            except Exception as error:
                _decide(self, error)
        return original.handle_uta_and_params(self, params, method, default)

    async def ahandle(self: Any, params: Any, method: Any, default: Any = False) -> Any:
        if undecided(self, params, method):
            try:
                await self.privateUtaGetV3AccountSettings()
            except Exception as error:
                _decide(self, error)
        return await original.handle_uta_and_params(self, params, method, default)

    return {"handle_uta_and_params": ahandle if asynchronous else handle}


def undecided(engine: Any, params: Any = None, method: Any = None) -> bool:
    """Tell whether the account's kind has to be asked for."""
    if not hasattr(engine, "handle_uta_and_params") or not engine.check_required_credentials(False):
        return False
    return engine.handle_option_and_params(params or {}, method, "uta")[0] is None


def _decide(engine: Any, error: Exception) -> None:
    """Take Bitget's own refusal for the answer of a classic account; anything else is no answer and goes on."""
    evidence = gather_evidence(error, ("code",))
    rule = None if evidence.body is None else rule_of(evidence.code)
    if rule is None or rule.category is Category.RETRYABLE or rule.hint == "resync_clock":
        raise error
    engine.options["uta"] = False


def rule_of(code: str | None) -> Rule | None:
    """Return what a code of Bitget means, or None."""
    return None if code is None else CodeRegistry.builtin("bitget").rule(code)
