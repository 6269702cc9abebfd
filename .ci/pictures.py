"""Puts the hand-made pictures into the pages themselves, so that they follow the site's light and dark scheme.

In the Markdown they are ordinary images, which any other reader of the docs shows as they are.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_IMAGE = re.compile(r'<img alt="[^"]*" src="(?:[^"]*/)?images/([\w-]+\.svg)" ?/?>')


def on_page_content(html: str, config: Any, **_: Any) -> str:
    """Replace each image of `docs/images` by the picture itself, which brings its own title."""
    folder = Path(config["docs_dir"]) / "images"
    return _IMAGE.sub(lambda found: (folder / found[1]).read_text("utf-8").replace("\n", ""), html)
