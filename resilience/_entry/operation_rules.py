"""Which policy each operation of a wrapped client gets, and what is known of it beyond what the client says.

In this order: the caller's own globs, the `operations` of the policy file, the one policy for the
rest. An HTTP request is matched by its method (`post`) or by method and path (`post /v1/orders/*`):
then the glob itself is the operation's name, so that names stay few whatever ids the paths hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from .._core.call.operation_info import OperationInfo
from .._core.policy.policy import Policy
from .._pipeline.pipeline import Pipeline
from .policies import Policies, configured_policies

if TYPE_CHECKING:
    from ..outbox import Outbox

__all__ = ["OperationRules"]

_OPTIONS = ("policy", "idempotent", "key", "reconcile", "lane")


class OperationRules:
    """The rules of one wrapped client. Safe across threads: nothing changes after birth."""

    def __init__(
        self,
        policy: str | Policy,
        operations: Mapping[str, Any] | None,
        policies: Policies | None,
        outbox: Outbox | None = None,
    ) -> None:
        """Read the caller's globs once.

        Raises:
            TypeError: `operations` holds something other than a policy's name or known options.
        """
        if policies is not None and not isinstance(policies, Policies):
            raise TypeError(f"policies takes Policies, not {type(policies).__name__}")
        if operations is not None and not isinstance(operations, Mapping):
            raise TypeError(f"operations takes a mapping of globs, not {type(operations).__name__}")
        self.policy = policy
        self._policies = policies
        self.outbox = outbox
        self._globs = [(glob, _options(glob, one)) for glob, one in (operations or {}).items()]
        self._own_paths = [glob for glob, _ in self._globs if "/" in glob]

    @property
    def policies(self) -> Policies:
        """The policies in force now."""
        return self._policies or configured_policies()

    @property
    def by_path(self) -> bool:
        """Tell whether some glob asks for a path: without one, requests are told apart by method and host alone."""
        return bool(self._own_paths or self.policies.path_globs)

    def name(self, method: str, path: str) -> str:
        """Return the operation's name of an HTTP request: the glob that matches its path, else its method."""
        plain = method.lower()
        asked = f"{plain} {path}"
        globs = (*self._own_paths, *self.policies.path_globs)
        return next((glob for glob in globs if fnmatchcase(asked, glob)), plain)

    def resolve(self, info: OperationInfo) -> tuple[Pipeline, OperationInfo]:
        """Return the pipeline of an operation, and its binding with what the rules add."""
        chosen: Any = self.policy
        rule = self.policies.rule_for(info.operation)
        if rule is not None:
            chosen = rule.policy or chosen
            info = _over(info, idempotent=rule.idempotent, key=rule.key, lane=rule.lane)
        for glob, options in self._globs:
            if glob == info.operation or fnmatchcase(info.operation, glob):
                given = {name: value for name, value in options.items() if name != "policy"}
                chosen, info = options.get("policy", self.policy), _over(info, **given)
                break
        return self.policies.pipeline_now(chosen, info.operation), info

    def note_keyless(self, operation: str, fn: Callable[..., Any]) -> None:
        """Note a method of a client that says nothing of keys; see `Policies.keyless`."""
        if not any("key" in options and fnmatchcase(operation, glob) for glob, options in self._globs):
            self.policies.note_keyless(operation, fn)

    def compile(self, fn: Callable[..., Any], info: OperationInfo) -> Callable[..., Any]:
        """Compile a method by the rules in force now."""
        pipeline, info = self.resolve(info)
        if self.outbox is not None and self.outbox.covers(info):
            return self.outbox.compile_recorded(pipeline, fn, info)
        return pipeline.compile(fn, info)


def _options(glob: str, given: Any) -> dict[str, Any]:
    if not isinstance(glob, str):
        raise TypeError(f"operations takes globs of operation names, not {type(glob).__name__}")
    if isinstance(given, str):
        return {"policy": given}
    if not isinstance(given, Mapping):
        raise TypeError(f"operations[{glob!r}] takes a policy's name or a mapping, not {type(given).__name__}")
    unknown = [name for name in given if name not in _OPTIONS]
    if unknown:
        raise TypeError(f"operations[{glob!r}]: unknown {', '.join(unknown)}; allowed: {', '.join(_OPTIONS)}")
    policy_named = given.get("policy")
    if policy_named is not None and not isinstance(policy_named, (str, Policy)):
        raise TypeError(f"operations[{glob!r}]: policy takes a policy's name, not {type(policy_named).__name__}")
    return {name: value for name, value in given.items() if value is not None}


def _over(info: OperationInfo, **given: Any) -> OperationInfo:
    return replace(info, **{name: value for name, value in given.items() if value is not None})
