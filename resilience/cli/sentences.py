"""Says in sentences what a pipeline does. Times are written as in a policy file.

The input is the plain data that `Pipeline.describe` returns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .._core.stages.duration_text import format_duration
from .._core.stages.stage_list import STAGES

__all__ = ["sentences", "timeline_rows"]


def sentences(described: Mapping[str, Any]) -> list[str]:
    """Return the sentences: of the operation, of each stage from the outermost to the innermost, of the whole."""
    stages = [sentence for stage in STAGES for sentence in stage.sentences(described)]
    return [*_operation(described), *stages, *_end(described)]


def timeline_rows(described: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the rows of the timeline's table: attempt, waits before it, begins, ends by."""
    return [_timeline_row(attempt) for attempt in described["timeline"]]


def _timeline_row(attempt: Mapping[str, Any]) -> tuple[str, ...]:
    waits, begins = attempt["waits"], attempt["begins"]
    ends = format_duration(attempt["ends_by"])
    if not attempt["always_fits"]:
        ends += " (only if earlier attempts were quick)"
    elif attempt["cut_by_deadline"]:
        ends += " (cut by the deadline)"
    return str(attempt["attempt"]), _range(waits["least"], waits["longest"]), _range(*begins.values()), ends


def _range(least: float, most: float | None) -> str:
    if most is None:
        return f"after {format_duration(least)} or later"
    return format_duration(least) if least == most else f"{format_duration(least)} to {format_duration(most)}"


def _operation(described: Mapping[str, Any]) -> Iterator[str]:
    yield f"Error codes are looked up in {', then '.join(described['codes'])}."
    if described["operation"] is None:
        return
    idempotent = described["idempotent"]
    if idempotent is None:
        yield "The client or the decorator says whether it may be sent twice; otherwise it is treated as a write."
    elif idempotent:
        yield "It is idempotent: it may be sent twice."
    else:
        yield "It is a write: it is sent again only if it provably did not happen."
    if described["key"]:
        yield f"Its idempotency key is sent in {described['key']}; a key is made if the caller gives none."
    if described["lane"]:
        yield f"It uses the lane {described['lane']}."


def _end(described: Mapping[str, Any]) -> Iterator[str]:
    # The timeline assumes that each attempt takes its limit and each wait its longest.
    certain = [attempt["ends_by"] for attempt in described["timeline"] if attempt["always_fits"]]
    if certain and certain[-1] is not None:
        last = format_duration(certain[-1])
        made = "1 is made and it" if len(certain) == 1 else f"{len(certain)} are made and the last one"
        yield f"If every attempt takes all of its time, {made} ends after {last}."
