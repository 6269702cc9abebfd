"""Finds in one table the row of an error's code or message, and says how good a proof a "no" of that row is.

A code, and a text, prove it in the API's own envelope. Elsewhere they are likely right, or prove nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..policy.codes import CodeTable, Proof, Rule
from .evidence import Evidence

__all__ = ["NO_PROOF", "Match", "is_complete", "is_status", "match_in_table", "match_of_ccxt_text", "rule_of_item"]

NO_PROOF = frozenset({408, 409, 444, 460, 499})
"""Statuses below 500 that a server or a gateway may answer with after the request has taken effect."""


class Match(NamedTuple):
    """A row, the table in which it is, the evidence that led to it, and how good a proof a "no" of the row is."""

    rule: Rule
    table: CodeTable
    evidence: Evidence
    proof: Proof = "likely"


def is_status(code: str) -> bool:
    """Return whether a code is a number that HTTP uses for errors."""
    return len(code) == 3 and code.isdecimal() and code[0] in "45"


def is_complete(table: CodeTable, evidence: Evidence) -> bool:
    """Return whether the body of the code is an answer in this table's envelope, with all that it always carries."""
    envelope, body = table.envelope, evidence.body
    return envelope is not None and body is not None and evidence.from_body and envelope.is_complete(body)


def match_in_table(table: CodeTable, evidence: Evidence, frame: CodeTable | None) -> Match | None:
    """Return the row of the error's message, else of the first of its codes that this table has.

    A text says more than a code: some APIs send one number for many reasons.

    Args:
        table: the table.
        evidence: the error.
        frame: the table that the error's own source names. Its envelope may frame codes of another table, as
            that of Bitget's sockets does.
    """
    is_framed = is_complete(table, evidence) or (frame is not None and is_complete(frame, evidence))
    scope = table.scope_of(evidence.url)
    match = _by_message(table, evidence, scope, is_framed=is_framed) if table.has_texts else None
    if match is not None:
        return match
    for code in _codes(table, evidence):
        rule = table.rule(code, scope=scope)
        # A row without a category is a success: it explains no error.
        if rule is None or rule.category is None:
            continue
        proof = _proof_of_code(code, evidence, is_framed=is_framed and code == evidence.code)
        if proof is not None:
            return Match(rule, table, evidence, proof)
    return None


def match_of_ccxt_text(table: CodeTable, evidence: Evidence, _frame: CodeTable | None = None) -> Match | None:
    """Return the row of ccxt's own table whose text is in the exchange's message."""
    rule = table.by_text(_message(evidence)) if table.name == "ccxt" else None
    return None if rule is None or rule.category is None else Match(rule, table, evidence)


def rule_of_item(table: CodeTable, code: str | None, message: str, scope: str | None) -> Rule | None:
    """Return the row of a failed item of a batch: by its message, else by its code; None if no row is of an error."""
    rule = table.by_text(message, scope=scope) or table.rule(code or "", scope=scope)
    return None if rule is None or rule.category is None else rule


def _codes(table: CodeTable, evidence: Evidence) -> tuple[str, ...]:
    """Return the codes of an error, without the general ones if there is another: it may be unknown, but decides."""
    if evidence.code is None:
        return evidence.more_codes
    codes = (evidence.code, *evidence.more_codes)
    if table.envelope is None or not table.envelope.general:
        return codes
    return codes if table.envelope.says_little(evidence.code) else codes[:1]


def _by_message(table: CodeTable, evidence: Evidence, scope: str | None, *, is_framed: bool) -> Match | None:
    for text in _texts(table, evidence, is_framed=is_framed):
        rule = table.by_text(text, scope=scope)
        if rule is not None and rule.category is not None:
            return Match(rule, table, evidence, "proven" if is_framed else _doubtful_proof(evidence))
    return None


def _texts(table: CodeTable, evidence: Evidence, *, is_framed: bool) -> Iterator[str]:
    """Yield the texts of the API: its messages, and codes that are texts. Of a foreign answer no text is read."""
    if not is_framed and evidence.package != "ccxt":
        return
    if evidence.body is None or table.envelope is None:
        yield evidence.text.partition(" ")[2]  # ccxt puts the exchange's id before it
        return
    yield from table.envelope.texts_in(evidence.body)
    if evidence.code is not None:
        yield evidence.code


def _proof_of_code(code: str, evidence: Evidence, *, is_framed: bool) -> Proof | None:
    """Return how good a proof the "no" of a known code is; None if the number is no code of this API.

    A gateway's `{"code": 429}` looks like an API's: such a number counts only in a complete envelope, and only if the
    answer has that very status. Under a success it is known, and proves nothing.
    """
    if is_status(code):
        return _proof_of_status(int(code), evidence.status) if is_framed else None
    if is_framed:
        return "proven"
    return _doubtful_proof(evidence) if evidence.from_body else "likely"


def _proof_of_status(code: int, status: int | None) -> Proof | None:
    if status is None:
        return "likely"
    if status == code:
        return "proven"
    return "none" if status < 400 else None


def _doubtful_proof(evidence: Evidence) -> Proof:
    """Return the proof of what is in no complete envelope: none under a status that a gateway may have made."""
    status = evidence.status
    return "none" if status is not None and (status >= 500 or status in NO_PROOF) else "likely"


def _message(evidence: Evidence) -> str:
    """Return the message of the API in the body, else the error's own text."""
    if evidence.body is not None:
        for key in ("msg", "message"):
            message = evidence.body.get(key)
            if isinstance(message, str):
                return message
    return evidence.text
