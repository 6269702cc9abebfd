"""Turns any exception or result into a `Failure` by tables; it never raises and always answers.

The order: the API's code in the table that the error's own source names, then in the tables that the policy lists;
the class of an error, the one along the causes that says most; the HTTP status; a vague class; the policy's rule for
unknown errors. A status never outranks an exact class: some APIs answer "outcome unknown" with status 400. A bug of the
program (a bare `TypeError`, `KeyError`, …) is fatal at once: its text is never taken for an API's. The error itself is
read by `ErrorChain`, once; this module reads `Evidence`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any

from ...errors import ApiError
from ..base.bounded_dict import BoundedDict
from ..policy.codes import Category, CodeTable, Envelope, ItemList, Rule
from ..policy.sections import UnknownErrorSettings
from .batch_items import failed_items, message_of
from .code_and_status import code_of
from .code_match import Match, is_status, rule_of_item
from .combined_failure import failure_of_group, with_items
from .error_chain import ErrorChain
from .error_shape import Shape, shape_of
from .evidence import Evidence
from .failure import Failure, changed
from .nested_codes import deciding_code
from .returned_errors import error_in_result
from .rule_failure import failure_of_rule, with_executed
from .rule_search import PROGRAM_ERROR, RuleSearch

__all__ = ["Classifier"]

_MAX_NEW_CODES = 4096  # unknown codes that are reported; a server that invents codes fills no memory
_MAX_ITEMS = 1000
_MAX_REMEMBERED = 512  # shapes of errors whose meaning is remembered
_Members = dict[int, tuple[BaseException, Failure]]
"""The members of groups that one classification has met, by id: groups may share members, and groups of them."""


class Classifier:
    """Turns any error, or returned value that is one, into a `Failure`, by code tables. Safe across threads and tasks.

    Example:
        >>> from resilience import CodeRegistry
        >>> classifier = Classifier([CodeRegistry.builtin("bitget")])
        >>> body = {"code": "43012", "msg": "Insufficient balance"}
        >>> classifier.classify(body).category.value
        'user_fixable'
    """

    def __init__(
        self,
        registries: Sequence[CodeTable],
        *,
        base: CodeTable | None = None,
        lookup: Callable[[str], CodeTable | None] | None = None,
        unknown: UnknownErrorSettings | None = None,
    ) -> None:
        """Build the classifier.

        Args:
            registries: tables in which a bare code is looked up, in this order.
            base: table of HTTP statuses and transport errors; one of `registries` named `http` serves too.
            lookup: finds the table that an error's own source names; None knows no others.
            unknown: how an error that nothing explains is classified.
        """
        self._listed = tuple(registries)
        base = base or next((table for table in registries if table.name == "http"), CodeTable("http", ()))
        self._search = RuleSearch(self._listed, base, lookup or (lambda _name: None))
        self._unknown = unknown or UnknownErrorSettings()
        self._new_codes: dict[tuple[str, str], object] = {}
        self._remembered: BoundedDict[tuple[str | None, Shape], Failure] = BoundedDict(_MAX_REMEMBERED)
        self._enveloped = tuple(table for table in self._listed if table.envelope is not None)

    def classify(self, outcome: object, *, registry: str | None = None) -> Failure:
        """Return what an error, or a returned value that is one, means.

        Args:
            outcome: any object.
            registry: name of the table that the caller's client uses, searched first.
        """
        shape = shape_of(outcome)
        if shape is None:
            return self._classified(outcome, registry, {})
        key = (registry, shape)
        try:
            return self._remembered[key]
        except KeyError:
            failure = self._remembered[key] = self._classified(outcome, registry, {})
            return failure

    def _classified(self, outcome: object, registry: str | None, members: _Members) -> Failure:
        try:
            chain = ErrorChain(outcome, self._search.code_paths(outcome, registry))
            failure = self._of_group(chain, registry, members) if chain.members else self._classify(chain, registry)
            executed = chain.evidence[0].executed
            return failure if executed is None else with_executed(failure, executed)
        except Exception:  # whatever a foreign object did: it is an error that nothing explains
            return self._guess(Evidence(), None)

    def error_in(self, result: object, longest_batch: float = inf) -> ApiError | None:
        """Return an error for a returned value that an envelope calls one; None for everything else.

        Args:
            result: the returned value.
            longest_batch: a list of more items than this is data, and no batch of which some items may have failed.
        """
        return error_in_result(self._enveloped, result, longest_batch) if self._enveloped else None

    @property
    def enveloped(self) -> bool:
        """Return whether some table has an envelope, by which returned values can be errors."""
        return bool(self._enveloped)

    def rule(self, code: str) -> Rule | None:
        """Return the row of the first listed table that has this code."""
        return next((rule for table in self._listed if (rule := table.rule(code)) is not None), None)

    def is_new_code(self, failure: Failure) -> bool:
        """Return whether this unknown code was never seen before; True once for each code."""
        key = (failure.registry or "", failure.code or "")
        # Once it is full, no code is reported as new: silence is better than the same event without end.
        if key in self._new_codes or len(self._new_codes) >= _MAX_NEW_CODES:
            return False
        me = object()
        return self._new_codes.setdefault(key, me) is me  # one step for all threads and signal handlers

    def _classify(self, chain: ErrorChain, registry: str | None) -> Failure:
        first = chain.evidence[0]
        if first.is_rejection:
            remedy = "Nothing was sent; try again later"
            after = first.retry_after
            return Failure(Category.RETRYABLE, executed="no", proof="proven", retry_after=after, remedy=remedy)
        if first.is_program_error:
            return self._of_program_error()
        gathered = [self._with_telling_code(evidence, registry) for evidence in chain.evidence]
        failure = self._explain(gathered, registry) or self._explain_by_contexts(chain, registry)
        failure = failure or self._guess(gathered[0], None)
        items, all_failed = self._failed_items(gathered[0], registry)
        if not items:
            return failure
        return with_items(failure, items, all_failed=all_failed)

    def _explain(self, chain: Sequence[Evidence], registry: str | None) -> Failure | None:
        """Classify by code, exact class, status, vague class, in this order. Returns None if none matches."""
        for evidence in chain:
            match = self._search.by_code(evidence, registry)
            if match is not None:
                failure = failure_of_rule(match, _code_to_report(match))
                return failure if evidence.executed is None else with_executed(failure, evidence.executed)
        unknown = next((evidence for evidence in chain if evidence.code and not is_status(evidence.code)), None)
        match, exact = self._search.by_class(chain)
        if not exact:
            by_status = (self._search.by_status(evidence, registry) for evidence in chain)
            match = next((found for found in by_status if found is not None), match)
        code = None if unknown is None else unknown.code
        if match is None:
            return None if code is None else self._guess(chain[0], code)
        # ccxt knows the codes of all its exchanges, and an exact class of it says what this one means.
        known = code is None or (exact and match.table.name == "ccxt")
        failure = failure_of_rule(match, code or match.rule.code, known=known)
        if unknown is not None and failure.executed == "no" and self._search.in_own_envelope(unknown, registry):
            # The API itself answered, with a code that nobody knows: its status is no proof.
            return with_executed(failure, "maybe")
        return failure

    def _explain_by_contexts(self, chain: ErrorChain, registry: str | None) -> Failure | None:
        """Classify by the errors in `__context__`. They may belong to another call, so `executed` is always `maybe`."""
        contexts = [self._with_telling_code(evidence, registry) for evidence in chain.contexts()]
        failure = self._explain(contexts, registry)
        return None if failure is None else with_executed(failure, "maybe")

    def _with_telling_code(self, evidence: Evidence, registry: str | None) -> Evidence:
        """Replace a code that says little: by the first failed item's in a batch, else by another one of the body.

        A code that means success explains no error, so that it is dropped.
        """
        if evidence.code is None:
            return evidence
        for table in self._search.tables_for(evidence, registry):
            envelope = table.envelope
            if envelope is not None and envelope.says_little(evidence.code):
                return evidence._replace(code=_telling_code(evidence, envelope))
        return evidence

    def _of_group(self, chain: ErrorChain, registry: str | None, known: _Members) -> Failure:
        """Classify each member of a group once, though groups may share members, and return what they mean together."""
        for member in chain.members:
            if id(member) not in known:
                # Not by `_classify`, so that a member which raises while it is read spoils no other.
                known[id(member)] = member, self._classified(member, registry, known)
        return failure_of_group([known[id(member)][1] for member in chain.members])

    def _failed_items(self, evidence: Evidence, registry: str | None) -> tuple[tuple[Failure, ...], bool]:
        """Classify the items that a batch's answer lists as failed, each by its own code; and whether all failed."""
        for table in self._search.tables_for(evidence, registry) if evidence.body is not None else ():
            failed = failed_items(evidence.body, table.envelope)
            if failed is not None:
                items = [self._of_item(item, failed.item_list, table, evidence) for item in failed.items[:_MAX_ITEMS]]
                return tuple(items), failed.all_failed and len(failed.items) <= _MAX_ITEMS
        return (), False

    def _of_item(self, item: Mapping[Any, Any], item_list: ItemList, table: CodeTable, answer: Evidence) -> Failure:
        code = code_of(item.get(item_list.code))
        evidence = Evidence(code, item, url=answer.url)
        rule = rule_of_item(table, code, message_of(item, item_list), table.scope_of(answer.url))
        if rule is None:
            failure = self._guess(evidence, code)
        else:
            match = Match(rule, table, evidence, "proven")
            failure = failure_of_rule(match, _code_to_report(match))
        return changed(failure, key=code_of(item.get(item_list.key)))

    def _of_program_error(self) -> Failure:
        rule = self._search.base.rule(PROGRAM_ERROR)
        if rule is None:
            return Failure(Category.FATAL, code=PROGRAM_ERROR)
        return failure_of_rule(Match(rule, self._search.base, Evidence()), PROGRAM_ERROR)

    def _guess(self, evidence: Evidence, code: str | None) -> Failure:
        """Return what the policy says of unknown errors."""
        return Failure(
            self._unknown.category,
            code=code,
            http_status=evidence.status,
            executed=self._unknown.executed,
            proof="likely" if self._unknown.executed == "no" else "none",
            retry_after=evidence.retry_after,
            retry_at=evidence.retry_at,
            banned=evidence.banned,
            hold_scope=evidence.hold_scope,
            known=False,
            guessed=True,
        )


def _code_to_report(match: Match) -> str:
    """Return the code of a match: the row's, or the API's own where the row was found by a text."""
    code, table = match.evidence.code, match.table
    if code is None or (table.name != "ccxt" and not (match.rule.match and table.rules(code))):
        return match.rule.code
    return code


def _telling_code(evidence: Evidence, envelope: Envelope) -> str | None:
    """Return the code of an answer that says most; None if there is only a success."""
    failed = failed_items(evidence.body, envelope)
    code = failed.code if failed is not None else deciding_code(evidence.body or {}, envelope) or evidence.code
    return None if code is None or envelope.is_success(code) else code
