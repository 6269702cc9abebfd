"""Decides which row of a code counts where one number means several things, and in which scope of an API a URL is.

A scope is a part of an API with codes of its own, such as `spot` or `usdm`. The rows of the scope `all` hold in every
part, and a row without a scope is one of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .codes import Rule

__all__ = ["ALL", "most_cautious", "row_in_scope", "scope_of_url"]

ALL = "all"
"""The scope of the rows that hold in every part of an API."""
_UNCERTAINTY = {"maybe": 2, "no": 1, "n_a": 0}
_SEVERITY = {"fatal": 3, "user_fixable": 2, "retryable": 1}


def row_in_scope(rows: Sequence[Rule], scope: str | None) -> Rule:
    """Return the row of a scope, else the one of `all`, else the most cautious of a code's rows.

    Args:
        rows: the rows of one code, at least one.
        scope: the scope of the request; None where it is not known.
    """
    if scope is not None:
        for wanted in (scope, ALL):
            for row in rows:
                if wanted in (row.scopes or (ALL,)):
                    return row
    return most_cautious(rows)


def most_cautious(rows: Iterable[Rule]) -> Rule:
    """Return the row by which a write is sent again least: `maybe` before `no`, then `all`, then what no retry helps.

    Of rows that are equal in this the first one counts.
    """
    return max(
        rows,
        key=lambda row: (
            _UNCERTAINTY[row.executed],
            ALL in (row.scopes or (ALL,)),
            _SEVERITY.get(row.category or "", 0),
        ),
    )


def scope_of_url(url: str, prefixes: Mapping[str, str]) -> str | None:
    """Return the scope whose prefix begins a URL, the longest one, or None.

    A prefix that begins with a slash is compared with the path, another one with host and path.
    """
    place = (url.partition("://")[2] or url).partition("?")[0].partition("#")[0]
    path = f"/{place.partition('/')[2]}"
    fitting = [prefix for prefix in prefixes if (path if prefix[0] == "/" else place).startswith(prefix)]
    return prefixes[max(fitting, key=len)] if fitting else None
