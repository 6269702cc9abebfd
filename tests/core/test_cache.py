"""Tests of the answers that the stage cache keeps, and of what it says of itself."""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import Any

import pytest

from resilience import Policy
from resilience._core.policy.policy_set import OperationSettings
from resilience._core.policy.sections import CacheSettings
from resilience._core.stages.built_in_stage import StageView
from resilience._core.stages.cache import MISSING, CacheStage, KeptAnswers
from resilience._core.stages.call_key import CallKey
from resilience._core.stages.flowchart import Flowchart

STAGE = CacheStage()


class Owner:
    """Something that has weak references."""


def test_an_answer_is_found_while_it_is_young_enough() -> None:
    """An answer of exactly the longest age is too old, and is dropped."""
    kept, call = KeptAnswers(CacheSettings(max_age=2)), CallKey(Owner(), "k")
    assert kept.find(call, 0.0) is MISSING
    kept.keep(call, None, 1.0)
    assert kept.find(call, 2.9) is None
    assert kept.find(call._replace(key="other"), 2.0) is MISSING
    assert (kept.find(call, 3.0), len(kept)) == (MISSING, 0)


def test_owners_are_compared_by_identity_and_entries_end_with_them() -> None:
    """A number that a later object gets again finds nothing of the earlier one."""
    kept, owner = KeptAnswers(CacheSettings()), Owner()
    kept.keep(CallKey(owner, "k"), [1], 0.0)
    assert kept.find(CallKey(Owner(), "k"), 0.0) is MISSING
    number = id(owner)
    entry = kept._owners[number]
    del owner
    gc.collect()
    assert (len(kept), kept._owners) == (0, {})
    other = Owner()
    kept._owners[id(other)] = entry  # as if its number had been that of the earlier owner
    assert kept.find(CallKey(other, "k"), 0.0) is MISSING
    kept.keep(CallKey(other, "k"), "new", 0.0)
    assert kept.find(CallKey(other, "k"), 0.0) == "new"


def test_what_cannot_be_kept() -> None:
    """An answer that is no plain data, and one of an owner without weak references."""
    kept = KeptAnswers(CacheSettings())
    kept.keep(CallKey(Owner(), "k"), object(), 0.0)
    kept.keep(CallKey(5, "k"), "answer", 0.0)
    assert len(kept) == 0


def test_the_number_of_answers_is_bounded() -> None:
    """The one that was stored first goes first; storing it again makes it the newest."""
    kept, owner = KeptAnswers(CacheSettings(max_entries=2)), Owner()
    for key in ("a", "b", "a", "c"):
        kept.keep(CallKey(owner, key), key, 0.0)
    assert [kept.find(CallKey(owner, key), 0.0) for key in "abc"] == ["a", MISSING, "c"]


def test_what_it_describes() -> None:
    """The limits and the operations of one's own code; None where it is off."""
    view = StageView(Policy(cache={"max_age": "2s"}), None, None, (), None, None, 0.0)  # type: ignore[arg-type]
    described = {"cache": {"max_age": 2.0, "max_entries": 1000, "operations": []}}
    assert STAGE.describe(view) == described
    assert STAGE.describe(replace(view, policy=Policy())) == {"cache": None}


def said(idempotent: bool | None, **cache: Any) -> list[str]:
    """Return the sentences about these settings."""
    described = {"cache": {"max_age": 2.0, "max_entries": 9, "operations": [], **cache}, "idempotent": idempotent}
    return list(STAGE.sentences(described))


def test_what_it_says() -> None:
    """What is kept and what is not; nothing where it is off."""
    plain = "Answers that are no plain data, such as HTTP responses and streams, are not kept."
    assert said(None) == ["Answers of reads are kept for 2s, the last 9 of each client and operation.", plain]
    assert said(True, operations=["get_*"])[0].startswith("Answers of reads and of get_* are kept")
    assert said(False) == ["No answer is kept: it is a write."]
    assert list(STAGE.sentences({"cache": None})) == []


@pytest.mark.parametrize(
    ("cache", "idempotent", "drawn"), [(True, None, True), (True, False, False), (False, True, False)]
)
def test_what_it_draws(cache: bool, idempotent: bool | None, drawn: bool) -> None:
    """A question before the checks of an attempt."""
    chart = Flowchart()
    STAGE.diagram({"cache": {"max_age": 2.0} if cache else None, "idempotent": idempotent}, chart)
    assert ("cached" in chart.nodes, chart.last == "cached") == (drawn, drawn)


def test_a_policy_of_writes_has_no_use_for_it() -> None:
    """A warning where each entry with the policy is a write; none where there is no entry, a read, or no cache."""
    write = OperationSettings(match="create_order", policy="p", key="id")
    other = OperationSettings(match="cancel_*", policy="p", idempotent=False)
    read = OperationSettings(match="get_*", policy="p", idempotent=True)
    cached, plain = Policy(cache={}), Policy()  # type: ignore[arg-type]
    (warning,) = STAGE.operation_warnings(cached, [write, other])
    assert warning[0] == ("cache",)
    for policy, entries in ((cached, [write, read]), (cached, []), (plain, [write])):
        assert list(STAGE.operation_warnings(policy, entries)) == []
