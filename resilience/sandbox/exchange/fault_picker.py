"""Picks the fault of each request: from its script if there is one, otherwise by the configured rates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Any, NamedTuple

from .faults import QUERY_FAULTS, WRITE_FAULTS, Fault, FaultError, draw_fault, parse_fault, parse_rates

__all__ = ["FaultPicker", "PickedFault"]

_PREFIX = {"cancel": "cancel:", "amend": "amend:", "query": "query:"}
_NO_FAULT = Fault("")


class PickedFault(NamedTuple):
    """The fault of one attempt; `name` and `attempt` are the keys of everything that is drawn for it."""

    fault: Fault
    name: str
    attempt: int


class FaultPicker:
    """The seed, rates and scripts of faults, and the number of attempts of each id. Safe across threads.

    Attributes:
        seed: of the draws.
        rates: the rate of each fault.
        scripts: the faults of an id's attempts, in order; a scripted id is not subject to the rates.
    """

    def __init__(self, seed: int, rates: str | Mapping[str, Any] | None) -> None:
        self.seed = seed
        self.rates = parse_rates(rates)
        self.scripts: dict[str, tuple[Fault, ...]] = {}
        self._attempts: dict[tuple[str, str], int] = {}
        self._struck: set[tuple[str, str, int]] = set()
        self._lock = Lock()

    @property
    def count(self) -> int:
        """Attempts that had a fault since the last reset."""
        return len(self._struck)

    def change(
        self,
        seed: int | None = None,
        rates: str | Mapping[str, Any] | None = None,
        scripts: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        """Change what is passed. Scripts without rates leave the rates as they are.

        Raises:
            FaultError: a fault is unknown; nothing changes.
        """
        # Everything is parsed before anything changes, so that a mistake changes nothing.
        parsed_rates = parse_rates(rates)
        parsed_scripts = {name: _parse_script(name, script) for name, script in (scripts or {}).items()}
        with self._lock:
            # A call without rates and scripts, such as `set_faults()`, switches all faults off.
            if rates is not None or scripts is None:
                self.rates = parsed_rates
            self.scripts.update(parsed_scripts)
            if seed is not None:
                self.seed = seed

    def reset_attempts(self) -> None:
        """Count the attempts of every id from the start."""
        with self._lock:
            self._attempts.clear()
            self._struck.clear()

    def attempts(self, kind: str, key: str) -> int:
        """Return how many attempts of a kind (`place`, `cancel`, `amend`, `query`) an id has had."""
        with self._lock:
            return self._attempts.get((kind, key), 0)

    def pick(self, kind: str, key: str) -> PickedFault:
        """Count an attempt and return its fault."""
        with self._lock:
            attempt = self._attempts[kind, key] = self._attempts.get((kind, key), 0) + 1
            script = self.scripts.get(_PREFIX.get(kind, "") + key)
            seed, rates = self.seed, self.rates
        # An order, its cancel and its changes have the same id; the prefix makes their draws independent.
        name = _PREFIX[kind] + key if kind in ("cancel", "amend") else key
        if script is not None:
            fault = script[attempt - 1] if attempt <= len(script) else _NO_FAULT
        else:
            faults = QUERY_FAULTS if kind == "query" else WRITE_FAULTS
            fault = Fault(draw_fault(seed, faults, name, attempt, rates) or "")
        if fault.name:
            self._struck.add((kind, key, attempt))  # adding to a set is atomic
        return PickedFault(fault, name, attempt)

    def put_back(self, kind: str, key: str) -> None:
        """Do not count the last attempt: the next one gets its fault."""
        with self._lock:
            if self._attempts.get((kind, key)):
                self._attempts[kind, key] -= 1


def _parse_script(name: str, script: Iterable[str]) -> tuple[Fault, ...]:
    """Return the faults of an id's attempts in order; an empty string means no fault.

    Raises:
        FaultError: the script is not a list, or an entry is not a fault of such requests.
    """
    if isinstance(script, str) or not isinstance(script, Iterable):
        raise FaultError(f"script of {name!r}: expected a list such as ['accept_late', 'lag:3.0', ''], got {script!r}")
    faults = QUERY_FAULTS if name.startswith(_PREFIX["query"]) else WRITE_FAULTS
    return tuple(parse_fault(text, faults) for text in script)
