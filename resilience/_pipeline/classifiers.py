"""Makes the classifier of a policy from the code tables that it names, and checks that there are such tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .. import config
from .._core.classify.classifier import Classifier
from .._core.policy.codes import CodeTable
from .._core.policy.policy import Policy
from ..errors import PolicyError

__all__ = ["check_codes", "new_classifier"]


def new_classifier(policy: Policy, tables: Mapping[str, CodeTable]) -> Classifier:
    """Return a classifier by the code tables that a policy names: of `tables`, shipped or installed, or a file.

    Raises:
        PolicyError: a table is wrong, or cannot be loaded.
    """

    def find_builtin(name: str) -> CodeTable | None:
        return config.CodeRegistry.builtin(name) if config.is_known(name) else None

    def table(name: str) -> CodeTable:
        if name in tables:
            return tables[name]
        builtin = find_builtin(name)
        return config.CodeRegistry.load(name) if builtin is None else builtin  # not `or`: an empty table is falsy

    return Classifier(
        [table(name) for name in policy.codes],
        base=config.CodeRegistry.builtin("http"),
        lookup=find_builtin,
        unknown=policy.unknown_errors,
    )


def check_codes(policy: Policy, tables: Mapping[str, CodeTable]) -> None:
    """Reject a policy that names a code table which does not exist, here and not at the first failure.

    Raises:
        PolicyError: the table is neither among `tables` nor shipped nor a file.
    """
    for index, name in enumerate(policy.codes):
        if name not in tables and not config.is_known(name) and not Path(name).is_file():
            available = f"available: {', '.join(config.builtin_names())}, or the path of a table"
            raise PolicyError(f"{policy.name}: codes[{index}]: no code registry {name!r}; {available}")
