"""Defines the section `cache`: how long answers of reads are kept, and how many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from .given import Duration, Given, default
from .section import Section
from .units import About, Spec

__all__ = ["CacheSettings"]

_HOUR, _MANY = 3600.0, 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSettings(Section):
    """Keeps answers of reads for a short time and gives copies of them to later calls with the same arguments.

    Answers are kept for each client object, policy and operation. They must be plain data: HTTP responses and streams
    are not kept. Without `operations` they are those of the operations that an integration knows to be reads. For
    functions and clients of your own, `operations` says which of the idempotent operations only read.
    """

    # Not `for`, which is a keyword of Python; not `ttl`, which is no word of ours. `max_age` is the word of HTTP (RFC
    # 9111), and says like `max_attempts` that it is a limit.
    max_age: Given[
        Annotated[
            float,
            Spec(
                "duration", 0, _HOUR, "How old an answer may be, counted from when it was requested.", "2s", above=True
            ),
        ],
        Duration,
    ] = default(1.0)
    max_entries: Annotated[
        int, Spec("count", 1, _MANY, "Answers kept for one client and operation; the oldest is dropped first.", "1000")
    ] = 1000
    operations: Given[
        Annotated[
            tuple[str, ...], About("Globs of idempotent operations of your own code that only read.", '["get_*"]')
        ],
        Sequence[str],
    ] = default(())
