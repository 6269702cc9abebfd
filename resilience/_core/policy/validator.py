"""Holds the validator of settings, which `config/` provides: the core imports no validation library."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

__all__ = ["Validator", "provide_validator", "validator"]


class Validator(Protocol):
    """Reads values by the annotations of a settings class."""

    def read_values(self, kind: type, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """Return the values by name, with `WRONG` in place of wrong ones, and a (path, message) for each mistake."""


_provided: list[Callable[[], Validator]] = []


def provide_validator(provide: Callable[[], Validator]) -> None:
    """Set where the validator comes from; `provide` is called when the first values are read."""
    _provided[:] = [provide]


def validator() -> Validator:
    """Return the validator."""
    return _provided[0]()
