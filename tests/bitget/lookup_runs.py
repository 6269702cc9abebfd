"""Runs the lookup of a Bitget client without a client: each query is answered by a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from resilience.bitget.lookups import look_up_order

__all__ = ["Write", "run_lookup"]


class Write(NamedTuple):
    """A write, as a lookup gets it."""

    params: Mapping[str, Any]
    key: str | None
    sent_at: float


def run_lookup(endpoint: str, write: Write, ask: Callable[[str, dict[str, Any]], Any]) -> Any:
    """Return the result of a lookup whose queries `ask(path, params)` answers."""
    routine = look_up_order(endpoint, write.params, write, ask)
    try:
        step = next(routine)
        while True:
            step = routine.send(step.function(*step.args))
    except StopIteration as end:
        return end.value
