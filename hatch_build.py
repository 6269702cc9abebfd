"""Compiles the shipped policies and code tables for a wheel. `python hatch_build.py` does it for a checkout.

It also makes the description that a package index shows from the README: a relative link leads nowhere there.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent


def compile_here() -> None:
    """Write the compiled files beside the YAML files."""
    sys.path.insert(0, str(ROOT))
    from resilience.config.schema.compiled_source import compile_shipped
    from resilience.venues.compiled_venues import compile_venues

    compile_shipped(ROOT / "policies" / "compiled")
    compile_venues(ROOT / "policies" / "compiled")


def description(readme: str) -> str:
    """Return the README without relative links and pictures: a link is replaced by its text."""
    readme = re.sub(r"(?ms)^<picture>(?:(?!</picture>|https?:).)*</picture>\n\n?", "", readme)
    readme = re.sub(r"^!\[[^\]]*\]\((?!https?:)[^)]*\)\n\n?", "", readme, flags=re.MULTILINE)
    return re.sub(r"\[([^\]]+)\]\((?!https?:)[^)\s]+\)", r"\1", readme)


if __name__ == "__main__":
    compile_here()
else:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
    from hatchling.metadata.plugin.interface import MetadataHookInterface

    class CompileShippedFiles(BuildHookInterface):  # type: ignore[misc,type-arg]  # hatchling is there in a build only
        """Runs before the files of a wheel are collected; `policies/` becomes a folder of the package."""

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
            """Compile."""
            compile_here()

    class DescribeForAnIndex(MetadataHookInterface):  # type: ignore[misc]  # as above
        """Makes the description of the distribution."""

        def update(self, metadata: dict[str, Any]) -> None:
            """Set the README."""
            text = (ROOT / "README.md").read_text(encoding="utf-8")
            metadata["readme"] = {"content-type": "text/markdown", "text": description(text)}
