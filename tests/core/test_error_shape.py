"""Tests of the keys of errors, and that an error is classified by its key as it would be without one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ccxt
import httpx
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from resilience import ApiError, Classifier, CodeRegistry, DeadlineExceededError
from resilience._core.classify import error_shape
from resilience._core.classify.error_shape import shape_of

TABLES = [CodeRegistry.builtin(name) for name in ("bitget", "ccxt", "http")]


class SdkError(Exception):
    """An error of an SDK with attributes of its own."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args)
        self.__dict__.update(attributes)


class Constant(Exception):
    """Its class says the code."""

    code = "40725"
    resilience_executed: str | None = None


class Slotted(Exception):
    """It has its code in a slot."""

    __slots__ = ("code",)


class Worded(SdkError):
    """Its text is its own."""

    def __str__(self) -> str:
        return f"{{'code': {getattr(self, 'code', 0)}}} {len(self.args)}"


class Dynamic(Exception):
    """It computes its attributes."""

    def __getattr__(self, name: str) -> Any:
        if name == "code":
            return "43012"
        raise AttributeError(name)


class Computed(Exception):
    """Its code is a property."""

    code = property(lambda self: str(self.args[0]) if self.args else None)


class Meta(type):
    """A metaclass, which may do anything."""


class Odd(Exception, metaclass=Meta):
    """A class of a metaclass."""


class Impostor(Exception):
    """It has another dict than it shows."""

    __dict__: Any = property(lambda _: {"code": "43012"})  # type: ignore[assignment]


CLASSES: list[Any] = [
    SdkError, Worded, Constant, Dynamic, Computed, Odd, ConnectionResetError, TimeoutError, OSError, ValueError,
    KeyError, requests.ConnectionError, requests.ReadTimeout, ccxt.ExchangeError, ccxt.BadRequest,
    ccxt.RateLimitExceeded, Exception,
]  # fmt: skip
TEXTS = st.sampled_from(
    [
        "", "no", "40725", "43012", "429", "GET https://api.example.com/x 503", 'bitget {"code":"40725","msg":"m"}',
        "banned until 1659146400000", '{"retryAfter": 3}', "code=43012", "bitget invalid symbol",
        "<a at 0x7f00aa11bb22> lost", "<a at 0x7f00aa11bb33> lost",
    ]
)  # fmt: skip
SCALARS = st.one_of(TEXTS, st.sampled_from([None, True, False, 0, 1, 1.0, 2, 111, 429, 503, 40725, 2.5, float("nan")]))
VALUES = st.one_of(SCALARS, st.sampled_from([{"code": "43012", "msg": "m"}, {}, b'{"code": "40725"}', [1]]))
ATTRIBUTES = st.sampled_from(
    [
        "code", "status", "status_code", "body", "payload", "response", "retry_after", "_retry_after", "error_code",
        "resilience_executed", "resilience_registry", "resilience_status", "resilience_code", "reason", "errno",
        "headers", "label", "other",
    ]
)  # fmt: skip


@st.composite
def errors(draw: st.DrawFn, depth: int = 1) -> BaseException:
    """Draw an error of some class, with arguments, attributes, and what it has come from."""
    nested = [errors(depth - 1)] if depth else []
    error: BaseException = draw(st.sampled_from(CLASSES))(*draw(st.lists(st.one_of(VALUES, *nested), max_size=3)))
    for name, value in draw(st.dictionaries(ATTRIBUTES, st.one_of(VALUES, *nested), max_size=3)).items():
        try:
            setattr(error, name, value)
        except (AttributeError, TypeError):
            continue
    if depth and draw(st.booleans()):
        error.__cause__ = draw(errors(depth - 1))
    if depth and draw(st.booleans()):
        error.__context__ = draw(errors(depth - 1))
    error.__suppress_context__ = draw(st.booleans())
    return error


@settings(max_examples=40, deadline=None)
@given(st.lists(errors(), min_size=1, max_size=4), st.sampled_from([None, "bitget", "okx"]))
def test_what_is_remembered_is_what_would_be_found(drawn: list[BaseException], registry: str | None) -> None:
    """Whatever errors come in whatever order: each means what it means to a classifier that has met no other."""
    classifier = Classifier(TABLES, lookup=CodeRegistry.builtin)
    for error in (*drawn, *drawn):
        fresh = classifier._classified(error, registry, {})
        assert repr(classifier.classify(error, registry=registry)) == repr(fresh)  # two NaN are not equal


@pytest.mark.parametrize(
    "error",
    [
        Dynamic(), Computed("43012"), Odd(), Impostor(), {"code": "1"}, DeadlineExceededError(), KeyboardInterrupt(),
        ExceptionGroup("several", [ValueError()]), SdkError(body={}), SdkError({}), SdkError(b"x"), SdkError("x" * 600),
        SdkError(code="x" * 600), SdkError(ValueError(), code="x" * 600), SdkError(*range(50)), requests.HTTPError([]),
    ],
)  # fmt: skip
def test_without_a_key(error: object) -> None:
    """What may run code when it is read, or is no plain value, is looked at anew each time."""
    assert shape_of(error) is None


def test_no_key_of_what_raises_while_it_is_read() -> None:
    """The classifier answers all the same."""

    class Broken(Exception):
        def __init__(self) -> None:
            super().__init__()
            self.args = (Hostile(),)

    class Hostile:
        @property  # type: ignore[misc]  # the point of this test
        def __class__(self) -> type:
            raise RuntimeError("no")

    assert shape_of(Broken()) is None
    assert not Classifier(TABLES).classify(Broken()).known


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (SdkError(1), SdkError(True)),
        (SdkError(1), SdkError(1.0)),
        (SdkError(code=1), SdkError(status=1)),
        (SdkError("a"), Exception("a")),
        (OSError(111, "a"), OSError(112, "a")),
        (SdkError('{"at": "<a at 0x7f00aa11bb22>"}'), SdkError('{"at": "<a at 0x7f00aa11bb33>"}')),
    ],
)
def test_errors_that_differ_have_different_keys(one: Exception, other: Exception) -> None:
    """In the class of a value, in the name of an attribute, in the class, in what an error of the system says."""
    assert shape_of(one) is not None
    assert shape_of(one) != shape_of(other)


def test_addresses_of_objects_make_no_difference() -> None:
    """Clients write the `repr` of a connection into their texts: each would be an error of its own."""
    one, other = (SdkError(requests.ConnectionError(f"<Conn at 0x7f00aa11{end}>: lost")) for end in ("bb22", "cc33"))
    assert shape_of(one) == shape_of(other) is not None


def response(
    status: int, body: bytes, *, library: str = "requests", url: str = "https://x.example/y?sign=1", **headers: str
) -> Any:
    """A response of a client whose body is read."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if library == "httpx":
        return httpx.Response(status, headers=named, content=body, request=httpx.Request("GET", url))
    made = requests.Response()
    made.status_code, made.url, made._content = status, url, body
    made.headers.update(named)
    return made


DATE = "Mon, 30 Nov 2026 10:00:00 GMT"
BODIES = [b"", b'{"code":"40725","msg":"m"}', b"banned until 1796032860000", b'{"retryAfter": 1796032860}', b"no"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([200, 400, 429, 503]),
            st.sampled_from(BODIES),
            st.sampled_from(["requests", "httpx"]),
            st.dictionaries(
                st.sampled_from(["Retry_After", "retry_after", "Date", "X_Other"]),
                st.sampled_from(["3", DATE, "Mon, 30 Nov 2026 10:00:07 GMT", "soon"]),
            ),
            st.sampled_from([None, "failed", "banned until 1796032860"]),
        ),
        min_size=1,
        max_size=6,
    )
)
@settings(max_examples=40, deadline=None)
def test_responses_are_remembered_as_they_are_read(drawn: list[Any]) -> None:
    """A response, or an error that has one, means what it would mean to a classifier that has met no other."""
    classifier = Classifier(TABLES)
    for status, body, library, headers, text in drawn:
        answer = response(status, body, library=library, **headers)
        outcome = answer if text is None else SdkError(text, response=answer)
        assert shape_of(outcome) is not None
        assert classifier.classify(outcome) == classifier._classified(outcome, None, {})


@pytest.mark.parametrize("library", ["requests", "httpx"])
def test_the_date_of_a_response_is_a_part_of_the_key_only_where_it_is_read(library: str) -> None:
    """Else each second would have a key of its own; so would each signature in a URL."""

    def shape(body: bytes, date: str, text: str = "no", url: str = "https://x.example/y", **headers: str) -> Any:
        return shape_of(SdkError(text, response=response(429, body, library=library, url=url, Date=date, **headers)))

    assert shape(b"no", DATE) == shape(b"no", "later") is not None
    assert shape(b"no", DATE, Retry_After="3") == shape(b"no", "later", Retry_After="3")
    assert shape(b"no", DATE, url="https://x.example/y?sign=1") == shape(b"no", DATE)
    assert shape(b"no", DATE, Retry_After=DATE) != shape(b"no", "later", Retry_After=DATE)
    assert shape(b"banned until 1796032860", DATE) != shape(b"banned until 1796032860", "later")
    assert shape(b"no", DATE, "banned until 1796032860") != shape(b"no", "later", "banned until 1796032860")
    assert shape(b"no", DATE, url="https://x.example/z") != shape(b"no", DATE)


def test_responses_without_a_key() -> None:
    """One that is not read, is large, has anything of ours that is no plain value, or is of a class of the program."""
    unread, marked = requests.Response(), response(400, b"")
    unread.headers.update({"a": "b"})
    marked.resilience_headers = {}

    class OwnResponse(requests.Response):
        pass

    for answer in (unread, marked, response(400, b"x" * 600), OwnResponse()):
        assert shape_of(answer) is None
        assert shape_of(SdkError(response=answer)) is None


def test_attributes_that_change() -> None:
    """An instance, a slot and a constant of a class are read each time."""
    classifier = Classifier(TABLES)
    error, slotted = SdkError("no"), Slotted("no")
    assert not classifier.classify(error).known
    error.code = "43012"  # type: ignore[attr-defined]
    slotted.code = "40725"  # type: ignore[attr-defined]
    assert (classifier.classify(error).code, classifier.classify(slotted).code) == ("43012", "40725")
    slotted.code = "43012"  # type: ignore[attr-defined]
    assert classifier.classify(slotted).code == "43012"
    assert classifier.classify(Constant()).executed == "maybe"
    Constant.resilience_executed = "no"
    assert classifier.classify(Constant()).executed == "no"
    Constant.resilience_executed = None


def test_our_own_record_and_note_are_not_read() -> None:
    """An error that comes back has the same key."""
    error = ApiError("40725", "m")
    shape = shape_of(error)
    error.add_note("resilience: …")
    error.__resilience__ = object()  # type: ignore[attr-defined]
    assert shape_of(error) == shape is not None


def test_an_error_that_has_come_from_itself() -> None:
    """A cycle of causes has no key."""
    error = SdkError("no")
    error.__cause__ = error
    assert shape_of(error) is None
    assert shape_of(SdkError(*(SdkError(*(SdkError(1, 2, 3) for _ in range(9))) for _ in range(9)))) is None


def test_the_memory_is_bounded() -> None:
    """An API that puts a number into each text makes it forget the oldest."""
    classifier = Classifier(TABLES)
    for number in range(600):
        classifier.classify(SdkError(f"request {number}"))
    assert len(classifier._remembered) == 512
    assert all(isinstance(name, type) for name in error_shape.READ_NAMES)


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Classes of these tests are not kept."""
    yield
    error_shape.READ_NAMES.clear()
