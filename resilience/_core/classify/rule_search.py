"""Finds the row of a table of codes that explains an error, from its `Evidence`: by code, by class, by status.

Each match says how good a proof its row's "no" is. A code proves it in the API's own envelope, the class of a transport
error by where that error is raised. A status, and the class of an exchange's client, are likely right: a gateway may
answer with any status after it has passed the request on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from ..policy.codes import Category, CodeTable, Proof, Rule
from .evidence import Evidence

__all__ = ["PROGRAM_ERROR", "UNCERTAINTY", "Match", "RuleSearch", "is_status"]

PROGRAM_ERROR = "program_error"
"""The row of a bug of the program."""
_VAGUE = frozenset(
    {
        "connect_error", "connection_error", "os_error", "protocol_error",
        "BaseError", "ExchangeError", "ExchangeNotAvailable", "NetworkError", "OperationFailed", "RequestTimeout",
        "TelegramError", "TimedOut",
        "ClientException", "CommandError", "DiscordException", "HTTPException",
    }
)  # fmt: skip
"""Rows about which an error further down the causes may say more, but never with less certainty.

Among them those of ccxt's and python-telegram-bot's classes that these raise from the errors of their HTTP clients,
and those of discord.py's classes that wrap what a command has raised.
"""
_WEAKER_THAN_STATUS = frozenset(
    {
        "BaseError", "ExchangeError", "HTTPException", "NetworkError", "connection_error", "decode_error", "os_error",
        "protocol_error",
    }
)  # fmt: skip
"""Rows of classes that say less than an HTTP status. ccxt raises the other ones for codes that mean just that."""
UNCERTAINTY = {"maybe": 2, "no": 1, "n_a": 0}
"""How uncertain a value of `executed` is: the higher, the more."""


_OF_LIBRARIES = ("ccxt", "discord", "telegram")
"""Tables of the classes of a library, named after its package. They are asked for its errors, listed or not."""
_NOT_CODES = ("http", "ccxt", "telegram")
"""Tables whose rows are statuses and classes. A number in a body is never looked up in them."""
_MADE_FROM_STATUS = {
    418: ("DDoSProtection", "RateLimitExceeded"),
    429: ("DDoSProtection", "RateLimitExceeded"),
    511: ("AuthenticationError",),
}
"""Classes that ccxt and its exchanges make from these statuses alone, whatever the body says."""
NO_PROOF = frozenset({408, 409, 444, 460, 499})
"""Statuses below 500 that a server or a gateway may answer with after the request has taken effect."""


class Match(NamedTuple):
    """A row, the table in which it is, the evidence that led to it, and how good a proof a "no" of the row is."""

    rule: Rule
    table: CodeTable
    evidence: Evidence
    proof: Proof = "likely"


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
        if own is None and evidence.package in _OF_LIBRARIES:
            own = evidence.package
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
        own = evidence.registry or registry
        frame = self.named(own) if isinstance(own, str) else None
        for table in self.tables_for(evidence, registry):
            match = _by_text(table, evidence) if table.name in _NOT_CODES else _in_table(table, evidence, frame)
            if match is not None:
                return match
        return None

    def in_own_envelope(self, evidence: Evidence, registry: str | None) -> bool:
        """Return whether the code, which no table has, is in the envelope of the API that was asked."""
        return any(_is_complete(table, evidence) for table in self.tables_for(evidence, registry))

    def by_status(self, evidence: Evidence) -> Match | None:
        """Return the row of an error status; one that no table has gets that of 4xx or 5xx. None below 400."""
        status = evidence.status
        if status is None or status < 400:
            return None
        rule = self.base.rule(str(status))
        if rule is None and (status >= 500 or status in NO_PROOF):
            rule = Rule(str(status), (), Category.RETRYABLE, "maybe")
        # A number after the word `code` in a text may be any code, and the answer's status another.
        proof: Proof = "none" if evidence.status_from_code else "likely"
        return Match(rule or Rule(str(status), (), Category.FATAL, "no"), self.base, evidence, proof)

    def by_class(self, chain: Sequence[Evidence]) -> tuple[Match | None, bool]:
        """Return the row of the nearest error whose class says enough, and whether it says more than a status.

        A vague class is used only where none says more.
        """
        vague: Match | None = None
        for index, evidence in enumerate(chain):
            match = self._of_class(evidence)
            if match is None or (index and match.rule.code == PROGRAM_ERROR):
                continue  # a bug among the causes (a cache that missed, say) explains nothing
            more_uncertain = vague is not None and UNCERTAINTY[match.rule.executed] > UNCERTAINTY[vague.rule.executed]
            if match.rule.code not in _VAGUE and not more_uncertain:
                return match, not _is_weaker_than_status(match)
            vague = vague or match
        return vague, vague is not None and not _is_weaker_than_status(vague)

    def _of_class(self, evidence: Evidence) -> Match | None:
        if evidence.rule_code is not None and (rule := self.base.rule(evidence.rule_code)) is not None:
            return Match(rule, self.base, evidence, "proven")
        exact: Proof = "none" if evidence.was_connected else "proven"
        for name in evidence.class_names:
            for table in (self.base, *self._listed):
                rule = table.named(name)
                if rule is not None:
                    return Match(rule, table, evidence, exact if table is self.base else "likely")
            package = name.partition(".")[0]
            own = self.named(package) if package in _OF_LIBRARIES else None
            if own is not None and (rule := own.named(name)) is not None:
                return Match(rule, own, evidence)
        return None


def is_status(code: str) -> bool:
    """Return whether a code is a number that HTTP uses for errors."""
    return len(code) == 3 and code.isdecimal() and code[0] in "45"


def _in_table(table: CodeTable, evidence: Evidence, frame: CodeTable | None) -> Match | None:
    """Return the row of the first of the error's codes that this table has.

    Args:
        table: the table.
        evidence: the error.
        frame: the table that the error's own source names. Its envelope may frame codes of another table, as
            that of Bitget's sockets does.
    """
    codes = evidence.more_codes if evidence.code is None else (evidence.code, *evidence.more_codes)
    for code in codes:
        rule = table.rule(code)
        # A row without a category is a success: it explains no error.
        if rule is None or rule.category is None:
            continue
        proof = _proof_of_code(code, table, evidence, frame)
        if proof is not None:
            return Match(rule, table, evidence, proof)
    return None


def _proof_of_code(code: str, table: CodeTable, evidence: Evidence, frame: CodeTable | None) -> Proof | None:
    """Return how good a proof the "no" of a known code is; None if the number is no code of this API.

    A gateway's `{"code": 429}` looks like an API's: such a number counts only in a complete envelope, and only if the
    answer has that very status.
    """
    is_complete = code == evidence.code and (
        _is_complete(table, evidence) or (frame is not None and _is_complete(frame, evidence))
    )
    if is_status(code):
        if not is_complete or evidence.status not in (None, int(code)):
            return None
        return "likely" if evidence.status is None else "proven"
    if is_complete:
        return "proven"
    status = evidence.status
    is_doubtful = evidence.from_body and status is not None and (status >= 500 or status in NO_PROOF)
    return "none" if is_doubtful else "likely"


def _is_complete(table: CodeTable, evidence: Evidence) -> bool:
    """Return whether the body of the code is an answer in this table's envelope, with all that it always carries."""
    envelope, body = table.envelope, evidence.body
    return envelope is not None and body is not None and evidence.from_body and envelope.is_complete(body)


def _by_text(table: CodeTable, evidence: Evidence) -> Match | None:
    """Return the row of ccxt's table whose text is in the exchange's message."""
    rule = table.by_text(_message(evidence)) if table.name == "ccxt" else None
    return None if rule is None or rule.category is None else Match(rule, table, evidence)


def _is_weaker_than_status(match: Match) -> bool:
    """Return whether an HTTP status says more than the class of an error."""
    evidence, code = match.evidence, match.rule.code
    return (
        code in _WEAKER_THAN_STATUS or evidence.from_status or code in _MADE_FROM_STATUS.get(evidence.status or 0, ())
    )


def _message(evidence: Evidence) -> str:
    """Return the message of the API in the body, else the error's own text."""
    if evidence.body is not None:
        for key in ("msg", "message"):
            message = evidence.body.get(key)
            if isinstance(message, str):
                return message
    return evidence.text
