"""What a reload changes, as plain data: the path of each setting with its value before and after.

A setting that a policy inherits is told where it takes effect: `read.deadline: 20 → 30`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, NamedTuple

from ..._core.policy.codes import CodeTable
from ..._core.policy.policy import PolicySet
from ..._core.policy.sections import NO_VALUE

__all__ = ["Change", "changes"]

_ABSENT = "absent"
_PRESENT = "present"


class Change(NamedTuple):
    """One setting that is not what it was. `absent` and `present` stand for whole policies, operations and rows."""

    path: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.path}: {_said(self.before)} → {_said(self.after)}"


def changes(before: PolicySet, after: PolicySet) -> tuple[Change, ...]:
    """Return what differs between two readings of a file, in the order of its sections."""
    return (
        *_keyed("", before.policies, after.policies),
        *_keyed("operations.", _rules(before), _rules(after)),
        *_order(before, after),
        *_differing("codes", list(before.codes), list(after.codes)),
        *_tables(before.tables, after.tables),
    )


def _keyed(prefix: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for name in dict.fromkeys((*before, *after)):
        if name not in after:
            yield Change(f"{prefix}{name}", _PRESENT, _ABSENT)
        elif name not in before:
            yield Change(f"{prefix}{name}", _ABSENT, _PRESENT)
        elif before[name] != after[name]:
            yield from _differing(f"{prefix}{name}", before[name], after[name])


def _rules(policies: PolicySet) -> dict[str, Any]:
    """Return the operations by their globs; of a glob that stands there twice the first is the one that counts."""
    return {one.match: one for one in reversed(policies.operations)}


def _order(before: PolicySet, after: PolicySet) -> Iterator[Change]:
    """Tell another order of the same globs: the first that matches decides."""
    was, now = ([one.match for one in policies.operations] for policies in (before, after))
    if was != now and sorted(was) == sorted(now):
        yield Change("operations", was, now)


def _tables(before: Mapping[str, CodeTable], after: Mapping[str, CodeTable]) -> Iterator[Change]:
    for path in dict.fromkeys((*before, *after)):
        if path in before and path in after:
            was, now = before[path], after[path]
            rows = [{f"{path}[{rule.code}]": rule for rule in table} for table in (was, now)]
            yield from _keyed("", *rows)
            for part in ("envelope", "sources", "texts"):
                if getattr(was, part) != getattr(now, part):
                    yield Change(f"{path}.{part}", "one", "another")
        else:
            yield from _keyed("", {path: 0} if path in before else {}, {path: 0} if path in after else {})


def _differing(path: str, before: Any, after: Any) -> Iterator[Change]:
    """Go down while both sides are sections of one kind, or mappings, or lists of one length."""
    if before == after:
        return
    if is_dataclass(before) and type(before) is type(after):
        for field in fields(before):
            yield from _differing(f"{path}.{field.name}", getattr(before, field.name), getattr(after, field.name))
    elif isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _keyed(f"{path}.", before, after)
    elif _sections(before) and _sections(after) and len(before) == len(after):
        for place, (was, now) in enumerate(zip(before, after, strict=True)):
            yield from _differing(f"{path}[{place}]", was, now)
    else:
        yield Change(path, _plain(before), _plain(after))


def _sections(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and all(map(is_dataclass, value))


def _plain(value: Any) -> Any:
    """Return a value as a log line can hold it; a section that appears or goes is `present`, None is off."""
    if value is None or value is NO_VALUE or isinstance(value, (bool, int, float)):
        return None if value is NO_VALUE else value
    if isinstance(value, (Enum, str)):
        return str(value)
    if is_dataclass(value) and hasattr(value, "count"):
        return str(value)  # a window of calls
    if is_dataclass(value):
        return _PRESENT
    if isinstance(value, (tuple, list, frozenset, set)):
        return [_plain(one) for one in value]
    return f"<{type(value).__name__}>"


def _said(value: Any) -> str:
    if value is None:
        return "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
