"""Writes values for messages, and reads a value that must be one of a few words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["in_yaml", "listed", "one_of", "says_why", "shown"]

_FLAGS = ("", "true", "false", "yes", "no", "on", "off", "none", "null", "0", "1")


def shown(value: Any) -> str:
    """Return a value as messages show it, at most 60 characters."""
    text = repr(value) if isinstance(value, (str, int, float, bool, type(None))) else f"a {type(value).__name__}"
    return text if len(text) <= 60 else text[:57] + "..."


def one_of(options: tuple[Any, ...], value: Any, mask: str = "") -> Any:
    """Return the option that a value is; 1 is not True. `mask` is shown in place of a value that must be hidden.

    Raises:
        ValueError: it is none of them.
    """
    for option in options:
        if value == option and isinstance(value, bool) == isinstance(option, bool):
            return option
    raise ValueError(f"{mask or shown(value)} is not one of {listed(options)}")


def listed(options: Iterable[Any]) -> str:
    """List the options as a policy file writes them."""
    return ", ".join(map(in_yaml, options))


def in_yaml(value: Any) -> str:
    """Write a word or a switch as a policy file does."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def says_why(text: str) -> bool:
    """Return whether a text gives a reason and is no flag: `isolated: false` must not isolate by the word "false"."""
    return text.strip().lower() not in _FLAGS
