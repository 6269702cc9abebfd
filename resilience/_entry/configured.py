"""Holds the policies that are configured for this process, and finds the default ones."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .._core.base.clock import Clock
from .._core.base.fork_safety import new_lock
from .._core.policy.policy import Policy
from ..errors import PolicyError
from .epoch import start_new_epoch
from .operation_rules import OperationRules
from .policies import Policies

if TYPE_CHECKING:
    from ..outbox import Outbox

__all__ = [
    "already_configured",
    "configure",
    "configured_policies",
    "default_policies",
    "load_built_in_needs",
    "load_used",
    "new_rules",
    "policies_getter",
    "set_configured",
]

_lock = new_lock()
_configured: Policies | None = None
_used: list[str | Policy] = []
"""The policies that decorators and `wrap` have named: `configure` loads what calls under them need."""
_MAX_USED = 1024  # a program that decorates without end fills no memory; what is not listed is loaded by its first call


def configure(
    source: str | os.PathLike[str] | Mapping[str, Any] | Policies,
    *,
    log: bool | Literal["logging", "structlog"] = True,
) -> Policies:
    """Set the policies of this process and return them.

    Functions decorated before and clients wrapped before use them from their next call on.

    Args:
        source: path of a policy file, a mapping of the same shape, or `Policies`.
        log: where log lines go: True to structlog where the program has configured it, else to the logger `resilience`
            of `logging`; `"logging"` or `"structlog"` to that alone; False writes none.

    Raises:
        TypeError: the source is none of these, or `log` is given with `Policies`, which have their log already.
        PolicyError: the source is wrong; the policies that were configured before stay in force.
    """
    if isinstance(source, Policies):
        if log is not True:
            raise TypeError("these Policies have their log already: give log= where they are made")
        policies = source
    elif isinstance(source, Mapping):
        policies = Policies.from_mapping(source, log=log)
    elif isinstance(source, (str, os.PathLike)):
        policies = Policies.load(source, log=log)
    else:
        raise TypeError(f"configure takes a path, a mapping or Policies, not {type(source).__name__}")
    for policy in _used:
        policies.load_used(policy)
    set_configured(policies)
    return policies


def load_used(policy: object, policies: Policies | None = None) -> None:
    """Load what calls under a policy need: of these policies, or of the configured ones, now or in `configure`."""
    chosen = policy if isinstance(policy, (str, Policy)) else "default"
    if policies is not None:
        policies.load_used(chosen)
        return
    if chosen not in _used and len(_used) < _MAX_USED:
        _used.append(chosen)
    if _configured is not None:
        _configured.load_used(chosen)


def load_built_in_needs() -> None:
    """Load what calls under the built-in policies need. Policies that are configured later build on these."""
    Policies.builtin()


def configured_policies() -> Policies:
    """Return the policies of this process; without `configure`, the default ones are loaded at the first use."""
    global _configured
    if _configured is None:  # without the lock: this runs at each compilation
        with _lock:
            if _configured is None:
                loaded = default_policies()
                for policy in _used:
                    loaded.load_used(policy)
                if _configured is None:  # else a signal handler has needed them meanwhile, and loaded them
                    _configured = loaded
    return _configured


def already_configured() -> Policies | None:
    """Return the policies of this process if there are some; None before `configure` and before the first call."""
    return _configured


def default_policies(*, clock: Clock | None = None) -> Policies:
    """Load the default policies: `$RESILIENCE_POLICIES`, else `./resilience.yaml`, else the built-ins.

    Raises:
        PolicyError: the file is wrong; the message says so where the environment variable names it.
    """
    path = os.environ.get("RESILIENCE_POLICIES")
    if path:
        try:
            return Policies.load(path, clock=clock)
        except PolicyError as error:
            raise PolicyError(f"$RESILIENCE_POLICIES names {error}", error.problems) from None
    if Path("resilience.yaml").is_file():
        return Policies.load("resilience.yaml", clock=clock)
    return Policies.builtin(clock=clock)


def set_configured(policies: Policies | None) -> Policies | None:
    """Configure these policies, or none, and return those that were configured before."""
    global _configured
    with _lock:
        before, _configured = _configured, policies
        start_new_epoch()
    return before


def policies_getter(policies: Policies | None) -> Callable[[], Policies]:
    """Return a function that returns these policies, or the configured ones where None is given.

    Raises:
        TypeError: `policies` is neither.
    """
    if policies is None:
        return configured_policies
    if not isinstance(policies, Policies):
        raise TypeError(f"policies takes Policies, not {type(policies).__name__}")
    return partial(_itself, policies)


def new_rules(
    policy: str | Policy,
    operations: Mapping[str, Any] | None,
    policies: Policies | None,
    outbox: Outbox | None = None,
) -> OperationRules:
    """Return the rules of a client, and load what calls under them need; arguments as for `resilience.wrap`."""
    rules = OperationRules(policy, operations, policies_getter(policies), outbox)
    for named in rules.named:
        load_used(named, policies)
    return rules


def _itself(policies: Policies) -> Policies:
    return policies
