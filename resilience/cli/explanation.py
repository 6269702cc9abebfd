"""Explains an error: what it means, and what a policy would do about it. Nothing is sent.

The error is classified as a pipeline classifies it. The text that is shown is redacted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..telemetry.redaction import redact
from .code_meanings import meanings_of, named_by_text, nearest_name
from .error_input import ErrorInput
from .plain_code import FIRST_REGISTRY, NO_RETRY
from .policy_files import find_policy
from .registries import in_scope, load_registry

if TYPE_CHECKING:
    from .._core.classify.failure import Failure
    from .._core.policy.codes import CodeTable, Rule
    from .._core.policy.policy import Policy
    from .._core.policy.policy_set import PolicySet
    from .traceback_text import RecordedFailure

__all__ = ["explain", "retry_waits"]

_ENDED = {
    "unknown": "The call has ended, and nothing more is sent. With an outbox the next `resume` looks the write up.",
    "succeeded": "The call has succeeded after this error: nothing more is done.",
}
"""What happens next, by the outcome of a call that a log line or a note reports as ended."""
_FIRST_REGISTRIES = (FIRST_REGISTRY, "bitget-ws", "ccxt", "http")


def explain(
    error: ErrorInput,
    policies: PolicySet,
    *,
    policy: str | None = None,
    registry: str | None = None,
    scope: str | None = None,
) -> dict[str, Any]:
    """Return the explanation as plain data, in the shape of `resilience explain --json`.

    Args:
        error: the error.
        policies: the policies that may decide.
        policy: the policy that decides; None takes the log line's, the registry's own, or `default`.
        registry: name or path of the registry whose code it is; None takes the policy's, or all built-in ones.
        scope: the part of that registry's API that was asked; None if it is not known.

    Raises:
        PolicyError: there is no policy or registry of that name, or no row of the registry has the scope.
    """
    name = policy or (error.policy if error.policy in policies.policies else None)
    named = find_policy(name, policies) if name else None
    tables = [in_scope(table, scope) for table in _registries(named, registry)]
    if registry is not None:
        error = named_by_text(error, tables[0])
    success = _find_success(error, tables)
    if success is not None:
        table, rule = success
        decides = named or policies.policies.get(table.name) or find_policy("default", policies)
        return _explain_success(error, table, rule, decides)
    failure = _classify(error, tables, named or find_policy("default", policies), named=registry is not None)
    if error.recorded is not None and registry is None:
        failure = _as_recorded(failure, error.recorded)
    decides = named or policies.policies.get(failure.registry or "") or find_policy("default", policies)
    outcome = None if error.recorded is None else error.recorded.outcome
    return {
        "code": failure.code,
        "names": list(failure.names),
        "registry": failure.registry,
        "known": failure.known,
        "near": None if failure.known else nearest_name(failure.code, tables),
        "category": str(failure.category),
        "executed": failure.executed,
        "hint": failure.hint,
        "remedy": failure.remedy,
        "retry_after": failure.retry_after,
        "meanings": meanings_of(failure.code, failure.registry, tables),
        "text": redact(error.text),
        "outcome": outcome,
        "policy": decides.name,
        "action": _ENDED.get(outcome or "") or _action(decides, failure),
        "schedule": [] if outcome in _ENDED else retry_waits(decides, failure),
    }


def retry_waits(policy: Policy, failure: Failure) -> list[dict[str, float]]:
    """Return the wait before each further attempt, in seconds; empty if there is none.

    With jitter a wait is a range. The server's `retry_after` is its floor. Attempts that cannot begin before the
    deadline are left out.
    """
    from .._core.policy.backoff import bounds

    retry, waits, spent = policy.retry, [], 0.0
    if retry is None or failure.category != "retryable":
        return []
    # The shortest waits decide whether an attempt may happen at all; attempts' own durations are not known here.
    for attempt in range(1, _max_attempts(policy, failure)):
        least, most = (max(wait, failure.retry_after or 0.0) for wait in bounds(retry.backoff, attempt))
        spent += least
        if policy.deadline is not None and spent >= policy.deadline:
            break
        waits.append({"attempt": attempt + 1, "at_least": round(least, 6), "at_most": round(most, 6)})
    return waits


def _max_attempts(policy: Policy, failure: Failure) -> int:
    attempts = policy.retry.max_attempts if policy.retry else 1
    return min(attempts, policy.unknown_errors.max_attempts) if failure.guessed else attempts


def _registries(policy: Policy | None, registry: str | None) -> list[CodeTable]:
    """Return the registries to look in, in order: the one that is named, else the policy's, else all built-in ones."""
    if registry:
        return [load_registry(registry)]
    if policy is not None:
        return [load_registry(name) for name in policy.codes]
    from ..config.codes.code_tables import builtin_names

    names = builtin_names()
    others = sorted(set(names) - set(_FIRST_REGISTRIES))
    return [load_registry(name) for name in (*_FIRST_REGISTRIES, *others) if name in names]


def _find_success(error: ErrorInput, tables: Sequence[CodeTable]) -> tuple[CodeTable, Rule] | None:
    """Return the registry and the rule that call this a success; None if the first match calls it an error."""
    from .._core.classify.nested_codes import deciding_code

    for table in tables:
        code, envelope = error.code, table.envelope
        if isinstance(error.outcome, Mapping) and envelope is not None:
            code = deciding_code(error.outcome, envelope)
        # A user may give a constant of the API, such as INSUFFICIENT_BALANCE, in place of its code.
        rule = (table.rule(code) or table.named(code)) if code else None
        if rule is not None:
            return (table, rule) if rule.category is None else None
    return None


def _as_recorded(failure: Failure, recorded: RecordedFailure) -> Failure:
    """Return the failure with what the runtime has said: it has seen the answer, and whether the call was a read."""
    from .._core.policy.codes import Category

    changes: dict[str, Any] = {}
    if recorded.category in set(Category):
        changes["category"] = Category(recorded.category)
    if recorded.executed in ("no", "maybe", "n_a"):
        changes["executed"] = recorded.executed
    if recorded.remedy is not None:
        changes["remedy"] = recorded.remedy
    if failure.code is None and recorded.code is not None:
        changes["code"] = recorded.code
    return replace(failure, **changes)


def _classify(error: ErrorInput, tables: Sequence[CodeTable], policy: Policy, *, named: bool) -> Failure:
    from .._core.classify.classifier import Classifier
    from ..errors import ApiError

    classifier = Classifier(tables, base=load_registry("http"), lookup=_builtin_registry, unknown=policy.unknown_errors)
    if error.code is not None:
        rule = next((rule for rule in (table.named(error.code) for table in tables) if rule), None)
        code = error.code if rule is None else rule.code
        # A number such as 429 is a table's own only in its envelope; elsewhere it is an HTTP status.
        envelope = tables[0].envelope if named and tables[0].rule(code) is not None else None
        body = None if envelope is None else envelope.body_with(code, "as given")
        failure = classifier.classify(ApiError(code, body=body) if rule or body else error.outcome)
        stand_in = None if failure.known else _error_of_row(code, tables)
        return failure if stand_in is None else classifier.classify(stand_in)
    # A body is an error only if an envelope says so; other values are classified as they are.
    return classifier.classify(classifier.error_in(error.outcome) or error.outcome)


def _error_of_row(code: str, tables: Sequence[CodeTable]) -> Exception | None:
    """Return an error as the runtime meets it, for a row that is found by a class and not by its code."""
    from ..replay.error_stand_ins import rebuild_error

    for table in tables:
        if (rule := table.rule(code)) is not None:
            path = next((name for name in rule.names if "." in name), "Exception")
            error: Any = rebuild_error(path, "as given")
            if table.name == "http":
                error.resilience_code = code
            return error  # type: ignore[no-any-return]  # an Exception with one more attribute
    return None


def _builtin_registry(name: str) -> CodeTable | None:
    from ..config.codes.code_tables import is_known

    return load_registry(name) if is_known(name) else None


def _explain_success(error: ErrorInput, table: CodeTable, rule: Rule, policy: Policy) -> dict[str, Any]:
    return {
        "code": rule.code,
        "names": list(rule.names),
        "registry": table.name,
        "known": True,
        "near": None,
        "category": None,
        "executed": rule.executed,
        "hint": rule.hint,
        "remedy": rule.remedy,
        "retry_after": None,
        "meanings": meanings_of(rule.code, table.name, [table]),
        "text": redact(error.text),
        "outcome": None,
        "policy": policy.name,
        "action": "This is a success: nothing is done.",
        "schedule": [],
    }


def _action(policy: Policy, failure: Failure) -> str:
    """Say in one or two sentences what a pipeline with this policy does."""
    if failure.category in NO_RETRY:
        return NO_RETRY[failure.category]
    attempts = _max_attempts(policy, failure)
    if policy.retry is None or attempts < 2:
        return "It could be tried again, but this policy makes only one attempt."
    action = f"Tried again, {attempts} attempts in all" + (
        ", because the error is unknown." if failure.guessed else "."
    )
    if failure.executed != "maybe":
        return action
    lookup = "A write is looked up before it is sent again; without a reconciler it is reported as unknown instead."
    return f"{action} {lookup}"
