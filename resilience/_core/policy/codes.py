"""What an API's codes mean: a table, and nothing but a table.

Keys are strings with their leading zeros ("00001" and "1" are different rows). A registry is
handed its rows; it reads no file. Shared freely between threads: nothing changes after birth.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

__all__ = ["Category", "CodeTable", "Envelope", "Executed", "ItemList", "Rule"]

Executed = Literal["no", "maybe", "n_a"]
"""Whether a request may have taken effect: refused before it did, in doubt, or a read or a success."""


class Category(StrEnum):
    """What helps against a failure."""

    RETRYABLE = "retryable"
    """The same request may succeed within about an hour and nobody changes anything."""
    FATAL = "fatal"
    """Neither waiting nor a change by the caller or the account's owner helps."""
    USER_FIXABLE = "user_fixable"
    """The account's owner or the caller can change something: the remedy says what."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What one code means.

    Attributes:
        code: the API's code as a string, leading zeros kept.
        names: constants or exception classes that stand for the code; one code may have several.
        category: what helps, or None for a code that means success.
        executed: whether the request may have taken effect.
        hint: one word on how to try again, for example `backoff`, `query_first`, `resync_clock`.
        remedy: one sentence that a human can act on.
        legacy: the code stands only in old tables of the API.
        duplicate: the code says that the idempotency key is taken.
        action: what a stream does on the code; empty outside sockets.
    """

    code: str
    names: tuple[str, ...] = ()
    category: Category | None = None
    executed: Executed = "maybe"
    hint: str = "none"
    remedy: str = ""
    legacy: bool = False
    duplicate: bool = False
    action: str = ""


@dataclass(frozen=True, slots=True)
class ItemList:
    """Where a successful answer lists the items of a batch that failed, and what each says under which key.

    A mixed list holds those that went well too: there an item has failed when it tells a code that is no success.
    """

    at: tuple[str, ...]
    code: str
    message: str = ""
    key: str = ""
    mixed: bool = False


@dataclass(frozen=True, slots=True)
class Envelope:
    """Where an API's answer keeps its code, its words, its server time (Unix milliseconds) and its failed items."""

    code: str
    message: str = ""
    success: frozenset[str] = frozenset()
    time: str = ""
    failures: tuple[ItemList, ...] = ()


class CodeTable:
    """The codes of one API by name: code → `Rule`, class name → `Rule`, message text → `Rule`."""

    __slots__ = ("_named", "_rules", "_texts", "envelope", "name", "sources")

    def __init__(
        self,
        name: str,
        rules: Iterable[Rule],
        *,
        envelope: Envelope | None = None,
        texts: Iterable[tuple[str, str]] = (),
        sources: Iterable[str] = (),
    ) -> None:
        """Build the table.

        Args:
            name: the registry's name, such as `bitget`.
            rules: its rows; of two rows with one code the later wins.
            envelope: how answers of this API say that they are errors; None looks at no body.
            texts: (substring of a message, code) pairs, asked in this order.
            sources: top-level packages whose exceptions speak these codes.
        """
        self.name = name
        self.envelope = envelope
        self.sources = frozenset(sources)
        self._rules = {rule.code: rule for rule in rules}
        self._named: dict[str, Rule] = {}
        for rule in self._rules.values():
            for alias in rule.names:
                self._named.setdefault(alias, rule)
        self._texts = tuple((text, self._rules[code]) for text, code in texts)

    def rule(self, code: str) -> Rule | None:
        """Return what `code` means, or None for a code that stands in no row."""
        return self._rules.get(code)

    def named(self, name: str) -> Rule | None:
        """Return the rule that a constant or an exception class (`package.Class`) stands for."""
        return self._named.get(name)

    def by_text(self, message: str) -> Rule | None:
        """Return the first rule whose text stands in `message`."""
        for text, rule in self._texts:
            if text in message:
                return rule
        return None

    @property
    def texts(self) -> tuple[tuple[str, str], ...]:
        """The (substring of a message, code) pairs, in the order in which they are asked."""
        return tuple((text, rule.code) for text, rule in self._texts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CodeTable):
            return NotImplemented
        parts = (self.name, self.envelope, self.sources, self._texts, self._rules)
        return parts == (other.name, other.envelope, other.sources, other._texts, other._rules)

    def __hash__(self) -> int:
        return hash((self.name, len(self._rules)))

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules.values())

    def __len__(self) -> int:
        return len(self._rules)

    def __contains__(self, code: object) -> bool:
        return code in self._rules

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {len(self)} codes>"
