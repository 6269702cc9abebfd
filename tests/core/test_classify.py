"""Tests of the package classify that belong to several of its modules."""

from __future__ import annotations

from resilience._core.classify.nested_codes import deciding_code
from resilience._core.policy.answer_envelope import Envelope


def test_the_code_that_decides() -> None:
    """The first failure, else the first code, else none."""
    envelope = Envelope("data.code", success=frozenset({"0"}))
    assert deciding_code({"data": [{"code": "0"}, {"code": "7"}]}, envelope) == "7"
    assert deciding_code({"data": [{"code": "0"}]}, envelope) == "0"
    assert deciding_code({}, envelope) is None


def test_a_body_with_a_code() -> None:
    """It is complete, whatever the envelope asks for."""
    for envelope in (
        Envelope("code"),
        Envelope("error.code", "error.message", always=("error.id", "time")),
        Envelope("code", "msg", always=("data",)),
    ):
        assert envelope.is_complete(envelope.body_with("7", "m"))
