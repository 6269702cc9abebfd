"""Finds the row of a table of codes that explains an error, from its `Evidence`: by code, by class, by status.

Each match says how good a proof its row's "no" is. A code proves it in the API's own envelope, the class of a transport
error by where that error is raised. A status, and the class of an exchange's client, are likely right: a gateway may
answer with any status after it has passed the request on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile

from ..policy.codes import Category, CodeTable, Proof, Rule
from .attributes import get, text_of
from .code_match import NO_PROOF, Match, is_complete, match_in_table, match_of_ccxt_text
from .evidence import Evidence

__all__ = ["PROGRAM_ERROR", "UNCERTAINTY", "RuleSearch"]

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


class RuleSearch:
    """The tables of one policy, in the order of the search. Never changed: safe across threads and tasks."""

    __slots__ = ("_listed", "_lookup", "_paths", "base")

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
        paths = [path for table in listed if table.envelope is not None for path in table.envelope.code_paths]
        # "code" last: an API with another key for its codes may use "code" for something else.
        self._paths = tuple(dict.fromkeys([*paths, "code"]))

    def code_paths(self, outcome: object, registry: str | None) -> tuple[str, ...]:
        """Return the paths at which the bodies of an outcome may hold a code, those of its own source first."""
        own = get(outcome, "resilience_registry") or registry
        if type(outcome).__module__.partition(".")[0] == "ccxt":
            own = text_of(outcome).partition(" ")[0]
        table = self.named(own) if isinstance(own, str) else None
        envelope = None if table is None else table.envelope
        return self._paths if envelope is None else tuple(dict.fromkeys([*envelope.code_paths, *self._paths]))

    def tables_for(self, evidence: Evidence, registry: str | None) -> Iterable[CodeTable]:
        """Return the tables that know the codes of an error's source, that source's own first.

        The same number means other things in another API, so the tables of another exchange are never among them.
        """
        if evidence.package == "ccxt":
            # ccxt begins its texts with the exchange's id: "kucoin {...}".
            tables = [self.named(evidence.text.partition(" ")[0]) or self._own(registry), self.named("ccxt")]
            return [table for table in tables if table is not None]
        # What the error itself says goes before the client that raised it, and that before its package.
        own = evidence.registry or registry
        for listed in self._listed:
            if evidence.package in listed.sources:
                own = own or listed.name
        if own is None and evidence.package in _OF_LIBRARIES:
            own = evidence.package
        table = self.named(own) if isinstance(own, str) else None
        return self._listed if table is None else (table, *self._listed)

    def _own(self, registry: str | None) -> CodeTable | None:
        return None if registry is None else self.named(registry)

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
            search = match_of_ccxt_text if table.name in _NOT_CODES else match_in_table
            match = search(table, evidence, frame)
            if match is not None:
                return match
        return None

    def in_own_envelope(self, evidence: Evidence, registry: str | None) -> bool:
        """Return whether the code, which no table has, is in the envelope of the API that was asked."""
        return any(is_complete(table, evidence) for table in self.tables_for(evidence, registry))

    def by_status(self, evidence: Evidence, registry: str | None) -> Match | None:
        """Return the row of an error status; one that no table has gets that of 4xx or 5xx. None below 400.

        The table of an API may have rows of its own for what its gateways answer, such as `http_403`. It is asked if
        it is the source's own, or if the policy lists it before the one of HTTP.
        """
        status = evidence.status
        if status is None or status < 400:
            return None
        for table in takewhile(lambda table: table is not self.base, self.tables_for(evidence, registry)):
            rule = table.rule(f"http_{status}", scope=table.scope_of(evidence.url))
            if rule is not None:
                return Match(rule, table, evidence)
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


def _is_weaker_than_status(match: Match) -> bool:
    """Return whether an HTTP status says more than the class of an error."""
    evidence, code = match.evidence, match.rule.code
    return (
        code in _WEAKER_THAN_STATUS or evidence.from_status or code in _MADE_FROM_STATUS.get(evidence.status or 0, ())
    )
