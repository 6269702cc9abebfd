"""Each SDK keeps the API's code in another attribute, argument or text of its exceptions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience import ApiError, Classifier, CodeRegistry

TABLE = CodeRegistry.from_mapping(
    "venue",
    {
        "envelope": {"code": "code", "message": "msg", "success": ["0"]},
        "rules": {
            "-1021": {"category": "retryable", "executed": "no", "hint": "resync_clock"},
            "-2010": {"category": "user_fixable", "executed": "no"},
            "-1": {"category": "fatal", "executed": "no"},
            "110007": {"category": "user_fixable", "executed": "no"},
            "3100116": {"category": "user_fixable", "executed": "no"},
            "BALANCE_LOW": {"category": "user_fixable", "executed": "no"},
            "503": {"category": "fatal", "executed": "no"},
            "10054": {"category": "fatal", "executed": "no"},
        },
    },
)


class SdkError(Exception):
    """An error with these arguments and attributes, and a text of its own if it is given one."""

    def __init__(self, *args: Any, text: str | None = None, **attributes: Any) -> None:
        super().__init__(*args)
        self._text = text
        self.__dict__.update(attributes)

    def __str__(self) -> str:
        return super().__str__() if self._text is None else self._text


class Response:
    """A response whose body is read."""

    def __init__(self, status_code: int, body: Any) -> None:
        self.status_code, self._content = status_code, json.dumps(body).encode()


LATE = {"code": -1021, "msg": "Clock is ahead"}
SHAPES = {
    "status, code, message, headers": (
        SdkError(400, -1021, "ahead", {}, None, status_code=400, error_code=-1021),
        "-1021",
    ),
    "code and its own text": (SdkError(code=-2010, status_code=400, text="APIError(code=-2010): funds"), "-2010"),
    "with a response": (SdkError(code=-1021, response=Response(400, LATE), text="x"), "-1021"),
    "a status that is none": (SdkError("m (ErrCode: 110007) (ErrTime: 1:2:3)", status_code=110007), "110007"),
    "only its text": (Exception("funds (ErrCode: 110007) (ErrTime: 12:00:00).\nRequest: POST https://x/y."), "110007"),
    "a long code": (SdkError(status_code=3100116), "3100116"),
    "APIError in a text": (Exception("APIError(code=-1021): Clock is ahead"), "-1021"),
    "retCode": (SdkError("m", retCode=110007), "110007"),
    "ret_code": (SdkError("m", ret_code="110007"), "110007"),
    "errorCode": (SdkError("m", errorCode=-2010), "-2010"),
    "err_code": (SdkError("m", err_code=-2010), "-2010"),
    "a short negative code": (SdkError("m", error_code=-1), "-1"),
    "a label": (SdkError("m", status=400, label="BALANCE_LOW"), "BALANCE_LOW"),
    "a word as its code": (SdkError("m", code="BALANCE_LOW"), "BALANCE_LOW"),
    "json among the arguments": (SdkError(400, json.dumps(LATE), text="failed"), "-1021"),
    "bytes among the arguments": (SdkError(400, json.dumps(LATE).encode(), text="failed"), "-1021"),
    "a mapping among the arguments": (SdkError("failed", LATE), "-1021"),
    "json in the text": (SdkError("venue POST https://x/y 400 " + json.dumps(LATE)), "-1021"),
    "json as the body": (SdkError("m", status=400, body=json.dumps(LATE)), "-1021"),
    "an unknown code in a body beside a known one": (SdkError("m", body={"code": "77"}, error_code=-2010), "-2010"),
    "an error of the library": (ApiError("-1021", "m"), "-1021"),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("is_cause", [False, True])
def test_the_code_is_found(shape: str, is_cause: bool) -> None:
    """Wherever the code is, its row explains the error, also where the bot raised its own error from it."""
    error, code = SHAPES[shape]
    outcome = error
    if is_cause:
        outcome = RuntimeWarning("the bot failed")
        outcome.__cause__ = error
    failure = Classifier([TABLE]).classify(outcome)
    rule = TABLE.rule(code)
    assert rule is not None
    assert (failure.code, failure.known, failure.category, failure.hint) == (code, True, rule.category, rule.hint)


@pytest.mark.parametrize(
    "error",
    [
        SdkError("m", code=503),
        SdkError("m", status_code=503),
        SdkError("m", error_code="503"),
        Exception("failed (code=503)"),
        SdkError("m", code="ENOENT"),
        SdkError("m", code=1),
        SdkError("m", status="BALANCE_LOW"),
        ConnectionResetError(10054, "reset by the other side"),
        SdkError("m", code=True, error_code=1.5, ret_code=10**30, label=b"BALANCE_LOW"),
    ],
    ids=repr,
)
def test_what_is_no_code(error: Exception) -> None:
    """Three digits are an HTTP status; words of other APIs, numbers of the system and other types are no codes."""
    assert Classifier([TABLE]).classify(error).registry != "venue"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["code", "error", "x"]), inner),
    max_leaves=8,
)
NAMES = st.sampled_from(["code", "error_code", "status_code", "label", "body", "error", "args", "response", "retCode"])


@given(st.lists(VALUES, max_size=6), st.dictionaries(NAMES, VALUES, max_size=6), VALUES)
def test_nothing_raises(args: list[Any], attributes: dict[str, Any], result: Any) -> None:
    """Whatever an error or a result holds, it is classified."""
    attributes.pop("args", None)
    paths = {"code": ["error.code", "code", "error"], "message": "msg", "always": ["x.code"], "success": ["0"]}
    nested = CodeRegistry.from_mapping("nested", {"envelope": paths, "rules": {"7": {"category": "fatal"}}})
    classifier = Classifier([nested, TABLE])
    assert classifier.classify(SdkError(*args, **attributes)).category
    assert classifier.classify(result).category
    error = classifier.error_in(result)
    assert error is None or isinstance(error.code, str)
