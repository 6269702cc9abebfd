"""Loads what a first call and a first failure need, before they come: an event loop must not stop to import and parse.

This is the one list of it. What is imported late elsewhere is named here, and is in memory when a policy is in force,
compiled, or given to a client.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module

from .. import config
from .._core.policy.policy import Policy
from .shared_state import SharedState

__all__ = ["load_entry_points", "load_modules", "load_needs"]

_MODULES = (
    "tenacity",  # the waits between attempts: `_core/stages/retry.py`
    "pybreaker",  # the state of a breaker that has seen a failure: `_core/stages/pybreaker_state.py`
    "email.utils",  # a Retry-After that is a date: `_core/classify/retry_hints.py`
)
_WITHOUT_OTHERS = frozenset({"http"})
"""Tables whose errors name no further table."""


def load_modules() -> None:
    """Import what every policy needs. Safe across threads; free once it is done."""
    for name in _MODULES:
        if name not in sys.modules:
            import_module(name)


def load_needs(policy: Policy, shared: SharedState, registries: Iterable[str] = ()) -> None:
    """Load what calls under a policy need, the code tables above all. Safe across threads.

    Args:
        policy: the settings.
        shared: has the tables that the policy file names by path.
        registries: names of further tables, which the errors of a client name as their own.

    Raises:
        PolicyError: a code table is wrong, or cannot be loaded.
    """
    load_modules()
    shared.classifier(policy)
    if "ccxt" in sys.modules or not _WITHOUT_OTHERS.issuperset(policy.codes):
        load_entry_points()  # an error of ccxt names its exchange, which may have a table of another package
    for name in registries:
        if config.is_known(name):
            config.CodeRegistry.builtin(name)


def load_entry_points() -> None:
    """Read the names of the code tables of other packages: an error may name any of them. Read once per `sys.path`."""
    config.builtin_names()
