"""Which fault the next request meets: that of its script, else the one that is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Any, NamedTuple

from .faults import QUERY, WRITE, Fault, FaultError, draw, fault_of, rates_of

__all__ = ["Chance", "Met"]

_PREFIX = {"cancel": "cancel:", "query": "query:"}
_NONE = Fault("")


class Met(NamedTuple):
    """The fault of one attempt; `name` and `attempt` are what it was drawn from."""

    fault: Fault
    name: str
    attempt: int


class Chance:
    """Seed, rates and scripts, and how often each id was tried. Safe across threads."""

    def __init__(self, seed: int, rates: str | Mapping[str, Any] | None) -> None:
        self.seed = seed
        self.rates = rates_of(rates)
        self.scripts: dict[str, tuple[Fault, ...]] = {}
        self._tries: dict[tuple[str, str], int] = {}
        self._lock = Lock()

    def change(
        self,
        seed: int | None = None,
        rates: str | Mapping[str, Any] | None = None,
        scripts: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        """Change what is given; scripts alone leave the rates as they are.

        Raises:
            FaultError: the exchange has no such faults; nothing changes.
        """
        fresh = rates_of(rates)
        told = {name: script_of(name, script) for name, script in (scripts or {}).items()}
        with self._lock:
            if rates is not None or scripts is None:
                self.rates = fresh
            self.scripts.update(told)
            if seed is not None:
                self.seed = seed

    def forget_tries(self) -> None:
        """Begin to count attempts anew."""
        with self._lock:
            self._tries.clear()

    def tried(self, kind: str, key: str) -> int:
        """Return how many attempts of a kind an id has had."""
        with self._lock:
            return self._tries.get((kind, key), 0)

    def meet(self, kind: str, key: str) -> Met:
        """Count an attempt and return the fault that it meets."""
        with self._lock:
            attempt = self._tries[kind, key] = self._tries.get((kind, key), 0) + 1
            script = self.scripts.get(_PREFIX.get(kind, "") + key)
            seed, rates = self.seed, self.rates
        name = f"cancel:{key}" if kind == "cancel" else key
        if script is not None:
            return Met(script[attempt - 1] if attempt <= len(script) else _NONE, name, attempt)
        drawn = draw(seed, QUERY if kind == "query" else WRITE, name, attempt, rates)
        return Met(Fault(drawn or ""), name, attempt)


def script_of(name: str, script: Iterable[str]) -> tuple[Fault, ...]:
    """Return the faults of an id's attempts in order; an empty text is none.

    Raises:
        FaultError: the list is none, or one is no fault of such requests.
    """
    if isinstance(script, str) or not isinstance(script, Iterable):
        raise FaultError(f"script of {name!r}: expected a list such as ['accept_late', 'lag:3.0', ''], got {script!r}")
    kind = QUERY if name.startswith(_PREFIX["query"]) else WRITE
    return tuple(fault_of(text, kind) for text in script)
