"""Loads what a first call and a first failure need, before they come: an event loop must not stop to import and parse.

This is the one list of it. What is imported late elsewhere is named here, and is in memory when a policy is in force,
compiled, or given to a client.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from importlib import import_module

from .. import config
from .._core.policy.policy import Policy
from ..errors import PolicyError
from .shared_state import SharedState

__all__ = ["load_modules", "load_needs", "load_tables"]

_MODULES = (
    "tenacity",  # the waits between attempts: `_core/stages/retry.py`
    "pybreaker",  # the state of a breaker that has seen a failure: `_core/stages/pybreaker_state.py`
    "email.utils",  # a Retry-After that is a date: `_core/classify/retry_hints.py`
)
_TABLES_OF = {
    "ccxt": "ccxt",
    "discord": "discord",
    "telegram": "telegram",
    "resilience.bitget.errors": "bitget",
}
"""Modules whose errors have a code table, whether the policy lists it or not: a client may be called without `wrap`."""


def load_modules() -> None:
    """Import what every policy needs. Safe across threads; free once it is done."""
    for name in _MODULES:
        if name not in sys.modules:
            import_module(name)


def load_needs(policy: Policy, shared: SharedState) -> None:
    """Load what calls under a policy need, the code tables above all. Safe across threads; cheap once it is done.

    Args:
        policy: the settings.
        shared: has the log, and the tables that the policy file names by path.

    Raises:
        PolicyError: a code table of the policy is wrong, or cannot be loaded.
    """
    load_modules()
    if shared.log is not None:
        shared.log.load()
    shared.classifier(policy)
    for quota in policy.quota or ():
        for glob in quota.operations or ():
            fnmatchcase("", glob)  # which keeps the compiled pattern
    for table in _tables_of_modules():
        with suppress(PolicyError):  # of another package's table: an error that names it is classified without it
            load_tables(table)


def load_tables(*names: str | None) -> None:
    """Load code tables that errors of a client may name; those that do not exist are passed over.

    Raises:
        PolicyError: a table is wrong, or cannot be loaded.
    """
    for name in names:
        if name is not None and config.is_known(name):
            config.CodeRegistry.builtin(name)


def _tables_of_modules() -> Iterator[str]:
    """Yield the tables of those libraries that the program has imported."""
    for module, table in _TABLES_OF.items():
        if module in sys.modules:
            yield table
    # ccxt begins the text of an error with the exchange's id, which may have a table of its own.
    exchanges = getattr(sys.modules.get("ccxt"), "exchanges", None)
    if exchanges is not None:
        yield from sorted(set(config.builtin_names()).intersection(exchanges))
