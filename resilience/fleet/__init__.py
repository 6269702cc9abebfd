"""Shares limits between the processes of one account through a Redis or Valkey store.

Its modules are imported where a policy file has a section `shared`.

One background thread per process and URL (`link.py`) does all I/O. Callers spend permits that they have in hand, or
leave a question in a queue; they never talk to the store. What is shared is a list of parts (`parts.py`).

To add a further shared part:

1. Write a module with a class like `SharedPart` (`shared_part.py`): `next_due` says when it wants to talk to the store,
   `work` does so, `store_lost` and `store_back` are called once each time. `QuotaLeases` and `Membership` are examples.
2. Write its Lua script as a `Script` (`store.py`), whose keys come from `KeySpace` (`keys.py`), so that all keys of one
   thing are in one slot of a cluster. `EPOCH` (`epoch_script.py`) tells a script whether the store has lost its memory.
3. Add a row to `PARTS` in `parts.py` and the name to `SHAREABLE` of `_core/policy/shared_settings.py`. Both at once:
   a name that has no part is a mistake in the file.
4. A part whose news must reach the others at once subscribes to a channel (`push_listener.py`). One that keeps a list
   which all processes see alike is an `EntriesPart` (`entries_part.py`), such as holds and the switch.
5. What the part shows of itself is returned by `describe`, and appears in `snapshot()["shared"]` under its name.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .fleet import Fleet
    from .online_check import store_problem
    from .store import require_client

__all__ = ["Fleet", "require_client", "store_problem"]

_HOMES = {"Fleet": "fleet", "require_client": "store", "store_problem": "online_check"}


def __getattr__(name: str) -> Any:
    """Import a name on its first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value
