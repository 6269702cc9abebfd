"""Applies the actions that a person sends: isolate and release policies, close a breaker, look up a write in doubt."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import PolicyError
from .lookup_report import report_lookup
from .refused_request import RequestRefusedError
from .served_policies import ServedPolicies

__all__ = ["ACTIONS", "MAX_BODY", "apply_action"]

MAX_BODY = 16_384  # bytes
_FIELDS: dict[str, tuple[type | None, ...]] = {
    "policy": (str, type(None)),
    "reason": (str,),
    "cancels": (bool,),
    "key": (str,),
}
_EXPECTED = {
    "policy": "a policy's name, or null for all",
    "reason": "a string",
    "cancels": "true or false",
    "key": "a string",
}
ACTIONS = {
    "isolate": ("policy", "reason", "cancels"),
    "release": ("policy", "reason"),
    "close": ("policy", "key", "reason"),
    "look_up": ("key",),
}
"""The fields of each action's body."""
_NEEDED = {"isolate": (), "release": (), "close": ("policy", "key"), "look_up": ("key",)}
_MAX_REASON = 500


def apply_action(policies: ServedPolicies, action: str, body: bytes) -> dict[str, Any]:
    """Apply an action; return what is isolated then, or what a lookup has shown.

    Raises:
        RequestRefusedError: the body is wrong, there is no such policy, breaker or write, or it cannot be looked up.
    """
    fields = _parse(action, body)
    try:
        return _APPLY[action](policies, fields)
    except PolicyError as error:
        raise RequestRefusedError(404, str(error)) from error
    except LookupError as error:
        raise RequestRefusedError(409, str(error)) from error


def _isolate(policies: ServedPolicies, fields: Mapping[str, Any]) -> dict[str, Any]:
    cancels = fields.get("cancels", False)
    policies.isolate(fields.get("policy"), reason=fields.get("reason", ""), cancels=cancels)
    return _state_after(policies, "isolate", fields)


def _release(policies: ServedPolicies, fields: Mapping[str, Any]) -> dict[str, Any]:
    policies.release(fields.get("policy"), reason=fields.get("reason", ""))
    return _state_after(policies, "release", fields)


def _close(policies: ServedPolicies, fields: Mapping[str, Any]) -> dict[str, Any]:
    found = [breaker for breaker in policies.breakers(fields["policy"]) if breaker.key == fields["key"]]
    if not found:
        raise RequestRefusedError(404, f"{fields['policy']}: no breaker of this policy has this key")
    found[0].close(reason=fields.get("reason", ""))
    return _state_after(policies, "close", fields)


def _look_up(policies: ServedPolicies, fields: Mapping[str, Any]) -> dict[str, Any]:
    return report_lookup(policies.look_up(fields["key"]), fields["key"])


_APPLY: dict[str, Callable[[ServedPolicies, Mapping[str, Any]], dict[str, Any]]] = {
    "isolate": _isolate,
    "release": _release,
    "close": _close,
    "look_up": _look_up,
}


def _state_after(policies: ServedPolicies, action: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    after = policies.snapshot()
    state = {name: after[name] for name in ("healthy", "isolated")}
    return {"action": action, "policy": fields.get("policy"), **state}


def _parse(action: str, body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestRefusedError(400, f"the body is not JSON; {_example(action)}") from error
    if not isinstance(fields, dict):
        raise RequestRefusedError(400, f"the body is no JSON object; {_example(action)}")
    for name, value in fields.items():
        if name not in ACTIONS[action]:
            raise RequestRefusedError(400, f"{name[:50]!r}: unknown key; {action} takes {', '.join(ACTIONS[action])}")
        if type(value) not in _FIELDS[name]:
            raise RequestRefusedError(400, f"{name}: expected {_EXPECTED[name]}")
    missing = [name for name in _NEEDED[action] if fields.get(name) is None]
    if missing:
        raise RequestRefusedError(400, f"{missing[0]}: missing; {_example(action)}")
    if len(fields.get("reason", "")) > _MAX_REASON:
        raise RequestRefusedError(400, f"reason: at most {_MAX_REASON} characters")
    return fields


def _example(action: str) -> str:
    if action == "look_up":
        return 'look_up takes for example {"key": "my-order-17"}'
    if action == "close":
        return 'close takes for example {"policy": "prices", "key": "api.example.com", "reason": "it is back"}'
    return f'{action} takes for example {{"policy": null, "reason": "maintenance"}}; {{}} means all policies'
