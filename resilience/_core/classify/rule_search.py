"""Finds the row of a table of codes that explains an error, from its `Evidence`: by code, by status, by class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from ..policy.codes import Category, CodeTable, Rule
from .evidence import Evidence

__all__ = ["PROGRAM_ERROR", "UNCERTAINTY", "Match", "RuleSearch"]

PROGRAM_ERROR = "program_error"
"""The row of a bug of the program."""
_VAGUE = frozenset(
    {
        "connect_error", "connection_error", "os_error", "protocol_error",
        "BaseError", "ExchangeError", "ExchangeNotAvailable", "NetworkError", "OperationFailed", "RequestTimeout",
    }
)  # fmt: skip
"""Rows about which an error further down the causes may say more, but never with less certainty.

Among them those of ccxt's classes that it raises from the errors of its HTTP clients.
"""
UNCERTAINTY = {"maybe": 2, "no": 1, "n_a": 0}
"""How uncertain a value of `executed` is: the higher, the more."""


class Match(NamedTuple):
    """A row, the table in which it is, and the evidence that led to it."""

    rule: Rule
    table: CodeTable
    evidence: Evidence


class RuleSearch:
    """The tables of one policy, in the order of the search. Never changed: safe across threads and tasks."""

    __slots__ = ("_listed", "_lookup", "base")

    def __init__(self, listed: Sequence[CodeTable], base: CodeTable, lookup: Callable[[str], CodeTable | None]) -> None:
        """Search these tables.

        Args:
            listed: those that the policy lists, in its order.
            base: the one of HTTP statuses and transport errors.
            lookup: finds a table that an error names and the policy does not list.
        """
        self._listed = tuple(listed)
        self._lookup = lookup
        self.base = base

    def tables_for(self, evidence: Evidence, registry: str | None) -> Iterable[CodeTable]:
        """Return the tables that know the codes of an error's source, that source's own first.

        The same number means other things in another API, so the tables of another exchange are never among them.
        """
        if evidence.package == "ccxt":
            # ccxt begins its texts with the exchange's id: "kucoin {...}".
            names = [evidence.text.partition(" ")[0], "ccxt"]
            return [table for table in map(self.named, names) if table is not None]
        # What the error itself says goes before the client that raised it, and that before its package.
        own = evidence.registry or registry
        for listed in self._listed:
            if evidence.package in listed.sources:
                own = own or listed.name
        table = self.named(own) if isinstance(own, str) else None
        return self._listed if table is None else (table, *self._listed)

    def named(self, name: str) -> CodeTable | None:
        """Return the table of this name: a listed one, else what the lookup finds."""
        for table in self._listed:
            if table.name == name:
                return table
        return self._lookup(name)

    def by_code(self, evidence: Evidence, registry: str | None) -> Match | None:
        """Return the row of the error's code; in ccxt's table an error without a known code is found by its text."""
        for table in self.tables_for(evidence, registry):
            # A row without a category is a success: it explains no error, so the next table is searched.
            rule = table.rule(evidence.code) if evidence.code is not None else None
            if rule is None and table.name == "ccxt":
                rule = table.by_text(_message(evidence))
            if rule is not None and rule.category is not None:
                return Match(rule, table, evidence)
        return None

    def by_status(self, evidence: Evidence) -> Match | None:
        """Return the row of an error status; one that no table has gets that of 4xx or 5xx. None below 400."""
        status = evidence.status
        if status is None or status < 400:
            return None
        rule = self.base.rule(str(status))
        if rule is None and status >= 500:
            rule = Rule(str(status), (), Category.RETRYABLE, "maybe")
        return Match(rule or Rule(str(status), (), Category.FATAL, "no"), self.base, evidence)

    def by_class(self, chain: Sequence[Evidence]) -> Match | None:
        """Return the row of the nearest error whose class says enough; a vague one only where none says more."""
        vague: Match | None = None
        for index, evidence in enumerate(chain):
            match = self._of_class(evidence)
            if match is None or (index and match.rule.code == PROGRAM_ERROR):
                continue  # a bug among the causes (a cache that missed, say) explains nothing
            more_uncertain = vague is not None and UNCERTAINTY[match.rule.executed] > UNCERTAINTY[vague.rule.executed]
            if match.rule.code not in _VAGUE and not more_uncertain:
                return match
            vague = vague or match
        return vague

    def _of_class(self, evidence: Evidence) -> Match | None:
        if evidence.rule_code is not None and (rule := self.base.rule(evidence.rule_code)) is not None:
            return Match(rule, self.base, evidence)
        for name in evidence.class_names:
            for table in (self.base, *self._listed):
                rule = table.named(name)
                if rule is not None:
                    return Match(rule, table, evidence)
            ccxt = self.named("ccxt") if name.startswith("ccxt.") else None
            if ccxt is not None and (rule := ccxt.named(name)) is not None:
                return Match(rule, ccxt, evidence)
        return None


def _message(evidence: Evidence) -> str:
    """Return the message of the API in the body, else the error's own text."""
    if evidence.body is not None:
        for key in ("msg", "message"):
            message = evidence.body.get(key)
            if isinstance(message, str):
                return message
    return evidence.text
