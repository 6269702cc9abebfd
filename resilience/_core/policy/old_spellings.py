"""Declares the settings' names of version 0.1, which are accepted for one more version with a warning.

A settings class declares its renamed settings once, with `@renamed(...)`. The table is read by the class itself
(keyword arguments and attributes), by the loader (files and mappings) and by the JSON schema (the description of the
new key).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .value_text import in_yaml, listed, one_of

__all__ = ["OldSpelling"]


@dataclass(frozen=True, slots=True)
class OldSpelling:
    """One renamed setting.

    Attributes:
        old: the name in version 0.1.
        new: the name now.
        values: pairs of an old value and the value that replaces it; empty where the values have not changed.
    """

    old: str
    new: str
    values: tuple[tuple[Any, Any], ...] = ()

    def translate(self, value: Any, mask: str = "") -> Any:
        """Return the new value for an old one; `mask` is shown in a message in place of a hidden value.

        Raises:
            ValueError: the old setting does not take this value.
        """
        if not self.values:
            return value
        try:
            return dict(self.values)[one_of(tuple(old for old, _ in self.values), value, mask)]
        except ValueError as error:
            raise ValueError(f"{error}; the setting is now {self.new}: {self.allowed()}") from None

    def old_value(self, value: Any) -> Any:
        """Return the old value for a new one."""
        return {new: old for old, new in self.values}[value] if self.values else value

    def allowed(self) -> str:
        """List the new values."""
        return listed(new for _, new in self.values)

    def deprecation(self, value: Any) -> str:
        """Return the warning for an old value, which names the new spelling."""
        now = self.new
        if self.values:
            now, was = f"{self.new}: {in_yaml(self.translate(value))}", f"{self.old}: {in_yaml(value)}"
            return f"{was} is the old spelling of {now}"
        return f"{self.old} is the old spelling of {now}"

    def conflict(self) -> str:
        """Return the mistake of giving the old and the new spelling together."""
        return f"{self.old} is the old spelling of {self.new}, which is set too: remove {self.old}"

    def note(self) -> str:
        """Return the sentence that the schema adds to the description of the new key."""
        values = f" ({', '.join(f'{in_yaml(old)} is {in_yaml(new)}' for old, new in self.values)})"
        return f" Called {self.old} in version 0.1{values if self.values else ''}."
