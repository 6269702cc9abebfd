"""Tests of envelopes: which bodies have all that every answer of an API has."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import CodeRegistry
from resilience._core.classify.evidence import gather_evidence
from resilience._core.policy.codes import Envelope


class Hostile(dict[str, Any]):
    """A mapping that raises whatever it is asked."""

    def get(self, *_: Any) -> Any:
        """Raise."""
        raise RuntimeError("no")

    def __contains__(self, _key: object) -> bool:
        raise RuntimeError("no")


RPC = Envelope("error.code", "error.message", always=("jsonrpc",))
LISTED = Envelope("error.code")
OKX = Envelope("data.sCode", "data.sMsg", other_codes=("code",), other_messages=("msg",))


@pytest.mark.parametrize(
    ("envelope", "body", "complete"),
    [
        (Envelope("code"), {"code": 1}, True),
        (Envelope("code"), {"code": None}, True),
        (Envelope("code"), {}, False),
        (Envelope("code"), Hostile(code=1), False),
        (Envelope("code", "msg"), {"code": 1}, False),
        (Envelope("code", "msg"), {"code": 1, "msg": ""}, True),
        (Envelope("code", "msg"), {"code": 1, "message": "m"}, False),
        (Envelope("code", always=("time", "id")), {"code": 1, "time": 2}, False),
        (Envelope("code", always=("time", "meta.id")), {"code": 1, "time": None, "meta": {"id": 3}}, True),
        (RPC, {"jsonrpc": "2.0", "error": {"code": 1, "message": "m"}}, True),
        (RPC, {"error": {"code": 1, "message": "m"}}, False),
        (RPC, {"jsonrpc": "2.0", "error": {"code": 1}}, False),
        (RPC, {"jsonrpc": "2.0", "error": {"message": "m"}}, False),
        (LISTED, {"error": ["EOrder:Insufficient funds"], "result": {}}, True),
        (LISTED, {"error": []}, True),
        (LISTED, {"error": "a word"}, True),
        (LISTED, {"error": {"text": "m"}}, False),
        (LISTED, {"result": {}}, False),
        (OKX, {"code": "1", "msg": "all failed", "data": [{"sCode": "51008", "sMsg": "funds"}]}, True),
        (OKX, {"code": "50011", "msg": "too many", "data": []}, True),
        (OKX, {"code": "50011", "message": "too many"}, False),
    ],
)
def test_which_bodies_are_complete(envelope: Envelope, body: dict[str, Any], complete: bool) -> None:
    """The place of the code, the message where the API sends one, and every field that it always sends are there."""
    assert envelope.is_complete(body) is complete


@pytest.mark.parametrize(
    ("table", "body", "complete"),
    [
        ("bitget", {"code": "43012", "msg": "Insufficient balance", "requestTime": 1695808949356, "data": None}, True),
        ("bitget", {"code": "43012", "msg": "Insufficient balance", "requestTime": 1}, True),
        ("bitget", {"code": "429", "msg": "Too Many Requests"}, False),
        ("bitget", {"code": 503, "message": "upstream timed out", "requestTime": 1}, False),
        ("bitget-ws", {"event": "error", "code": 30005, "msg": "error"}, True),
        ("bitget-ws", {"code": 429, "msg": "too many"}, False),
    ],
)
def test_bitgets_own_answers(table: str, body: dict[str, Any], complete: bool) -> None:
    """Every REST answer of Bitget has its time, and every frame its event; a gateway's JSON has neither."""
    envelope = CodeRegistry.builtin(table).envelope
    assert envelope is not None
    assert envelope.is_complete(body) is complete


class SdkError(Exception):
    """An error with these attributes."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args)
        self.__dict__.update(attributes)


@pytest.mark.parametrize(
    ("error", "from_body"),
    [
        (SdkError(body={"code": "43012"}), True),
        (SdkError('venue {"code": "43012"}'), True),
        (SdkError(api_code="43012", body={"code": "43012"}), True),
        (SdkError(api_code="43012", body={"code": "00000"}), False),
        (SdkError("43012"), False),
        (SdkError(code=43012), False),
        (SdkError("no code"), False),
    ],
    ids=repr,
)
def test_evidence_says_whether_a_body_has_the_code(error: Exception, from_body: bool) -> None:
    """A code that only an attribute or a text has proves less than one in a body."""
    assert gather_evidence(error, ["code"]).from_body is from_body


@pytest.mark.parametrize(
    ("envelope", "body"),
    [
        (Envelope("code"), {"code": "7"}),
        (Envelope("code", "msg", always=("time",)), {"time": None, "msg": "m", "code": "7"}),
        (RPC, {"jsonrpc": None, "error": {"message": "m", "code": "7"}}),
        (Envelope("error.code", always=("error",)), {"error": {"code": "7"}}),
        (Envelope("error", always=("error.id",)), {"error": {"id": None}}),
    ],
)
def test_a_body_is_made_for_a_code(envelope: Envelope, body: dict[str, Any]) -> None:
    """A body made for a code has everything that an answer of this API has; a mapping that is there already stays."""
    assert envelope.body_with("7", "m") == body
