"""Puts the hand-made pictures into the pages themselves, so that they follow the site's light and dark scheme.

A moving picture (`.webp`) is replaced by the still one beside it (`.png`) for readers who prefer reduced motion.
In the Markdown they are ordinary images, which any other reader of the docs shows as they are.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_IMAGE = re.compile(r'<img alt="[^"]*" src="(?:[^"]*/)?images/([\w-]+\.svg)" ?/?>')
_MOVING = re.compile(r'<img alt="[^"]*" src="([^"]*images/[\w-]+)\.webp" ?/?>')
_STILL_OR_MOVING = r'<picture><source media="(prefers-reduced-motion: reduce)" srcset="\1.png">\g<0></picture>'


def on_page_content(html: str, config: Any, **_: Any) -> str:
    """Replace each image of `docs/images` by the picture itself, which brings its own title; add the still ones."""
    folder = Path(config["docs_dir"]) / "images"
    html = _MOVING.sub(_STILL_OR_MOVING, html)
    return _IMAGE.sub(lambda found: (folder / found[1]).read_text("utf-8").replace("\n", ""), html)
