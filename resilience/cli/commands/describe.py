"""Says what a policy does, in words or as a diagram.

Describes the policies and operations of a file: the checks before an attempt, the retries, and when each attempt
begins and ends. Nothing is sent.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ...telemetry.plain_data import redact_all
from ..diagram import flowchart
from ..policy_files import find_policy, read_policies
from ..sentences import sentences, timeline_rows
from ..terminal import show_json, show_table, show_text

if TYPE_CHECKING:
    from ..._core.policy.policy_set import OperationSettings, PolicySet

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="a policy file; default: the configured one, or the built-in policies"
    )
    parser.add_argument("--policy", metavar="P", help="only this policy")
    parser.add_argument("--operation", metavar="O", help="only a call of this operation")
    parser.add_argument("--format", choices=("text", "mermaid", "json"), default="text", help="default: text")
    parser.add_argument("--json", action="store_const", dest="format", const="json", help="same as --format json")


def run(args: argparse.Namespace) -> int:
    """Describe the policies and operations that were asked for."""
    policies = read_policies(args.file)
    if args.policy:
        find_policy(args.policy, policies)
    described = [_describe(policies, *subject) for subject in _subjects(policies, args.policy, args.operation)]
    if args.format == "json":
        show_json(redact_all({"source": policies.source, "shared": _shared(policies), "described": described}))
    elif args.format == "mermaid":
        print(flowchart(described))
    else:
        _print_shared(_shared(policies))
        _print_text(described)
    return 0


def _shared(policies: PolicySet) -> dict[str, Any] | None:
    """Return what several processes share, as plain data without credentials; nobody asks the store."""
    from ..._core.policy.shared_settings import without_credentials

    shared = policies.shared
    if shared is None:
        return None
    fields = ("namespace", "processes", "patience", "lease")
    own = {name: getattr(shared, name) for name in fields}
    return {"store": without_credentials(shared.url), **own, "share": list(shared.share)}


def _print_shared(shared: dict[str, Any] | None) -> None:
    if shared is not None:
        parts, place = ", ".join(shared["share"]), f"{shared['store']}, namespace {shared['namespace']}"
        show_text(f"Shared by up to {shared['processes']} processes through {place}: {parts or 'nothing'}.")
        print()


def _describe(
    policies: PolicySet, policy: str, operation: str | None, rule: OperationSettings | None
) -> dict[str, Any]:
    """Return one policy, or one operation under it, as plain data."""
    from ..._core.policy.policy_set import PolicySet
    from ..._pipeline.pipeline import Pipeline
    from ..._pipeline.shared_state import SharedState

    shared = SharedState()
    # As in a bot, the shared state takes the file's code tables.
    shared.take(PolicySet({}), policies)
    pipeline = Pipeline(
        policies.policies[policy],
        operation=operation,
        idempotent=None if rule is None else rule.idempotent,
        key=None if rule is None else rule.key,
        shared=shared,
    )
    matched = {"matched": None if rule is None else rule.match, "lane": None if rule is None else rule.lane}
    described = {**pipeline.describe(), **matched}
    return {**described, "words": sentences(described)}


def _subject_of(
    policies: PolicySet, policy: str | None, operation: str
) -> tuple[str, str | None, OperationSettings | None]:
    rule = policies.rule_for(operation)
    by_rule = rule.policy if rule is not None and policy is None else None
    return by_rule or policy or "default", operation, rule


def _subjects(
    policies: PolicySet, policy: str | None, operation: str | None
) -> Iterator[tuple[str, str | None, OperationSettings | None]]:
    """Yield (policy, operation, matching entry) for each thing to describe."""
    if operation is not None:
        yield _subject_of(policies, policy, operation)
        return
    for name in [policy] if policy else _own_policies(policies):
        yield name, None, None
    for rule in policies.operations:
        if policy in (None, rule.policy or "default"):
            yield rule.policy or "default", rule.match, rule


def _own_policies(policies: PolicySet) -> list[str]:
    """Return the policies that the file defines or changes; all policies if it has none of its own."""
    from ...config.loading.builtin_policies import builtin

    below = builtin().policies
    own = [name for name, policy in policies.policies.items() if below.get(name) != policy]
    return own or list(policies.policies)


def _print_text(described: list[dict[str, Any]]) -> None:
    for index, subject in enumerate(described):
        if index:
            print()
        show_text(_title(subject))
        for sentence in subject["words"]:
            show_text(sentence, bullet="  - ")
        if subject["timeline"]:
            print()
            show_table(("attempt", "waits before it", "begins", "ends by"), timeline_rows(subject))


def _title(subject: dict[str, Any]) -> str:
    if subject["operation"] is None:
        return f"Policy {subject['policy']}"
    by_glob = subject["matched"] not in (None, subject["operation"])
    matched = f', matched by "{subject["matched"]}"' if by_glob else ""
    return f"Operation {subject['operation']}: policy {subject['policy']}{matched}"
