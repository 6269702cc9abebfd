"""`resilience explain CODE | BODY | -`: what an error means and what the policy would do about it.

Nothing is sent. What was given is classified the way a pipeline does it; what is shown of it passes
the redactor.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...telemetry.redaction import redact
from ..explained_error import Subject, read_subject
from ..policy_files import Unusable, read
from ..terminal import show_json, show_table
from .codes import load_registry

if TYPE_CHECKING:
    from ..._core.classify.failure import Failure
    from ..._core.policy.codes import CodeTable, Rule
    from ..._core.policy.policy import Policy, PolicySet

__all__ = ["explain", "register", "run", "schedule"]

_LONGEST = 1_000_000  # characters read from a pipe
_FIRST = ("bitget", "bitget-ws", "ccxt", "http")


def register(subparsers: Any) -> None:
    """Add the command's parser."""
    parser = subparsers.add_parser(
        "explain",
        help="say what an error means and what the policy would do",
        description="Explain a code, a JSON body, the text of an error, a traceback or a line of the log.",
    )
    parser.add_argument("error", metavar="CODE|BODY|TRACEBACK|LINE|-", help="- reads it from standard input")
    parser.add_argument("--registry", metavar="NAME|FILE", help="the registry whose codes these are")
    parser.add_argument(
        "--policy", metavar="NAME", help="the policy that decides; default: the registry's own, or default"
    )
    parser.add_argument("--policies", metavar="FILE", help="a policy file; default: the built-in policies")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Explain one error; 1 when the policy file has mistakes."""
    from ...config.loading.policy_file import builtin

    given = sys.stdin.read(_LONGEST) if args.error == "-" else args.error
    if not given.strip():
        print("resilience: nothing to explain; give a code, a body or the text of an error", file=sys.stderr)
        return 2
    try:
        policies = read(args.policies) if args.policies else builtin()
    except Unusable as end:
        return end.code
    answer = explain(read_subject(given), policies, policy=args.policy, registry=args.registry)
    if args.json:
        show_json(answer)
    else:
        _show(answer)
    return 0


def explain(
    subject: Subject, policies: PolicySet, *, policy: str | None = None, registry: str | None = None
) -> dict[str, Any]:
    """Return what an error means and what the policy would do.

    Raises:
        PolicyError: no policy or no registry has the name given.
    """
    named = policy or (subject.policy if subject.policy in policies.policies else None)
    chosen = _policy(policies, named) if named else None
    tables = _tables(chosen, registry)
    table, rule = _success(subject, tables)
    if table is not None and rule is not None:
        settled = chosen or policies.policies.get(table.name) or _policy(policies, "default")
        return _success_meaning(subject, table, rule, settled)
    failure = _classify(subject, tables, chosen or _policy(policies, "default"))
    settled = chosen or policies.policies.get(failure.registry or "") or _policy(policies, "default")
    return {
        **_meaning(subject, failure),
        "policy": settled.name,
        "action": _action(settled, failure),
        "schedule": schedule(settled, failure),
    }


def schedule(policy: Policy, failure: Failure) -> list[dict[str, float]]:
    """Return the waits before each further attempt, in seconds; empty when there is none.

    A wait is a range where there is jitter; the server's `retry_after` is a floor; what cannot fit
    the deadline is left out.
    """
    from ..._core.policy.backoff import bounds

    retry, waits, spent = policy.retry, [], 0.0
    if retry is None or failure.category != "retryable":
        return []
    for attempt in range(1, _attempts(policy, failure)):
        least, most = (max(wait, failure.retry_after or 0.0) for wait in bounds(retry.backoff, attempt))
        spent += least
        if policy.deadline is not None and spent >= policy.deadline:
            break
        waits.append({"attempt": attempt + 1, "at_least": round(least, 6), "at_most": round(most, 6)})
    return waits


def _attempts(policy: Policy, failure: Failure) -> int:
    most = policy.retry.max_attempts if policy.retry else 1
    return min(most, policy.unknown_errors.max_attempts) if failure.guessed else most


def _policy(policies: PolicySet, name: str) -> Policy:
    from ...errors import PolicyError

    if name not in policies.policies:
        raise PolicyError(f"unknown policy {name!r}; there are {', '.join(sorted(policies.policies))}")
    return policies.policies[name]


def _tables(policy: Policy | None, registry: str | None) -> list[CodeTable]:
    """Return the registries to ask, in order: the one named, else the policy's, else all that are built in."""
    if registry:
        return [load_registry(registry)]
    if policy is not None:
        return [load_registry(name) for name in policy.codes]
    from ...config.codes.code_tables import builtin_names

    names = builtin_names()
    return [load_registry(name) for name in (*_FIRST, *sorted(set(names) - set(_FIRST))) if name in names]


def _success(subject: Subject, tables: Sequence[CodeTable]) -> tuple[CodeTable | None, Rule | None]:
    """Return the registry and the row that call this a success, or nothing."""
    for table in tables:
        code, envelope = subject.code, table.envelope
        if isinstance(subject.outcome, Mapping) and envelope is not None:
            code = str(subject.outcome.get(envelope.code, ""))
        rule = (table.rule(code) or table.named(code)) if code else None
        if rule is not None:
            return (table, rule) if rule.category is None else (None, None)
    return None, None


def _classify(subject: Subject, tables: Sequence[CodeTable], policy: Policy) -> Failure:
    from ..._core.classify.classifier import Classifier
    from ...errors import ApiError

    classifier = Classifier(tables, base=load_registry("http"), lookup=_lookup, unknown=policy.unknown_errors)
    if subject.code is not None:
        named = next((rule for rule in (table.named(subject.code) for table in tables) if rule), None)
        return classifier.classify(ApiError(named.code) if named else subject.outcome)
    return classifier.classify(classifier.error_in(subject.outcome) or subject.outcome)


def _lookup(name: str) -> CodeTable | None:
    from ...config.codes.code_tables import builtin_names

    return load_registry(name) if name in builtin_names() else None


def _meaning(subject: Subject, failure: Failure) -> dict[str, Any]:
    return {
        "code": failure.code,
        "names": list(failure.names),
        "registry": failure.registry,
        "known": failure.known,
        "category": str(failure.category),
        "executed": failure.executed,
        "hint": failure.hint,
        "remedy": failure.remedy,
        "retry_after": failure.retry_after,
        "text": redact(subject.text),
    }


def _success_meaning(subject: Subject, table: CodeTable, rule: Rule, policy: Policy) -> dict[str, Any]:
    return {
        "code": rule.code,
        "names": list(rule.names),
        "registry": table.name,
        "known": True,
        "category": None,
        "executed": rule.executed,
        "hint": rule.hint,
        "remedy": rule.remedy,
        "retry_after": None,
        "text": redact(subject.text),
        "policy": policy.name,
        "action": "This is a success: nothing is done.",
        "schedule": [],
    }


def _action(policy: Policy, failure: Failure) -> str:
    """Say in one or two sentences what a pipeline of this policy does."""
    if failure.category == "user_fixable":
        return "No retry: the caller gets the error at once, with the remedy. The breaker does not count it."
    if failure.category == "fatal":
        return "No retry: the caller gets the error at once. The breaker does not count it."
    most = _attempts(policy, failure)
    if policy.retry is None or most < 2:
        return "It may be tried again, but this policy makes one attempt."
    again = f"Tried again, {most} attempts in all" + (", since nothing explains it." if failure.guessed else ".")
    if failure.executed != "maybe":
        return again
    return again + " A write is looked up first; without a reconciler it is handed back as unknown, not sent twice."


def _show(answer: dict[str, Any]) -> None:
    rows = [(name, answer[name]) for name in answer if name != "schedule" and answer[name] not in (None, "", [])]
    if answer["category"] is None:
        rows.insert(0, ("category", "success"))
    show_table(("what", "value"), rows)
    if answer["schedule"]:
        print()
        waits = [(one["attempt"], f"{one['at_least']:g} s", f"{one['at_most']:g} s") for one in answer["schedule"]]
        show_table(("attempt", "waits at least", "at most"), waits)
