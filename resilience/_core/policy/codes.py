"""Holds the meaning of an API's error codes as an immutable table, built from rows that the caller has read.

Codes are strings with their leading zeros: "00001" and "1" are different rows. A table never changes after it
is built, so threads share it without a lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from .answer_envelope import Envelope, ItemList

__all__ = ["Category", "CodeTable", "Envelope", "Executed", "ItemList", "Proof", "Rule"]

Executed = Literal["no", "maybe", "n_a"]
"""Whether a request may have taken effect: it did not, it may have, or it does not matter (a read or a success)."""
Proof = Literal["proven", "likely", "none"]
"""How sure it is that a request did not take effect.

`proven`: it never left, or the API said so in its own envelope. `likely`: HTTP or the class of an error says so, which
a gateway may do after it has passed the request on. `none`: it may have taken effect, or it does not matter.
"""


class Category(StrEnum):
    """What helps against a failure."""

    RETRYABLE = "retryable"
    """The same request may succeed within about an hour without any change."""
    FATAL = "fatal"
    """Neither waiting nor a change by the caller or the account's owner helps."""
    USER_FIXABLE = "user_fixable"
    """The account's owner or the caller can change something: the remedy says what."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The meaning of one code.

    Attributes:
        code: the API's code as a string, leading zeros kept.
        names: constants or exception classes with this meaning; a code may have several.
        category: what helps, or None for a code that means success.
        executed: whether the request may have taken effect.
        hint: one word about how to try again, such as `backoff`, `query_first`, `resync_clock`.
        remedy: one sentence that tells a human what to do.
        legacy: the code appears only in old tables of the API.
        duplicate: the code means that the idempotency key was used before.
        action: what a stream does after this code; empty for codes of requests.
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


class CodeTable:
    """The codes of one API. A rule is found by its code, by a name, or by a part of a message."""

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
            rules: its rows; of two rows with the same code the later one wins.
            envelope: how answers of this API report an error; with None no body is read.
            texts: (substring of a message, code) pairs, tried in this order.
            sources: top-level packages whose exceptions carry these codes.
        """
        self.name = name
        self.envelope = envelope
        self.sources = frozenset(sources)
        # A dict keeps the position of a code that comes twice, so a replaced row keeps its place in listings.
        self._rules = {rule.code: rule for rule in rules}
        self._named: dict[str, Rule] = {}
        for rule in self._rules.values():
            for alias in rule.names:
                self._named.setdefault(alias, rule)  # of two codes with one name the first row wins
        self._texts = tuple((text, self._rules[code]) for text, code in texts)

    def rule(self, code: str) -> Rule | None:
        """Return the rule of `code`, or None if no row has it."""
        return self._rules.get(code)

    def named(self, name: str) -> Rule | None:
        """Return the rule of a constant or of an exception class (`package.Class`), or None."""
        return self._named.get(name)

    def by_text(self, message: str) -> Rule | None:
        """Return the first rule whose text is part of `message`, or None."""
        for text, rule in self._texts:
            if text in message:
                return rule
        return None

    @property
    def texts(self) -> tuple[tuple[str, str], ...]:
        """The (substring of a message, code) pairs, in the order in which they are tried."""
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
