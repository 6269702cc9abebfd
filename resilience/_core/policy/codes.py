"""Holds the meaning of an API's error codes as an immutable table, built from rows that the caller has read.

Codes are strings with their leading zeros: "00001" and "1" are different rows. Where a number means several things,
the key of a row is (scope, code). A table never changes after it is built, so threads share it without a lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from .answer_envelope import Envelope, ItemList
from .code_scopes import row_in_scope, scope_of_url

__all__ = ["Category", "CodeTable", "Envelope", "Executed", "ItemList", "Proof", "Rule"]

Executed = Literal["no", "maybe", "n_a"]
"""Whether a request may have taken effect: it did not, it may have, or it does not matter (a read or a success)."""
Proof = Literal["proven", "likely", "none"]
"""How sure it is that a request did not take effect.

`proven`: it never left, or the API said so in its own envelope. `likely`: HTTP or the class of an error says so, which
a gateway may do after it has passed the request on. `none`: it may have taken effect, or it does not matter.
"""


class Category(StrEnum):
    """What helps against a failure. Each is a string, so `failure.category == "retryable"` works."""

    RETRYABLE = "retryable"
    """The same request may succeed within about an hour without any change."""
    FATAL = "fatal"
    """Neither waiting nor a change by the caller or the account's owner helps."""
    USER_FIXABLE = "user_fixable"
    """The account's owner or the caller can change something: the remedy says what."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The meaning of one code: one row of a code table.

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
        scopes: the parts of the API in which the code means this; none for all of them.
        match: how the row is found by a message: `exact` by the whole of it, `part` by a part of it; empty for a row
            that only its code finds.
        source: the short names of the documents that the row comes from, which the table's `references` explain.
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
    scopes: tuple[str, ...] = ()
    match: str = ""
    source: tuple[str, ...] = ()


_COMPARED = ("name", "envelope", "sources", "texts", "_all", "prefixes", "references")


class CodeTable:
    """The codes of one API. A rule is found by its code, by a name, or by a part of a message."""

    __slots__ = (
        "_all", "_named", "_rows", "_tried",
        "envelope", "has_texts", "name", "prefixes", "references", "sources", "texts",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        rules: Iterable[Rule],
        *,
        envelope: Envelope | None = None,
        texts: Iterable[tuple[str, str]] = (),
        sources: Iterable[str] = (),
        prefixes: Mapping[str, str] | None = None,
        references: Mapping[str, str] | None = None,
    ) -> None:
        """Build the table.

        Args:
            name: the registry's name, such as `bitget`.
            rules: its rows; of two rows with the same scopes and code the later one wins.
            envelope: how answers of this API report an error; with None no body is read.
            texts: (substring of a message, code) pairs, tried in this order, before the rows that a text finds.
            sources: top-level packages whose exceptions carry these codes.
            prefixes: the beginnings of URLs, with the scope that each has.
            references: the documents that rows come from, by their short names.
        """
        self.name = name
        self.envelope = envelope
        self.sources = frozenset(sources)
        self.prefixes = dict(prefixes or {})
        self.references = dict(references or {})
        # A dict keeps the position of a code that comes twice, so a replaced row keeps its place in listings.
        self._all = tuple({(rule.code, rule.scopes): rule for rule in rules}.values())
        rows: dict[str, list[Rule]] = {}
        self._named: dict[str, Rule] = {}
        for rule in self._all:
            rows.setdefault(rule.code, []).append(rule)
            for alias in rule.names:
                self._named.setdefault(alias, rule)  # of two codes with one name the first row wins
        # Nearly every code has one row, which is then kept without a list around it.
        self._rows: dict[str, Rule | tuple[Rule, ...]] = {
            code: own[0] if len(own) == 1 else tuple(own) for code, own in rows.items()
        }
        self.texts = tuple(texts)
        """The (substring of a message, code) pairs, in the order in which they are tried."""
        self.has_texts = bool(self.texts) or any(rule.match for rule in self._all)
        """Whether a message can find a row."""
        # The longest text first: "order not found" is a part of "order not found or closed".
        parts = {rule.code: None for rule in self._all if rule.match == "part"}
        self._tried = (*self.texts, *((text, text) for text in sorted(parts, key=len, reverse=True)))

    def rule(self, code: str, *, scope: str | None = None) -> Rule | None:
        """Return the row of a code, or None if no row has it.

        Args:
            code: the API's code, or the text of a row that a message finds.
            scope: the part of the API that was asked. Its own row counts, else that of `all`. Where neither is there,
                and where no scope is known, the most cautious row counts: `maybe` before `no`.
        """
        row = self._rows.get(code)
        return row_in_scope(row, scope) if isinstance(row, tuple) else row

    def rules(self, code: str) -> tuple[Rule, ...]:
        """Return all rows of a code: several where it depends on the scope, none where the code is not known."""
        row = self._rows.get(code)
        return row if isinstance(row, tuple) else () if row is None else (row,)

    def scope_of(self, url: str) -> str | None:
        """Return the scope of a request to this URL, or None if the table does not say."""
        return scope_of_url(url, self.prefixes) if self.prefixes and url else None

    def named(self, name: str) -> Rule | None:
        """Return the rule of a constant or of an exception class (`package.Class`), or None."""
        return self._named.get(name)

    def by_whole_text(self, message: str, *, scope: str | None = None) -> Rule | None:
        """Return the row whose text is this message, or None."""
        rule = self.rule(message, scope=scope)
        return rule if rule is not None and rule.match else None

    def by_text(self, message: str, *, scope: str | None = None) -> Rule | None:
        """Return the row whose text is this message, else the first one whose text is a part of it, or None."""
        whole = self.by_whole_text(message, scope=scope)
        if whole is not None:
            return whole
        code = next((code for text, code in self._tried if text in message), None)
        return None if code is None else self.rule(code, scope=scope)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CodeTable):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in _COMPARED)

    def __hash__(self) -> int:
        return hash((self.name, len(self._all)))

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, code: object) -> bool:
        return code in self._rows

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {len(self)} codes>"
