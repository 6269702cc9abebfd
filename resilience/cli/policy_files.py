"""Policy files that commands are given: found, read, and what is wrong with them said with the right exit code."""

from __future__ import annotations

import os
import sys
from difflib import get_close_matches
from pathlib import Path

from .._core.policy.policy import PolicySet
from ..errors import PolicyError
from ..telemetry.redaction import redact

__all__ = ["Unusable", "chosen", "read"]


class Unusable(Exception):  # noqa: N818  # it is how a command ends, and no error of the program
    """A file or a name that a command cannot use; what is wrong has been printed.

    Attributes:
        code: the command's exit code: 1 for mistakes in a file, 2 for wrong use.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def read(path: str | None) -> PolicySet:
    """Read a policy file; without one that of the environment or of this folder, else the built-in policies.

    Raises:
        Unusable: it is not there, or it has mistakes.
    """
    from ..config.loading.policy_file import builtin, load

    given = path or os.environ.get("RESILIENCE_POLICIES")
    if not given:
        given = "resilience.yaml" if Path("resilience.yaml").is_file() else None
    if given is None:
        return builtin()
    try:
        return load(given)
    except PolicyError as error:
        named = "" if path or not os.environ.get("RESILIENCE_POLICIES") else "$RESILIENCE_POLICIES names "
        print(redact(f"{named}{error}"), file=sys.stderr)
        raise Unusable(1 if any(one.line for one in error.problems) or Path(given).is_file() else 2) from None


def chosen(name: str, policies: PolicySet) -> str:
    """Return the name of a policy that is there.

    Raises:
        Unusable: there is none of that name.
    """
    if name in policies.policies:
        return name
    near = get_close_matches(name, policies.policies, 1)
    advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(policies.policies))}"
    print(redact(f"resilience: {policies.source}: no policy {name!r}; {advice}"), file=sys.stderr)
    raise Unusable(2)
