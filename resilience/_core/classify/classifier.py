"""Any exception or result → `Failure`. A table decides; it never raises and always answers.

Order: the API's code in the table that the error's own source names, then in the tables that the
policy lists; the HTTP status; the class of a transport error, the most telling one along the
causes; the policy's `unknown_errors` rule. A bug of the program (a bare `TypeError`, `KeyError`, …) is
fatal at once: its words are never taken for an API's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any

from ...errors import ApiError, RejectedError
from ..base.fork_safety import new_lock
from ..policy.codes import Category, CodeTable, ItemList, Rule
from ..policy.sections import UnknownErrorSettings
from .evidence import Evidence, around, causes_of, code_of, failed_items, gather_evidence, get, json_body
from .failure import Failure

__all__ = ["Classifier"]

_BUGS = (
    TypeError, AttributeError, LookupError, NameError, AssertionError, ImportError, NotImplementedError,
    ArithmeticError, ValueError, RecursionError, MemoryError, BufferError, ReferenceError, StopIteration,
    StopAsyncIteration, SyntaxError, SystemError,
)  # fmt: skip
_BUG = "program_error"
_VAGUE = frozenset(
    {
        "connect_error", "connection_error", "os_error", "protocol_error",
        "BaseError", "ExchangeError", "ExchangeNotAvailable", "NetworkError", "OperationFailed", "RequestTimeout",
    }
)  # fmt: skip
"""Rows that an error further down the causes may tell more about, but never with more doubt.

Among them those of ccxt's classes that it raises from the errors of its HTTP clients.
"""
_PARSERS = frozenset({"aiohttp.HttpProcessingError"})
"""Errors of a client's own parser: the status in them is one that no server has sent."""
_WORST = {Category.FATAL: 2, Category.USER_FIXABLE: 1, Category.RETRYABLE: 0}
_DOUBT = {"maybe": 2, "no": 1, "n_a": 0}
_MOST_SEEN = 4096
_MOST_ITEMS = 1000


class Classifier:
    """Sorts errors by the tables it was given. Safe across threads and tasks.

    Example:
        >>> from resilience import CodeRegistry
        >>> classifier = Classifier([CodeRegistry.builtin("bitget")])
        >>> classifier.classify({"code": "43012", "msg": "Insufficient balance"}).category.value
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
            registries: tables asked for a bare code, in this order.
            base: table of HTTP statuses and transport errors; one of `registries` named `http` serves too.
            lookup: finds the table that an error's own source names; None knows no others.
            unknown: what to make of an error that nothing explains.
        """
        self._listed = tuple(registries)
        self._base = base or next((one for one in registries if one.name == "http"), CodeTable("http", ()))
        self._lookup = lookup or (lambda _name: None)
        self._unknown = unknown or UnknownErrorSettings()
        self._lock = new_lock()
        self._seen: set[tuple[str, ...]] = set()
        names = [table.envelope.code for table in self._listed if table.envelope is not None]
        self._keys = tuple(dict.fromkeys([*names, "code"]))
        self._enveloped = tuple(table for table in self._listed if table.envelope is not None)

    def classify(self, outcome: object, *, registry: str | None = None) -> Failure:
        """Return what an error, or a returned value that is one, means.

        Args:
            outcome: any object.
            registry: name of the table that the caller's client speaks, asked first.
        """
        try:
            failure = self._classify(outcome, registry)
            told = get(outcome, "resilience_executed")
            return replace(failure, executed=told) if told in _DOUBT else failure
        except Exception:  # whatever a foreign object did: it is still an error that nobody knows
            return self._guess(Evidence(), None)

    def error_in(self, result: object) -> ApiError | None:
        """Return an error for a returned value that an envelope calls one; None for everything else."""
        if not self._enveloped:
            return None
        body = result if isinstance(result, Mapping) else json_body(result)
        if body is None:
            return None
        for table in self._enveloped:
            envelope = table.envelope
            assert envelope is not None
            code = code_of(body.get(envelope.code))
            failed = failed_items(body, envelope) if code in envelope.success else None
            if failed is not None:
                return ApiError(*_first_item(*failed), body)
            if code is None or code in envelope.success:
                continue
            rule = table.rule(code)
            told = rule is not None or code.isdecimal() or envelope.message in body
            if told and (rule is None or rule.category is not None):
                message = body.get(envelope.message)
                return ApiError(code, message if isinstance(message, str) else "", body)
        return None

    @property
    def enveloped(self) -> bool:
        """Tell whether some table says by an envelope which returned bodies are errors."""
        return bool(self._enveloped)

    def rule(self, code: str) -> Rule | None:
        """Return the row of the first listed table that has this code."""
        return next((rule for table in self._listed if (rule := table.rule(code)) is not None), None)

    def is_new_code(self, failure: Failure) -> bool:
        """Tell once for each unknown code that it is new."""
        key = (failure.registry or "", failure.code or "")
        with self._lock:
            if key in self._seen or len(self._seen) >= _MOST_SEEN:
                return False
            self._seen.add(key)
            return True

    def _classify(self, outcome: object, registry: str | None) -> Failure:
        if isinstance(outcome, RejectedError):
            remedy = "Nothing was sent; try again later"
            return Failure(Category.RETRYABLE, executed="no", retry_after=get(outcome, "retry_after"), remedy=remedy)
        if isinstance(outcome, _BUGS) and type(outcome).__module__ == "builtins":
            return self._of_class(_BUG, Failure(Category.FATAL, code=_BUG))
        if isinstance(outcome, BaseExceptionGroup):
            return self._of_group(outcome, registry)
        nodes = causes_of(outcome)
        told = [self._told(node, registry) for node in nodes]
        failure = self._explained(nodes, told, registry) or self._by_context(nodes, registry)
        failure = failure or self._guess(told[0], None)
        items = self._items(nodes[0], told[0], registry)
        return replace(failure, items=items, executed="maybe") if items else failure

    def _explained(self, nodes: list[object], told: list[Evidence], registry: str | None) -> Failure | None:
        """Return what a code, else a status, else a class says; None where nothing says anything."""
        for node, evidence in zip(nodes, told, strict=True):
            failure = self._by_code(node, evidence, registry)
            if failure is not None:
                return failure
        return self._without_code(nodes, told)

    def _by_context(self, nodes: list[object], registry: str | None) -> Failure | None:
        """Return what the errors say that were being handled; another call's cannot say that nothing happened."""
        behind = [one for one in around(nodes) if not isinstance(one, _BUGS)]
        failure = self._explained(behind, [self._told(node, registry) for node in behind], registry)
        return None if failure is None else replace(failure, executed="maybe")

    def _told(self, node: object, registry: str | None) -> Evidence:
        """Gather what one error tells; a code that means success explains no error."""
        evidence = gather_evidence(node, self._keys)
        if evidence.status is not None and _parsed_by_client(node):
            evidence = replace(evidence, status=None)
        if evidence.code is not None:
            for table in self._tables(node, evidence, registry):
                if table.envelope is not None and evidence.code in table.envelope.success:
                    failed = failed_items(evidence.body, table.envelope)
                    code = None if failed is None else code_of(failed[1][0].get(failed[0].code))
                    return replace(evidence, code=code)
        return evidence

    def _of_group(self, group: BaseExceptionGroup[Any], registry: str | None) -> Failure:
        """Several errors at once: the hardest to help decides, and one doubt is a doubt of all."""
        members = [self.classify(one, registry=registry) for one in group.exceptions[:64]]
        worst = max(members, key=lambda one: _WORST[one.category])
        doubt = max(members, key=lambda one: _DOUBT[one.executed])
        return replace(worst, executed=doubt.executed)

    def _by_code(self, node: object, evidence: Evidence, registry: str | None) -> Failure | None:
        code = evidence.code
        for table in self._tables(node, evidence, registry):
            rule = table.rule(code) if code is not None else None
            if rule is None and table.name == "ccxt":
                rule = table.by_text(_message(evidence))
            if rule is not None and rule.category is not None:
                made = self._made(rule, table, evidence, code or rule.code)
                told = get(node, "resilience_executed")
                return replace(made, executed=told) if told in _DOUBT else made
        return None

    def _items(self, node: object, evidence: Evidence, registry: str | None) -> tuple[Failure, ...]:
        """Classify the items that a batch's answer lists as failed, each by its own code; the others were done."""
        for table in self._tables(node, evidence, registry) if evidence.body is not None else ():
            failed = failed_items(evidence.body, table.envelope)
            if failed is not None:
                return tuple(self._item(one, failed[0], table) for one in failed[1][:_MOST_ITEMS])
        return ()

    def _item(self, item: Mapping[Any, Any], listed: ItemList, table: CodeTable) -> Failure:
        code = code_of(item.get(listed.code))
        rule = table.rule(code) if code is not None else None
        told = Evidence(code, item)
        known = rule is not None and rule.category is not None
        failure = self._made(rule, table, told, code or "") if rule is not None and known else self._guess(told, code)
        return replace(failure, key=code_of(item.get(listed.key)))

    def _tables(self, node: object, evidence: Evidence, registry: str | None) -> Iterable[CodeTable]:
        """Return the tables for one error: its own source's first; another exchange's never."""
        own = get(node, "resilience_registry") or registry
        if _root(type(node)) == "ccxt":
            names = [evidence.text.partition(" ")[0], "ccxt"]
            return [one for one in map(self._named, names) if one is not None]
        for listed in self._listed:
            if _root(type(node)) in listed.sources:
                own = own or listed.name
        table = self._named(own) if isinstance(own, str) else None
        return self._listed if table is None else (table, *self._listed)

    def _named(self, name: str) -> CodeTable | None:
        for table in self._listed:
            if table.name == name:
                return table
        return self._lookup(name)

    def _without_code(self, nodes: list[object], told: list[Evidence]) -> Failure | None:
        """No table knows a code: the status, then the class, then the unknown rule for a code that is told."""
        code = next((one.code for one in told if one.code is not None), None)
        for evidence in told:
            found = self._by_status(evidence, code)
            if found is not None:
                return found
        vague: tuple[Rule, CodeTable, Evidence] | None = None
        for node, evidence in zip(nodes, told, strict=True):
            named = self._by_class(node)
            if named is None or (node is not nodes[0] and named[0].code == _BUG):
                continue  # what was being handled when it was raised (a cache that missed) says nothing of it
            if named[0].code not in _VAGUE and not (vague and _DOUBT[named[0].executed] > _DOUBT[vague[0].executed]):
                return self._made(*named, evidence, code or named[0].code, known=code is None)
            vague = vague or (*named, evidence)
        if vague is not None:
            return self._made(*vague, code or vague[0].code, known=code is None)
        return None if code is None else self._guess(told[0], code)

    def _by_status(self, evidence: Evidence, code: str | None) -> Failure | None:
        status = evidence.status
        if status is None or status < 400:
            return None
        rule = self._base.rule(str(status))
        if rule is None:
            late = status >= 500
            category, executed = (Category.RETRYABLE, "maybe") if late else (Category.FATAL, "no")
            rule = Rule(str(status), (), category, executed)  # type: ignore[arg-type]
        return self._made(rule, self._base, evidence, code or rule.code, known=code is None)

    def _by_class(self, node: object) -> tuple[Rule, CodeTable] | None:
        told = get(node, "resilience_code")
        if isinstance(told, str) and (rule := self._base.rule(told)) is not None:
            return rule, self._base
        for kind in type(node).__mro__:
            name = f"{_root(kind)}.{kind.__name__}"
            for table in (self._base, *self._listed):
                rule = table.named(name)
                if rule is not None:
                    return rule, table
            ccxt = self._named("ccxt") if _root(kind) == "ccxt" else None
            if ccxt is not None and (rule := ccxt.named(name)) is not None:
                return rule, ccxt
        return None

    def _of_class(self, code: str, otherwise: Failure) -> Failure:
        rule = self._base.rule(code)
        return otherwise if rule is None else self._made(rule, self._base, Evidence(), code)

    def _made(self, rule: Rule, table: CodeTable, evidence: Evidence, code: str, *, known: bool = True) -> Failure:
        executed = rule.executed
        enveloped = evidence.body is not None and evidence.code is not None
        if rule.code == "503" and table is self._base and (enveloped or _asked_to_wait(evidence)):
            executed = "no"  # the API itself answered: a proxy would not have
        return Failure(
            rule.category or Category.RETRYABLE,
            code=code,
            names=rule.names if known else (),
            registry=table.name if known else None,
            http_status=evidence.status,
            executed=executed,
            retry_after=evidence.retry_after,
            retry_at=evidence.retry_at,
            remedy=rule.remedy,
            hint=rule.hint,
            duplicate=rule.duplicate,
            known=known,
            answered_at=_server_time(table, evidence),
        )

    def _guess(self, evidence: Evidence, code: str | None) -> Failure:
        rule = self._unknown
        return Failure(
            rule.category,
            code=code,
            http_status=evidence.status,
            executed=rule.executed,
            retry_after=evidence.retry_after,
            retry_at=evidence.retry_at,
            known=False,
            guessed=True,
        )


def _first_item(listed: ItemList, failed: Sequence[Mapping[Any, Any]]) -> tuple[str, str]:
    """Return code and words of the first item that failed."""
    first = failed[0]
    words = first.get(listed.message)
    return code_of(first.get(listed.code)) or "partial", words if isinstance(words, str) else ""


def _root(kind: type) -> str:
    module = getattr(kind, "__module__", "")
    return module.partition(".")[0] if isinstance(module, str) else ""


def _parsed_by_client(node: object) -> bool:
    kinds = (*type(node).__mro__, *type(get(node, "__cause__")).__mro__)
    return any(f"{_root(kind)}.{kind.__name__}" in _PARSERS for kind in kinds)


def _asked_to_wait(evidence: Evidence) -> bool:
    return evidence.retry_after is not None or evidence.retry_at is not None


def _message(evidence: Evidence) -> str:
    """Return the API's own words where a body has them, else the error's."""
    if evidence.body is not None:
        for key in ("msg", "message"):
            words = evidence.body.get(key)
            if isinstance(words, str):
                return words
    return evidence.text


def _server_time(table: CodeTable, evidence: Evidence) -> float | None:
    """Return the server's time in the answer, Unix seconds, where the table's envelope has one (in milliseconds)."""
    if table.envelope is None or not table.envelope.time or evidence.body is None:
        return None
    value = evidence.body.get(table.envelope.time)
    try:
        seconds = float(value) / 1000 if isinstance(value, (int, str)) and not isinstance(value, bool) else 0.0
    except (ValueError, OverflowError):
        return None
    return seconds if isfinite(seconds) and seconds > 0 else None
