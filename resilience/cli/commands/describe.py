"""`resilience describe`: what the policies of a file do, in words, as a diagram and as data. Nothing is sent."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from ..._core.policy.policy import OperationSettings, PolicySet
from ...telemetry.redaction import redact
from ..diagram import flowchart
from ..policy_files import Unusable, chosen, read
from ..sentences import sentences, timeline_rows
from ..terminal import show_json, show_table

__all__ = ["described", "register", "run"]


def register(subparsers: Any) -> None:
    """Add the command's parser."""
    parser = subparsers.add_parser(
        "describe",
        help="say what a policy does, in words or as a diagram",
        description="Describe the policies and operations of a file: what a call passes, and when each attempt begins.",
    )
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="a policy file; default: the configured one, or the built-in policies"
    )
    parser.add_argument("--policy", metavar="P", help="only this policy")
    parser.add_argument("--operation", metavar="O", help="what a call of this operation gets")
    parser.add_argument("--format", choices=("text", "mermaid", "json"), default="text")
    parser.add_argument("--json", action="store_const", dest="format", const="json", help="the same as --format json")


def run(args: argparse.Namespace) -> int:
    """Describe what was asked for."""
    try:
        policies = read(args.file)
        name = chosen(args.policy, policies) if args.policy else None
    except Unusable as end:
        return end.code
    found = [described(policies, *one) for one in _asked(policies, name, args.operation)]
    if args.format == "json":
        show_json(_clean({"source": policies.source, "described": found}))
    elif args.format == "mermaid":
        print(flowchart(found))
    else:
        _show(found)
    return 0


def described(
    policies: PolicySet, policy: str, operation: str | None, rule: OperationSettings | None
) -> dict[str, Any]:
    """Return one policy, or one operation under it, as plain data."""
    from ..._pipeline.pipeline import Pipeline
    from ..._pipeline.shared_state import SharedState

    shared = SharedState()
    shared.take(PolicySet({}), policies)
    pipeline = Pipeline(
        policies.policies[policy],
        operation=operation,
        idempotent=None if rule is None else rule.idempotent,
        key=None if rule is None else rule.key,
        shared=shared,
    )
    told = pipeline.describe()
    more = {"matched": None if rule is None else rule.match, "lane": None if rule is None else rule.lane}
    return {**told, **more, "words": sentences({**told, **more})}


def _asked(
    policies: PolicySet, policy: str | None, operation: str | None
) -> Iterator[tuple[str, str | None, OperationSettings | None]]:
    """Give (policy, operation, rule) for each thing to describe."""
    if operation is not None:
        rule = policies.rule_for(operation)
        named = rule.policy if rule is not None and policy is None else None
        yield named or policy or "default", operation, rule
        return
    for name in [policy] if policy else _own(policies):
        yield name, None, None
    for rule in policies.operations:
        if policy in (None, rule.policy or "default"):
            yield rule.policy or "default", rule.match, rule


def _own(policies: PolicySet) -> list[str]:
    """Return the names of the file's own policies; all of them where it has none, or where there is no file."""
    from ...config.loading.policy_file import builtin

    below = builtin().policies
    own = [name for name, one in policies.policies.items() if below.get(name) != one]
    return own or list(policies.policies)


def _clean(value: Any) -> Any:
    """Return plain data whose texts passed the redactor; names are ours, so that `key` is no secret's name."""
    if isinstance(value, dict):
        return {name: _clean(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(one) for one in value]
    return redact(value) if isinstance(value, str) else value


def _show(found: list[dict[str, Any]]) -> None:
    for place, one in enumerate(found):
        if place:
            print()
        print(redact(_title(one)))
        for line in one["words"]:
            print(redact(f"  - {line}"))
        if one["timeline"]:
            print()
            show_table(("attempt", "waits before it", "begins", "ends by"), timeline_rows(one))


def _title(one: dict[str, Any]) -> str:
    if one["operation"] is None:
        return f"Policy {one['policy']}"
    matched = f', matched by "{one["matched"]}"' if one["matched"] not in (None, one["operation"]) else ""
    return f"Operation {one['operation']}: policy {one['policy']}{matched}"
