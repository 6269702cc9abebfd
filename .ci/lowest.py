"""Prints the lowest version that pyproject.toml allows of each direct dependency, as pip constraints.

Read by `.ci/run`, which runs a representative part of the tests on exactly these versions: a lower bound that no
run has tried is a guess.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

EXTRAS = (
    "aiohttp", "ccxt", "cli", "httpx", "otel", "postgres", "prometheus", "shared", "streams", "trio", "urllib3",
    "watch",
)  # fmt: skip
"""The extras that the library itself imports; tools for development are not held to a lowest version."""


def lowest() -> list[str]:
    """Return `name==version` for each dependency of the library and of `EXTRAS`, sorted."""
    project = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(line for name in EXTRAS for line in extras.get(name, ()))]
    return sorted(_pinned(line) for line in wanted)


def _pinned(requirement: str) -> str:
    """Return a requirement such as `requests>=2.32` as `requests==2.32`.

    Raises:
        SystemExit: the requirement has no lower bound, so there is nothing to try.
    """
    match = re.fullmatch(r"([A-Za-z0-9_.-]+)(?:\[\w+\])?>=([0-9][0-9a-z.]*)(,.*)?", requirement.replace(" ", ""))
    if match is None:
        raise SystemExit(f"pyproject.toml: {requirement!r} has no lower bound of the form name>=version")
    return f"{match[1]}=={match[2]}"


if __name__ == "__main__":
    print("\n".join(lowest()))
