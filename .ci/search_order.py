"""Orders the results of the search: pages that explain something before pages that name everything."""

from __future__ import annotations

from typing import Any

_BOOST = {
    "changelog.md": 0.2,
    "explanation/map-of-the-code.md": 0.2,
    "howto/what-to-watch.md": 2,
    "reference/python.md": 0.5,
}
"""The factor by which the search multiplies the score of a page."""


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Give one page its factor."""
    if page.file.src_uri in _BOOST:
        page.meta["search"] = {"boost": _BOOST[page.file.src_uri]}
    return markdown
