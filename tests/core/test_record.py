"""The record that an error carries: what `json` and `pickle` make of it, and what is read back."""

from __future__ import annotations

import json
import pickle

from hypothesis import given
from hypothesis import strategies as st

from resilience import Category, Failure
from resilience._core.classify.record import Record, read_record

TEXTS = st.text(max_size=5)
FAILURES = st.builds(
    Failure,
    st.sampled_from(Category),
    code=st.none() | TEXTS,
    names=st.lists(TEXTS, max_size=2).map(tuple),
    executed=st.sampled_from(["no", "maybe", "n_a"]),
    retry_after=st.none() | st.floats(0, 10),
    remedy=TEXTS,
    attempts=st.integers(0, 5),
    key=st.none() | TEXTS,
    banned=st.booleans(),
)


@given(FAILURES, st.lists(FAILURES, max_size=2), st.booleans())
def test_a_record_survives_json_and_pickle(failure: Failure, items: list[Failure], gave_up: bool) -> None:
    """Single items of a batch too."""
    whole = Failure(failure.category, code=failure.code, items=tuple(items))
    for one in (failure, whole):
        record = Record(one, gave_up=gave_up)
        for plain in (json.loads(json.dumps(record)), pickle.loads(pickle.dumps(record))):
            back = read_record(plain)
            assert back is not None
            assert (back.failure, back.gave_up) == (one, gave_up)


def test_a_record_without_a_failure() -> None:
    """The failure of a rejection is made when it is read."""
    back = read_record(json.loads(json.dumps(Record(None))))
    assert back is not None
    assert back.failure is None


def test_a_record_is_read_as_it_is() -> None:
    """No copy is made."""
    record = Record(None)
    assert read_record(record) is record
    assert read_record({"failure": 5, "gave_up": True}) is None
