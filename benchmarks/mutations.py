"""The exactly-once rule with one clause taken out at a time: which drill notices?

    python -m benchmarks.mutations [--json]

Each row is a mutation; the drills that it fails are listed. A mutation that no drill notices would
mean a clause that nothing holds.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from resilience._core.call.reconcile import Found, NotFound, UncertainWrite
from resilience._core.call.recovery import Recovery

from .clients import OURS
from .drills import DRILLS, ends

__all__ = ["MUTATIONS", "caught"]


@contextmanager
def no_fence() -> Iterator[None]:
    """ "Not found" is believed at once."""
    with patch.object(UncertainWrite, "_is_past_fence", lambda *_: True):
        yield


@contextmanager
def fence_from_the_first_send() -> Iterator[None]:
    """Only the first attempt that was ever in doubt has a fence."""
    first: dict[int, tuple[Any, ...]] = {}
    attempt_opened: Callable[..., None] = UncertainWrite.attempt_opened

    def once(self: UncertainWrite, **given: Any) -> None:
        attempt_opened(self, **first.setdefault(id(self), given))

    with patch.object(UncertainWrite, "attempt_opened", once):
        yield


@contextmanager
def clients_clock() -> Iterator[None]:
    """The client's own clock stands for the server's time of an answer."""
    judge = UncertainWrite.judge

    def by_own(self: UncertainWrite, answer: Found | NotFound, **given: Any) -> Any:
        if isinstance(answer, NotFound):
            answer = NotFound(time.time() + AHEAD)
        return judge(self, answer, **given)

    with patch.object(UncertainWrite, "judge", by_own):
        yield


AHEAD = 0.0
"""Seconds by which the client's clock is ahead in the drills under way; the drills tell it."""


@contextmanager
def no_field_match() -> Iterator[None]:
    """An order under the key is ours, whatever its fields."""
    judge = UncertainWrite.judge

    def any_fields(self: UncertainWrite, answer: Found | NotFound, **given: Any) -> Any:
        return judge(self, replace(answer, matches=True) if isinstance(answer, Found) else answer, **given)

    with patch.object(UncertainWrite, "judge", any_fields):
        yield


@contextmanager
def no_last_query() -> Iterator[None]:
    """A later "no" is told without one more look."""
    finish = Recovery._finish

    def at_once(self: Recovery, *given: Any) -> Any:
        self._is_last_lookup = True
        return finish(self, *given)

    with patch.object(Recovery, "_finish", at_once):
        yield


MUTATIONS = {
    "no fence": no_fence,
    "fence from the first send": fence_from_the_first_send,
    "client's clock": clients_clock,
    "no field match": no_field_match,
    "no last query after a later no": no_last_query,
}


def caught(name: str | None) -> dict[str, str]:
    """Return what the drills find wrong under a mutation, or under the rule as it is."""
    client = next(one for one in OURS if one.name == "BitgetClient")
    if name is None:
        return ends(client, "spot", DRILLS)
    with MUTATIONS[name]():
        return ends(client, "spot", DRILLS)


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--json", action="store_true")
    given = options.parse_args()
    found = {name or "the rule as it is": caught(name) for name in (None, *MUTATIONS)}
    if given.json:
        print(json.dumps(found, indent=1))
        return
    print("| mutation | drills that notice |\n|---|---|")
    for name, problems in found.items():
        print(f"| {name} | " + ("; ".join(f"{drill}: {what}" for drill, what in problems.items()) or "none") + " |")


if __name__ == "__main__":
    main()
