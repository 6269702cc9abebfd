"""Adds the changelog of the repository to the site, as a page of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File


def on_files(files: Any, config: Any, **_: Any) -> Any:
    """Append the page; what is linked below `docs/` is linked from the page's own folder."""
    text = (Path(config["docs_dir"]).parent / "CHANGELOG.md").read_text("utf-8").replace("](docs/", "](")
    files.append(File.generated(config, "changelog.md", content=text))
    return files
