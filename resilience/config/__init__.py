"""Loads, checks and watches policy files and code tables. Only this package imports yaml and pydantic.

What the packages below import from here is loaded on its first use, because yaml costs more than the whole of
`import resilience`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .codes.code_tables import CodeRegistry, builtin_names, is_known
    from .loading.builtin_policies import builtin
    from .loading.policy_file import from_mapping, load
    from .reload.diff import changes
    from .reload.watch import Watch

__all__ = ["CodeRegistry", "Watch", "builtin", "builtin_names", "changes", "from_mapping", "is_known", "load"]

_HOMES = {
    "CodeRegistry": "codes.code_tables",
    "Watch": "reload.watch",
    "builtin": "loading.builtin_policies",
    "builtin_names": "codes.code_tables",
    "changes": "reload.diff",
    "from_mapping": "loading.policy_file",
    "is_known": "codes.code_tables",
    "load": "loading.policy_file",
}


def __getattr__(name: str) -> Any:
    """Import a name on its first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value
