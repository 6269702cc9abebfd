"""Tests of the evidence that is gathered from an object before a code table is used."""

from __future__ import annotations

import json
from typing import Any

import pytest

from resilience import ApiError
from resilience._core.classify.attributes import text_of
from resilience._core.classify.batch_items import failed_items
from resilience._core.classify.bodies import json_body
from resilience._core.classify.code_and_status import code_of
from resilience._core.classify.error_chain import causes_of, contexts_of
from resilience._core.classify.evidence import Evidence, gather_evidence
from resilience._core.policy.codes import Envelope, ItemList


class Shape(Exception):
    """An error with these attributes."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args)
        self.__dict__.update(attributes)


class Answer:
    """A response with these attributes."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)

    def __repr__(self) -> str:
        return f"Answer({', '.join(self.__dict__)})"


class Odd(dict[str, Any]):
    """A mapping whose `get` raises."""

    def get(self, *_: Any) -> Any:
        """Raise."""
        raise RuntimeError("no")


BODY = {"code": "43012", "msg": "m"}
RAW = json.dumps(BODY)


@pytest.mark.parametrize(
    "source",
    [
        BODY,
        Shape(body=BODY),
        Shape(body=RAW),
        Shape(payload=RAW.encode()),
        Shape(error=BODY),
        Shape(data="  " + RAW + " and more"),
        Shape(response=BODY),
        Shape(response=Answer(_content=RAW.encode())),
        Shape(response=Answer(_body=RAW)),
        Shape(response=Answer(_content=3, _body=RAW)),
        Answer(_content=RAW.encode()),
        Shape(_body=RAW.encode()),
        Shape("words", 1, 2, BODY),
        Shape(b"[]", RAW.encode()),
        Shape("it said " + RAW),
        Shape(body=Odd(BODY), payload=BODY),
        Shape(body={"code": None}, payload=BODY),
        Shape(body="{", payload=BODY),
        Shape(body="[1]", payload=RAW),
    ],
    ids=repr,
)
def test_a_code_is_found_in_a_body(source: Any) -> None:
    """A body may be a mapping, a string or bytes, in the error, its response or its text."""
    evidence = gather_evidence(source, ["code"])
    assert (evidence.code, evidence.body) == ("43012", BODY)


class Picky(dict[str, Any]):
    """A mapping whose `get` raises for one key."""

    def get(self, key: str, default: Any = None) -> Any:
        """Raise, or answer."""
        if key == "retCode":
            raise RuntimeError("no")
        return super().get(key, default)


def test_a_key_that_raises_hides_no_other() -> None:
    """The next key is read."""
    assert gather_evidence(Shape(body=Picky(BODY)), ["retCode", "code"]).code == "43012"


@pytest.mark.parametrize(
    "source",
    [
        Shape(1, 2, 3, 4, 5, 6, BODY),
        Shape(_content=3),
        Shape(body=["code"]),
        Shape("[" * 100_000),
        Shape("{" * 100_000),
        Shape(body=" " * 65_536 + RAW),
        Shape(b" " * 65_536 + RAW.encode()),
        Shape("no body"),
        Answer(),
        None,
        7,
    ],
    ids=lambda source: repr(source)[:40],
)
def test_where_no_body_is_found(source: Any) -> None:
    """A body beyond the bounds, or one that is no mapping, is ignored."""
    assert gather_evidence(source, ["code"]).body is None


def test_keys_are_read_in_their_order() -> None:
    """The first of two keys in a body is taken."""
    body = {"code": "1", "retCode": "2"}
    assert gather_evidence(body, ["retCode", "code"]).code == "2"
    assert gather_evidence(body, ["code", "retCode"]).code == "1"
    assert gather_evidence(body, ["error"]).code is None


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (Shape(api_code=40010, body=BODY), "40010"),
        (Shape(api_code="", body=BODY), "43012"),
        (Shape("40010", "m"), "40010"),
        (Shape(40010), "40010"),
        (Shape("400"), None),
        (Shape("4001000"), None),
        (Shape("x", code="40010"), "40010"),
        (Shape("x", code=400), None),
        (Shape("x", code="ENOENT"), None),
        (ApiError("INVALID", "m", {}), "INVALID"),
        (ApiError("123", "m", {}), None),
        (Shape("failed (code=40010): m"), "40010"),
        (Shape("failed code: '40010'"), "40010"),
        (Shape("failed code=400"), None),
        (Shape("failed code=4001000"), "4001000"),
        (Shape("failed code=40010000"), None),
        (Shape("APIError(code=-1021): m"), "-1021"),
        (Shape("m (ErrCode: 110007) (ErrTime: 12:00:00)"), "110007"),
        (Shape("m", retCode=110007), "110007"),
        (Shape(400, -1021, "m", status_code=400, error_code=-1021), "-1021"),
        (Shape("m", status_code=110007), "110007"),
        (Shape("m", status_code="error"), None),
        (Shape("m", code=-13010, status_code=200), "-13010"),
        (Shape("-1021"), "-1021"),
        (Shape("-1"), None),
        (Shape("m", code=-1), None),
        (Shape("m", error_code="E17"), None),
        (OSError(10054, "reset"), None),
        (ConnectionResetError("40010"), "40010"),
        (Answer(code="40010"), None),
    ],
    ids=lambda source: repr(source)[:40],
)
def test_a_code_outside_a_body_has_four_digits_or_more(source: Any, code: str | None) -> None:
    """A shorter number is a status; only an error of the API's own package has a code in letters."""
    assert gather_evidence(source, ["code"]).code == code


def test_candidates_come_in_an_order() -> None:
    """The body's codes come first, then numbers, then words, each once; zeros mean success and come last."""
    error = Shape("4004", body={"code": "0", "sub": "7"}, error_code=-2010, ret_code="-2010", label="LOW")
    evidence = gather_evidence(error, ["code", "sub"])
    assert (evidence.code, evidence.more_codes) == ("7", ("0", "4004", "-2010", "LOW"))
    assert evidence.from_body
    assert gather_evidence(ApiError("7", "m", {"code": "7"}), ["code"]).more_codes == ()


def test_a_list_of_different_codes_is_uncertain() -> None:
    """Some items may have taken effect; what the error says of itself goes first."""
    body = {"data": [{"code": "0"}, {"code": "7"}]}
    evidence = gather_evidence(Shape(body=body), ["data.code"])
    assert (evidence.code, evidence.more_codes, evidence.executed) == ("7", ("0",), "maybe")
    assert gather_evidence(Shape(body=body, resilience_executed="no"), ["data.code"]).executed == "no"
    assert gather_evidence({"data": [{"code": "7"}, {"code": "7"}]}, ["data.code"]).executed is None


@pytest.mark.parametrize(
    ("source", "status"),
    [
        (Shape(status_code=503), 503),
        (Shape(status="503"), 503),
        (Shape(http_status=100), 100),
        (Shape(http_status_code=599), 599),
        (Shape(status_code="x", status=404), 404),
        (Shape(response=Answer(status_code=404)), 404),
        (Shape(response=Answer(status=404)), 404),
        (Shape(response=Answer(http_status=404)), None),
        (Shape(status_code=500, response=Answer(status_code=404)), 500),
        (Shape(code=404), 404),
        (Answer(code=404), None),
        (ApiError("404"), 404),
        (ApiError("404", "m", {"code": "404"}), None),
        (Answer(status_code=404), 404),
        (Shape(status_code=99), None),
        (Shape(status_code=600), None),
        (Shape(status_code="0503"), None),
        (Shape(status_code="50x"), None),
        (Shape(status_code=True), None),
        (Shape(status_code=503.0), None),
        (Shape("x GET https://a.b/c 403 Forbidden"), 403),
        (Shape("x GET https://a.b/c 4030"), None),
        (Shape("x GET https://a.b/c 603"), None),
        (Shape("failed code=404"), 404),
        (Shape("failed code=604"), None),
        (Shape("40010 GET https://a.b/c 403"), 403),
        (Shape("40010", "GET https://a.b/c 403"), None),
        (Shape("GET https://a.b/c 403", status=500), 500),
        (Shape(""), None),
    ],
    ids=lambda source: repr(source)[:50],
)
def test_a_status(source: Any, status: int | None) -> None:
    """The error's status is taken, else the response's, else the one in the text of an error without a code."""
    assert gather_evidence(source, ["code"]).status == status


NOW, THEN = "Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:30 GMT"
AT = 1445412510.0


@pytest.mark.parametrize(
    ("source", "after", "at"),
    [
        (Shape(retry_after=2.5), 2.5, None),
        (Shape(retry_after=0), 0.0, None),
        (Shape(retry_after="3"), 3.0, None),
        (Shape(retry_after=-1), None, None),
        (Shape(retry_after=True), None, None),
        (Shape(retry_after="1" * 33), None, None),
        (Shape(retry_after="1" * 32), float("1" * 32), None),
        (Shape(retry_after=10**400), None, None),
        (Shape(retry_after=float("nan")), None, None),
        (Shape(headers={"RETRY-AFTER": "7"}), 7.0, None),
        (Shape(headers={"other": "7"}), None, None),
        (Shape(response=Answer(headers={"Retry-After": "7"})), 7.0, None),
        (Shape(headers={"Retry-After": "soon"}, response=Answer(headers={"Retry-After": "7"})), 7.0, None),
        (Shape(headers={"Retry-After": THEN}), None, AT),
        (Shape(headers={"Retry-After": THEN, "Date": NOW}), 30.0, AT),
        (Shape(headers={"Retry-After": NOW, "Date": THEN}), 0.0, AT - 30),
        (Shape(headers={"Retry-After": THEN.replace("GMT", "-0000")}), None, AT),
        (Shape(headers={"Retry-After": THEN + " " * 36}), None, None),
        (Shape(headers={"Retry-After": THEN + " " * 35}), None, AT),
        (Shape(headers={"Retry-After": "Wed, 99 Oct 2015 07:28:00 GMT"}), None, None),
        (Shape(headers=["Retry-After"]), None, None),
        (Shape(headers={"a": 1}.items), None, None),
        (Shape("EService: Throttled: 1659146400"), None, 1659146400.0),
        (Shape("banned until 1659146400000."), None, 1659146400.0),
        (Shape("banned until 1659146400123"), None, pytest.approx(1659146400.123)),
        (Shape("unban at: 1659146400"), None, 1659146400.0),
        (Shape("until 2659146400"), None, None),
        (Shape(" " * 1990 + "until 1659146400"), None, None),
        (Shape(" " * 1980 + "until 1659146400"), None, 1659146400.0),
        (Shape("until 1659146400", retry_after=3), 3.0, None),
        (Shape("until 1659146400", headers={"Retry-After": THEN}), None, AT),
        (Shape("banned until 1445412510000", headers={"Date": NOW}), 30.0, AT),
        (Shape(_content=b'{"msg":"IP banned until 1659146400123."}'), None, pytest.approx(1659146400.123)),
        (Shape(response=Answer(_content=b'{"msg":"IP banned until 1659146400"}')), None, 1659146400.0),
        (Shape(_body='{"msg":"until 1659146400"}'), None, 1659146400.0),
        (Shape(_content=b" " * 1990 + b"until 1659146400"), None, None),
        (Shape('busy {"retryAfter": 2.5}'), 2.5, None),
        (Shape(response=Answer(_content=b'{"retry_after":"7"}')), 7.0, None),
        (Shape(_content=b'{"error":{"data":{"retryAfter":1659146400123}}}'), None, pytest.approx(1659146400.123)),
        (Shape(_content=b'{"retryAfter":1445412510}', headers={"Date": NOW}), 30.0, AT),
        (Shape(_content=b'{"retryAfter":50000000000}'), None, None),
        (Shape(_content=b'{"retryAfter":true}'), None, None),
        (Shape(_content=b'{"retryAfter":9}', headers={"Retry-After": "7"}), 7.0, None),
        (Shape(body={"retryAfter": 4}), 4.0, None),
        (Shape(payload={"error": {"retry_after": 4.5}}), 4.5, None),
        (Shape(body={"retryAfter": "soon", "data": ["x"]}), None, None),
        ({"code": 1, "data": {"retryAfter": 6}}, 6.0, None),
    ],
    ids=lambda source: repr(source)[:50],
)
def test_retry_after(source: Any, after: float | None, at: float | None) -> None:
    """Seconds, an HTTP date and the end of a ban in the text are read and never clamped; nonsense is ignored."""
    evidence = gather_evidence(source, ["code"])
    assert (evidence.retry_after, evidence.retry_at) == (after, at)


@pytest.mark.parametrize(
    ("source", "banned"),
    [
        (Shape("IP banned until 1659146400"), True),
        (Shape(_content=b"IP banned until 1659146400", headers={"Retry-After": "7"}), True),
        (Shape("Unban at 1659146400"), True),
        (Shape("maintenance until 1659146400"), False),
        (Shape("banned"), False),
    ],
)
def test_a_ban_is_recognised_by_its_words(source: Any, banned: bool) -> None:
    """A text with an end that speaks of a ban is one, whatever the headers say."""
    assert gather_evidence(source, ["code"]).banned is banned


def test_a_body_that_resists_has_no_wait() -> None:
    """A mapping whose `get` raises is as good as none."""

    class Resisting(dict[str, Any]):
        def get(self, *_: Any) -> Any:
            raise RuntimeError

    assert gather_evidence(Shape(body=Resisting()), []).retry_after is None


class Broken:
    """Headers that cannot be read."""

    def items(self) -> Any:
        """Raise."""
        raise RuntimeError("no")


class Hostile(Exception):
    """An error whose attribute raises."""

    @property
    def body(self) -> Any:
        """Raise."""
        raise RuntimeError("no")


class Loud(str):
    """A string subclass whose `__str__` raises."""

    __slots__ = ()

    def __getitem__(self, _: Any) -> Any:
        raise RuntimeError("no")

    def __str__(self) -> Any:
        return self


class Quiet(Exception):
    """An error without a text."""

    def __str__(self) -> str:
        raise RuntimeError("no")


class Worded(Exception):
    """An error whose text is of a string subclass."""

    def __str__(self) -> str:
        return Loud("words")


def test_an_attribute_that_raises_counts_as_absent() -> None:
    """The rest of the object is still read."""
    evidence = gather_evidence(Shape(headers=Broken(), status=500), ["code"])
    assert evidence._replace(class_names=()) == Evidence(status=500)
    assert gather_evidence(Hostile("40010"), ["code"]).code == "40010"
    assert (text_of(Quiet()), text_of(Worded()), type(text_of(Worded()))) == ("", "words", str)


@pytest.mark.parametrize("value", [True, "yes", 1, None])
def test_a_class_made_from_the_status_is_marked_by_true_alone(value: object) -> None:
    """Any other value of the attribute is foreign, and says nothing."""
    error = RuntimeError("404")
    error.resilience_from_status = value  # type: ignore[attr-defined]
    assert gather_evidence(error, ["code"]).from_status is (value is True)


def test_the_text_is_bounded() -> None:
    """A long text is cut."""
    assert len(text_of(Shape("x" * 70_000))) == 65_536
    assert gather_evidence(Answer(), ["code"]).text == ""
    assert gather_evidence(Shape("words"), ["code"]).text == "words"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("00001", "00001"), (" 7 ", "7"), ("", None), ("  ", None), ("x" * 100, "x" * 100), ("x" * 101, None), (7, "7"),
        (-7, "-7"), (10**18 - 1, "9" * 18), (10**18, None), (-(10**18), None), (True, None), (1.5, None), (None, None),
    ],
)  # fmt: skip
def test_codes_are_strings(value: Any, code: str | None) -> None:
    """Leading zeros stay; a value that is too long or no code is None."""
    assert code_of(value) == code


def test_the_items_of_a_batch_that_failed() -> None:
    """Only mappings in a list under a path of the table count; the first path that has some is taken."""
    apart, mixed = (
        ItemList(at=("data", "failed"), code="code"),
        ItemList(at=("data",), code="c", message="m", mixed=True),
    )
    table = Envelope(code="code", success=frozenset({"0"}), failures=(apart, mixed))
    assert failed_items({"data": {"failed": [{"code": 1}, 2]}}, table) == (apart, [{"code": 1}], False)
    rows = [{"c": "0", "m": ""}, {"c": 7, "m": "no"}, {"c": 8}, {"m": "?"}, "x"]
    assert failed_items({"data": rows}, table) == (mixed, [{"c": 7, "m": "no"}], False)
    assert failed_items({"data": rows[1:2]}, table) == (mixed, [{"c": 7, "m": "no"}], True)
    for body in (None, {}, {"data": []}, {"data": rows[:1]}, {"data": {"failed": {"code": 1}}}):
        assert failed_items(body, table) is None
    assert failed_items({"data": {"failed": [{"code": 1}]}}, None) is None
    assert failed_items({"data": rows}, table, longest_batch=4) is None
    assert failed_items({"data": {"failed": [{"code": 1}] * 5}}, table, longest_batch=4) is not None
    assert json_body(Answer(_content="[1]")) is None


def test_where_an_error_came_from() -> None:
    """Cause, group members, reason and arguments, nearest first, each once; contexts are separate."""
    cause, context, reason, argument, member = (Shape(name) for name in ("cause", "context", "reason", "arg", "member"))
    shape = Shape(1, argument, cause, reason=reason)
    shape.__cause__, shape.__context__ = cause, context
    assert (causes_of(shape), contexts_of(causes_of(shape))) == ([shape, cause, reason, argument], [])
    shape.__suppress_context__ = False
    assert (causes_of(shape), contexts_of(causes_of(shape))) == ([shape, cause, reason, argument], [context])
    older = Shape("older")
    context.__context__, older.__context__ = older, shape
    assert contexts_of(causes_of(shape)) == [context, older]
    group = ExceptionGroup("several", [member, cause])
    assert causes_of(group) == [group, member, cause]
    assert causes_of(Shape(1, 2, 3, 4, argument))[1:] == []
    assert causes_of("text") == ["text"]


def test_a_long_chain_is_cut() -> None:
    """The walk ends after 32 errors, and in a cycle after one round."""
    first = last = Shape("0")
    for number in range(40):
        last.__cause__ = Shape(str(number))
        last = last.__cause__
    assert len(causes_of(first)) == 32
    assert len(causes_of(ExceptionGroup("many", [Shape(str(number)) for number in range(40)]))) == 32
    first.__cause__ = first
    assert causes_of(first) == [first]


@pytest.mark.parametrize("code", ["1", "12", "43012", "NoSuchCode"])
def test_the_word_of_an_api_error_is_a_code(code: str) -> None:
    """It says outright what its code is, without a body and however short; another class may mean an exit status."""
    assert gather_evidence(ApiError(code), ()).code == code
    assert gather_evidence(Shape("refused", code="1"), ()).code is None


class Guarded:
    """A response whose own attributes read from a socket."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


def test_a_response_of_a_client_that_nobody_knows() -> None:
    """What an integration has put on it is read, and nothing else of it."""
    body = json.dumps({"code": "40001"}).encode()
    marks = {"resilience_status": 503, "resilience_headers": {"retry-after": "7"}, "resilience_body": body}
    evidence = gather_evidence(Guarded(**marks), ("code",))
    assert (evidence.status, evidence.retry_after, evidence.code) == (503, 7.0, "40001")
    assert json_body(Answer(resilience_body=body)) == {"code": "40001"}
