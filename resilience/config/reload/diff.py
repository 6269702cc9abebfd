"""Lists what a reload changes: the path of each setting with its value before and after.

A changed setting is listed for each policy that inherits it, such as `read.deadline: 20 → 30`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, NamedTuple

from ..._core.policy.codes import CodeTable
from ..._core.policy.policy_set import PolicySet
from ..._core.policy.section import changed
from ..._core.policy.sections import NO_VALUE
from ..._core.policy.shared_settings import SharedSettings, without_credentials

__all__ = ["Change", "changes"]

_ABSENT = "absent"
_PRESENT = "present"


class Change(NamedTuple):
    """One changed setting. For whole policies, operations and rows the values are `absent` and `present`.

    Attributes:
        path: where it is, such as `read.deadline`.
        before: the old value.
        after: the new value.
    """

    path: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.path}: {_in_words(self.before)} → {_in_words(self.after)}"


def changes(before: PolicySet, after: PolicySet) -> tuple[Change, ...]:
    """Return the differences between two readings of a file, in the order of its sections."""
    return (
        *_keyed("", before.policies, after.policies),
        *_keyed("operations.", _by_glob(before), _by_glob(after)),
        *_order(before, after),
        *_differing("codes", list(before.codes), list(after.codes)),
        *_differing("isolated", before.isolated, after.isolated),
        *_shared(before.shared, after.shared),
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


def _by_glob(policies: PolicySet) -> dict[str, Any]:
    """Return the operations by glob; of two entries with the same glob the first one applies."""
    return {rule.match: rule for rule in reversed(policies.operations)}


def _order(before: PolicySet, after: PolicySet) -> Iterator[Change]:
    """Yield a change if the same globs have another order: the first match applies."""
    was, now = ([rule.match for rule in policies.operations] for policies in (before, after))
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


def _shared(before: SharedSettings | None, after: SharedSettings | None) -> Iterator[Change]:
    """Yield the changes in what is shared; the credentials of a URL are not shown."""
    if before is not None and after is not None and before.url != after.url:
        was, now = without_credentials(before.url), without_credentials(after.url)
        yield Change("shared.url", was, now) if was != now else Change("shared.url", "credentials", "other credentials")
        before = changed(before, url=after.url)
    yield from _differing("shared", before, after)


def _differing(path: str, before: Any, after: Any) -> Iterator[Change]:
    """Yield the changes in two values; sections, mappings and lists of equal length are compared by their items."""
    if before == after:
        return
    if is_dataclass(before) and type(before) is type(after):
        for field in fields(before):
            yield from _differing(f"{path}.{field.name}", getattr(before, field.name), getattr(after, field.name))
    elif isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _keyed(f"{path}.", before, after)
    elif _all_sections(before) and _all_sections(after) and len(before) == len(after):
        for index, (was, now) in enumerate(zip(before, after, strict=True)):
            yield from _differing(f"{path}[{index}]", was, now)
    else:
        yield Change(path, _plain(before), _plain(after))


def _all_sections(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and all(map(is_dataclass, value))


def _plain(value: Any) -> Any:
    """Return a value for a log line; a whole section is `present`, and None is off."""
    if value is None or value is NO_VALUE or isinstance(value, (bool, int, float)):
        return None if value is NO_VALUE else value
    if isinstance(value, (Enum, str)):
        return str(value)
    if is_dataclass(value) and hasattr(value, "count"):
        return str(value)  # a window of calls, the only dataclass in the settings that is a plain value
    if is_dataclass(value):
        return _PRESENT
    if isinstance(value, (tuple, list, frozenset, set)):
        return [_plain(item) for item in value]
    return f"<{type(value).__name__}>"


def _in_words(value: Any) -> str:
    if value is None:
        return "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
