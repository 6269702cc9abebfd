"""Applies the actions that a person sends: isolate and release, for one policy or for all."""

from __future__ import annotations

import json
from typing import Any

from ..errors import PolicyError
from .refused_request import RequestRefusedError
from .served_policies import ServedPolicies

__all__ = ["ACTIONS", "MAX_BODY", "apply_action"]

MAX_BODY = 16_384  # bytes
_FIELDS: dict[str, tuple[type | None, ...]] = {"policy": (str, type(None)), "reason": (str,), "cancels": (bool,)}
_EXPECTED = {"policy": "a policy's name, or null for all", "reason": "a string", "cancels": "true or false"}
ACTIONS = {"isolate": ("policy", "reason", "cancels"), "release": ("policy", "reason")}
"""The fields of each action's body; all are optional."""
_MAX_REASON = 500


def apply_action(policies: ServedPolicies, action: str, body: bytes) -> dict[str, Any]:
    """Apply an action and return what is isolated then.

    Raises:
        RequestRefusedError: the body is wrong, or there is no such policy.
    """
    fields = _parse(action, body)
    policy = fields.get("policy")
    try:
        if action == "isolate":
            policies.isolate(policy, reason=fields.get("reason", ""), cancels=fields.get("cancels", False))
        else:
            policies.release(policy)
    except PolicyError as error:
        raise RequestRefusedError(404, str(error)) from error
    after = policies.snapshot()
    return {
        "action": action,
        "policy": policy,
        "healthy": after["healthy"],
        "isolated": after["isolated"],
    }


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
    if len(fields.get("reason", "")) > _MAX_REASON:
        raise RequestRefusedError(400, f"reason: at most {_MAX_REASON} characters")
    return fields


def _example(action: str) -> str:
    return f'{action} takes for example {{"policy": null, "reason": "maintenance"}}; {{}} means all policies'
