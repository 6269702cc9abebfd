"""Finds where a setting belongs that is in the wrong place of a file, and what was meant by a single value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Literal, NamedTuple, get_args, get_origin

from ..._core.policy.policy import Policy
from ..._core.policy.section import Section, about
from ..._core.policy.units import Spec
from ...errors import PolicyError
from .annotations import keys_of_files

__all__ = ["is_plain", "listed_section", "place_of", "place_of_policy_key", "switch_hint"]

_OTHER_WORDS: Mapping[str, str] = {
    "attempts": "retry: {max_attempts: N}",
    "bulkhead": "admission: {max_concurrent: N}",
    "concurrency": "admission: {max_concurrent: N}",
    "idempotent": "operations: [{match: NAME, policy: NAME, idempotent: true or false}], beside policies",
    "limiter": "quota: [{rate: 10/s}]",
    "max_retries": "retry: {max_attempts: N}, which counts the first attempt too",
    "rate_limit": "quota: [{rate: 10/s}]",
    "rate_limiter": "quota: [{rate: 10/s}]",
    "retries": "retry: {max_attempts: N}, which counts the first attempt too",
    "throttle": "quota: [{rate: 10/s}]",
}
"""What other libraries call a setting of a policy, and its form here."""
_ON, _OFF = ("true", "on", "yes", "enabled"), ("false", "no", "none", "disabled")


class _PolicyKey(NamedTuple):
    section: type[Section]
    may_be_off: bool
    is_list: bool


@cache
def _sections() -> dict[str, _PolicyKey]:
    """Return the sections of a policy by key."""
    return {
        name: _PolicyKey(kind, type(None) in get_args(hint), any(get_origin(part) is tuple for part in _parts(hint)))
        for name, hint in keys_of_files(Policy).items()
        for kind in _parts(hint)
        if isinstance(kind, type) and issubclass(kind, Section)
    }


def place_of(key: str, kind: type[Section]) -> str:
    """Return where a key belongs that its section does not have; empty if no section has it."""
    if kind is Policy:
        homes = [_as_inside(name, key) for name, one in _sections().items() if key in keys_of_files(one.section)]
        if homes:
            return f"write {' or '.join(homes)}"
        return f"write {_OTHER_WORDS[key]}" if key in _OTHER_WORDS else ""
    own = next((name for name, one in _sections().items() if one.section is kind), None)
    if own is None or key not in keys_of_files(Policy):
        return ""
    return f"it belongs to the policy, beside {own}"


def place_of_policy_key(key: str) -> str:
    """Return where a key belongs that is at the top of a file; empty if no policy has it."""
    return f"it belongs to a policy: policies: {{default: {{{key}: ...}}}}" if key in keys_of_files(Policy) else ""


def listed_section(key: object) -> type[Section] | None:
    """Return the class of the entries of a policy's list, such as `quota`; None for other keys."""
    one = _sections().get(str(key))
    return one.section if one is not None and one.is_list else None


def _as_inside(section: str, key: str) -> str:
    return f"{section}: [{{{key}: ...}}]" if _sections()[section].is_list else f"{section}: {{{key}: ...}}"


def switch_hint(kind: type[Section], text: str) -> str:
    """Return what to write in place of a switch such as `breaker: true`; empty for other values."""
    if text.lower() in _ON and _has_defaults(kind):
        return "write {} for the defaults"
    if text.lower() in _OFF and any(one.may_be_off for one in _sections().values() if one.section is kind):
        return "write off to switch it off"
    return ""


def _has_defaults(kind: type[Section]) -> bool:
    try:
        kind()
    except (PolicyError, TypeError):
        return False
    return True


def is_plain(hint: object) -> bool:
    """Return whether a setting is a number or one of some words, by its annotation: its value can be recognised."""
    return any(about(part, Spec) is not None or get_origin(part) is Literal for part in _parts(hint))


def _parts(hint: object) -> Iterator[object]:
    """Yield an annotation and those that it is made of."""
    yield hint
    for part in get_args(hint):
        yield from _parts(part)
