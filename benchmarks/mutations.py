"""Removes one clause of the exactly-once rule at a time and shows which order drills notice it.

    python -m benchmarks.mutations [--json]

Each row is a mutation with the drills that fail under it. If no drill failed, nothing would protect that clause.
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

from resilience._core.call.lookup_answer import Found, NotFound
from resilience._core.call.reconcile import UncertainWrite, _OpenAttempt
from resilience._core.call.recovery import Recovery

from .clients import OURS
from .drills import DRILLS, find_problems

__all__ = ["MUTATIONS", "problems_under"]


@contextmanager
def no_fence() -> Iterator[None]:
    """Take "not found" as proof at once."""
    with patch.object(_OpenAttempt, "is_past", lambda *_: True):
        yield


@contextmanager
def fence_from_the_first_send() -> Iterator[None]:
    """Compute the fence from the first uncertain attempt, although a later one was sent."""
    # By the identity of the object: the mutation has no place to store it in.
    first: dict[int, tuple[Any, ...]] = {}
    attempt_opened: Callable[..., None] = UncertainWrite.attempt_opened

    def once(self: UncertainWrite, **arguments: Any) -> None:
        attempt_opened(self, **first.setdefault(id(self), arguments))

    with patch.object(UncertainWrite, "attempt_opened", once):
        yield


@contextmanager
def clients_clock() -> Iterator[None]:
    """Use the client's clock in place of the server's time of an answer."""
    judge = UncertainWrite.judge

    def judge_by_own_clock(self: UncertainWrite, answer: Found | NotFound, **arguments: Any) -> Any:
        if isinstance(answer, NotFound):
            answer = NotFound(time.time())
        return judge(self, answer, **arguments)

    with patch.object(UncertainWrite, "judge", judge_by_own_clock):
        yield


@contextmanager
def no_field_match() -> Iterator[None]:
    """Take an order under the key as ours, whatever its fields are."""
    judge = UncertainWrite.judge

    def judge_any_fields(self: UncertainWrite, answer: Found | NotFound, **arguments: Any) -> Any:
        return judge(self, replace(answer, matches=True) if isinstance(answer, Found) else answer, **arguments)

    with patch.object(UncertainWrite, "judge", judge_any_fields):
        yield


@contextmanager
def no_last_query() -> Iterator[None]:
    """Report a later "no" without a last lookup."""
    finish = Recovery._finish

    def finish_at_once(self: Recovery, *arguments: Any) -> Any:
        self._is_last_lookup = True
        return finish(self, *arguments)

    with patch.object(Recovery, "_finish", finish_at_once):
        yield


MUTATIONS = {
    "no fence": no_fence,
    "fence from the first send": fence_from_the_first_send,
    "client's clock": clients_clock,
    "no field match": no_field_match,
    "no last query after a later no": no_last_query,
}


def problems_under(mutation: str | None) -> dict[str, str]:
    """Return the problems that the drills find under a mutation; None is the rule as it is."""
    client = next(client for client in OURS if client.name == "BitgetClient")
    if mutation is None:
        return find_problems(client, "spot", DRILLS)
    with MUTATIONS[mutation]():
        return find_problems(client, "spot", DRILLS)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    results = {name or "the rule as it is": problems_under(name) for name in (None, *MUTATIONS)}
    if options.json:
        print(json.dumps(results, indent=1))
        return
    print("| mutation | drills that notice |\n|---|---|")
    for name, problems in results.items():
        print(f"| {name} | " + ("; ".join(f"{drill}: {text}" for drill, text in problems.items()) or "none") + " |")


if __name__ == "__main__":
    main()
