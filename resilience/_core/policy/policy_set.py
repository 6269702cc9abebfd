"""Defines what a policy file contains as a whole: its policies, and which operations get which.

To change a policy itself, see `policy.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from .codes import CodeTable
from .operation_globs import glob_matches
from .policy import Policy
from .section import Section
from .shared_settings import SharedSettings
from .units import About

__all__ = ["OperationSettings", "PolicySet"]

_WRITES = re.compile(r"(?:post|patch)(?:[ *]|$)|(?:create|edit|place|submit|transfer|withdraw)(?:_|$)", re.IGNORECASE)
_READS = re.compile(r"(?:get|head|options)(?:[ *]|$)|(?:fetch|load)_", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationSettings(Section):
    """The policy and the properties of the operations that match a glob."""

    match: Annotated[str, About("A glob of operation names, or of methods and paths.", '"fetch_*"')]
    policy: (
        Annotated[str, About("The policy's name; by default the one that the decorator or wrap names.", "read")] | None
    ) = None
    idempotent: Annotated[bool, About("Whether sending it twice has the same effect as once.", "true")] | None = None
    key: Annotated[str, About("The parameter with the idempotency key of a write.", "clientOrderId")] | None = None
    lane: Annotated[str, About("The admission lane of its attempts.", "cancel")] | None = None

    @property
    def is_write(self) -> bool:
        """Whether it is surely for writes: by what it says, by the method, or by a name that clients give to writes."""
        if self.idempotent is not None or self.key is not None:
            return not self.idempotent
        return _WRITES.match(self.match) is not None

    @property
    def is_read(self) -> bool:
        """Whether it is surely for reads."""
        if self.idempotent is not None or self.key is not None:
            return bool(self.idempotent)
        return _READS.match(self.match) is not None


@dataclass(frozen=True, slots=True)
class PolicySet:
    """The content of one policy file, including the built-in policies under it."""

    policies: Mapping[str, Policy]
    operations: tuple[OperationSettings, ...] = ()
    source: str = "built-in"
    tables: Mapping[str, CodeTable] = field(default_factory=dict)
    """The code tables that the file names, by path."""
    codes: tuple[str, ...] = ()
    """The registries that the file lists for all its policies."""
    own: tuple[str, ...] = ()
    """The names of the policies that are in the file itself."""
    isolated: str | None = None
    """Why the file isolates every policy; None if it does not."""
    shared: SharedSettings | None = None
    """What several processes share; None where each is on its own."""

    def rule_for(self, operation: str) -> OperationSettings | None:
        """Return the first entry of `operations` whose glob matches, or None."""
        return next((rule for rule in self.operations if glob_matches(rule.match, operation)), None)
