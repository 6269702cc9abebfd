"""Tests of the classifier: any object in, a `Failure` out."""

from __future__ import annotations

import email.utils
import json
import socket
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

import aiohttp.http_exceptions
import ccxt
import httpx
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from resilience import ApiError, Category, CircuitOpenError, Classifier, CodeRegistry, Failure, Rule
from resilience.bitget import API_ERROR_CODE, BitgetApiError


def lookup(name: str) -> CodeRegistry | None:
    """Find the shipped tables, as a pipeline does."""
    return CodeRegistry.builtin(name) if name in ("bitget", "ccxt", "http") else None


HTTP = CodeRegistry.builtin("http")
BITGET = Classifier([CodeRegistry.builtin("bitget"), CodeRegistry.builtin("ccxt"), HTTP], base=HTTP, lookup=lookup)
DEFAULT = Classifier([HTTP], base=HTTP, lookup=lookup)
ALL_ROWS = [rule for rule in CodeRegistry.builtin("bitget") if rule.category is not None]
STATUS_ROWS = [rule for rule in ALL_ROWS if len(rule.code) == 3 and rule.code[0] in "45"]
ROWS = [rule for rule in ALL_ROWS if not (len(rule.code) == 3 and rule.code[0] in "45")]


class Shape(Exception):
    """An error of a user's client with these attributes."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args)
        for name, value in attributes.items():
            setattr(self, name, value)


def bitget_error(code: str, status: int = 400) -> BitgetApiError:
    """Our own error, as the client raises it."""
    body = {"code": code, "msg": "m", "requestTime": 1695808949356, "data": None}
    return BitgetApiError(status, "Bad Request", body, {}, {}, api_code=code, api_message="m")


SHAPES = {
    "ours": bitget_error,
    "body": lambda code: Shape(code=400, body={"code": code, "msg": "m"}),
    "payload": lambda code: Shape(payload={"code": code}),
    "json in the text": lambda code: Shape("failed: " + json.dumps({"code": code, "msg": "m"})),
    "ccxt": lambda code: ccxt.ExchangeError("bitget " + json.dumps({"code": code, "msg": "m"})),
    "returned body": lambda code: {"code": code, "msg": "m"},
    "raised from": lambda code: raised_from(bitget_error(code)),
}
LONG_SHAPES = {
    "first argument": lambda code: Shape(code, "msg", {}),
    "attribute": lambda code: Shape("failed", code=code),
    "text": lambda code: Shape(f"API Request Error(code={code}): m"),
}


def raised_from(cause: Exception) -> Exception:
    """An error of the bot that was raised from the API's."""
    error = Shape("the bot failed")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("shape", SHAPES)
def test_every_row_through_every_shape(shape: str) -> None:
    """Each code is found in each shape of error, and comes out as its row says."""
    for rule in ROWS:
        failure = BITGET.classify(SHAPES[shape](rule.code))
        assert (failure.code, failure.category, failure.executed, failure.hint) == (
            rule.code,
            rule.category,
            rule.executed,
            rule.hint,
        )
        assert failure.remedy == rule.remedy
        assert failure.registry == "bitget"


def test_a_number_of_http_is_a_code_only_in_a_complete_envelope_with_that_status() -> None:
    """A gateway that answers with another status, or without the API's own fields, did not give the API's code."""
    assert {rule.code for rule in STATUS_ROWS} >= {"400", "429", "500"}
    for rule in STATUS_ROWS:
        failure = BITGET.classify(bitget_error(rule.code, int(rule.code)))
        assert (failure.code, failure.registry, failure.executed) == (rule.code, "bitget", rule.executed)
        assert BITGET.classify(bitget_error(rule.code, 502)).code == "502"
        short = Shape(status_code=int(rule.code), body={"code": rule.code, "msg": "m"})
        assert BITGET.classify(short).registry == "http"


@pytest.mark.parametrize("shape", LONG_SHAPES)
def test_codes_of_four_digits_or_more_may_be_anywhere(shape: str) -> None:
    """Outside a body only numbers of four to six digits are read as codes."""
    for rule in ROWS:
        failure = BITGET.classify(LONG_SHAPES[shape](rule.code))
        if 4 <= len(rule.code) <= 6:
            assert (failure.code, failure.category) == (rule.code, rule.category)
        else:
            assert failure.registry != "bitget"


def test_numbers_as_codes() -> None:
    """A numeric code is the same code; booleans and floats are none."""
    assert BITGET.classify({"code": 40010}).code == "40010"
    for wrong in (True, 1.5, None, [], 10**40):
        assert BITGET.classify({"code": wrong}).known is False


@pytest.mark.parametrize(
    ("error", "code", "category", "executed"),
    [
        (requests.ConnectTimeout(), "connect_timeout", "retryable", "no"),
        (requests.ReadTimeout(), "read_timeout", "retryable", "maybe"),
        (requests.ConnectionError(), "connection_error", "retryable", "maybe"),
        (requests.exceptions.MissingSchema(), "invalid_url", "fatal", "no"),
        (httpx.ConnectError("x"), "connect_error", "retryable", "no"),
        (httpx.ConnectTimeout("x"), "connect_timeout", "retryable", "no"),
        (httpx.PoolTimeout("x"), "pool_timeout", "retryable", "no"),
        (httpx.ReadTimeout("x"), "read_timeout", "retryable", "maybe"),
        (httpx.RemoteProtocolError("x"), "protocol_error", "retryable", "maybe"),
        (ConnectionRefusedError(), "connection_refused", "retryable", "no"),
        (ConnectionResetError(), "connection_reset", "retryable", "maybe"),
        (BrokenPipeError(), "connection_reset", "retryable", "maybe"),
        (socket.gaierror(), "dns", "retryable", "no"),
        (TimeoutError(), "timeout", "retryable", "maybe"),
        (FutureTimeoutError(), "timeout", "retryable", "maybe"),
        (OSError("x"), "os_error", "retryable", "maybe"),
        (ccxt.RequestTimeout("bitget POST https://x/y"), "RequestTimeout", "retryable", "maybe"),
        (ccxt.RateLimitExceeded("bitget x"), "RateLimitExceeded", "retryable", "no"),
        (ccxt.InsufficientFunds("binance x"), "InsufficientFunds", "user_fixable", "no"),
        (ccxt.BadRequest("bitget invalid symbol"), "BadSymbol", "user_fixable", "no"),
        (ccxt.AuthenticationError('bitget {"code":"40010","msg":"Request timed out"}'), "40010", "retryable", "maybe"),
        (ccxt.ExchangeNotAvailable("bitget GET https://x/y 403 Forbidden <html>"), "403", "user_fixable", "no"),
    ],
)
def test_transport_errors_by_their_class(error: Exception, code: str, category: str, executed: str) -> None:
    """The class decides whether the request may have been executed."""
    failure = DEFAULT.classify(error)
    assert (failure.code, failure.category, failure.executed) == (code, category, executed)


def test_a_refused_connection_is_seen_through_requests() -> None:
    """Requests wraps the error of urllib3: over a refused connection nothing was sent."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(requests.ConnectionError) as caught:
        requests.get(f"http://127.0.0.1:{port}/", timeout=60)
    assert DEFAULT.classify(caught.value).code == "connection_refused"
    assert DEFAULT.classify(caught.value).executed == "no"


@pytest.mark.parametrize(
    "bug", [TypeError("x"), KeyError("43012"), AttributeError(), ValueError("40010"), ZeroDivisionError()]
)
def test_bugs_of_the_program_are_fatal(bug: Exception) -> None:
    """A bare Python error is never read as an API's error, whatever its text."""
    failure = BITGET.classify(bug)
    assert (failure.category, failure.code) == (Category.FATAL, "program_error")


def test_a_bug_is_fatal_without_any_table() -> None:
    """A classifier without a row for bugs classifies them all the same."""
    failure = Classifier([]).classify(TypeError("x"))
    assert (failure.category, failure.code, failure.executed) == (Category.FATAL, "program_error", "maybe")


@pytest.mark.parametrize(
    ("status", "category", "executed"),
    [
        (400, "fatal", "no"),
        (401, "user_fixable", "no"),
        (404, "fatal", "no"),
        (408, "retryable", "maybe"),
        (429, "retryable", "no"),
        (500, "retryable", "maybe"),
        (502, "retryable", "maybe"),
        (503, "retryable", "maybe"),
        (504, "retryable", "maybe"),
        (409, "user_fixable", "maybe"),
        (418, "retryable", "no"),
        (444, "retryable", "maybe"),
        (460, "retryable", "maybe"),
        (499, "retryable", "maybe"),
        (498, "fatal", "no"),
        (501, "fatal", "maybe"),
        (511, "user_fixable", "maybe"),
        (555, "retryable", "maybe"),
    ],
)
def test_statuses(status: int, category: str, executed: str) -> None:
    """Without a known code the HTTP status decides."""
    failure = DEFAULT.classify(Shape(status_code=status))
    assert (failure.category, failure.executed, failure.http_status) == (category, executed, status)


def test_503_means_not_executed_only_by_a_known_code_of_the_api_itself() -> None:
    """A gateway may send 503 after forwarding, with any header and any JSON; a known code in the envelope is proof."""
    assert BITGET.classify(Shape(status_code=503)).executed == "maybe"
    assert BITGET.classify(Shape(status_code=503, headers={"Retry-After": "3"})).executed == "maybe"
    unknown = {"code": "99999", "msg": "busy", "requestTime": 1}
    assert BITGET.classify(Shape(status_code=503, body=unknown)).executed == "maybe"
    known = {"code": "43012", "msg": "insufficient balance", "requestTime": 1}
    failure = BITGET.classify(Shape(status_code=503, body=known))
    assert (failure.executed, failure.proof) == ("no", "proven")
    del known["requestTime"]
    assert BITGET.classify(Shape(status_code=503, body=known)).executed == "maybe"


@pytest.mark.parametrize(
    ("error", "executed", "proof"),
    [
        (requests.ConnectTimeout(), "no", "proven"),
        (Shape(status_code=404), "no", "likely"),
        (Shape(status_code=404, resilience_executed="no"), "no", "proven"),
        (Shape(status_code=409), "maybe", "none"),
        (ccxt.InsufficientFunds("okx poor"), "no", "likely"),
        (Shape("APIError(code=43012): poor"), "no", "likely"),
        ({"code": "43012", "msg": "poor", "requestTime": 1}, "no", "proven"),
        ({"code": "43012", "msg": "poor"}, "no", "likely"),
        ({"code": "43012", "requestTime": 1}, "no", "likely"),
        (ExceptionGroup("", [Shape(status_code=404), requests.ConnectTimeout()]), "no", "likely"),
        (ExceptionGroup("", [Shape(status_code=404), requests.ReadTimeout()]), "maybe", "none"),
    ],
)
def test_how_sure_it_is_that_nothing_happened(error: object, executed: str, proof: str) -> None:
    """Never sent, or a code in the API's own envelope, is proof; a status or a class alone is likely."""
    failure = BITGET.classify(error)
    assert (failure.executed, failure.proof) == (executed, proof)


def test_a_bare_code_is_looked_up_only_where_the_policy_says() -> None:
    """The same number means other things elsewhere: a policy that lists no table of codes knows none."""
    failure = DEFAULT.classify(Shape("API Request Error(code=40725): m"))
    assert (failure.code, failure.known, failure.registry, failure.guessed) == ("40725", False, None, True)
    assert DEFAULT.classify(bitget_error("40725")).registry == "bitget"


def test_another_exchanges_code_is_not_bitgets() -> None:
    """Ccxt names the exchange: its codes are never looked up in another one's table."""
    failure = BITGET.classify(ccxt.ExchangeError('kucoin {"code":"40010","msg":"x"}'))
    assert (failure.known, failure.registry) == (False, None)


def test_unknown_codes_are_new_once() -> None:
    """An unknown code keeps its number, is classified by its status, and is reported as new once."""
    classifier = Classifier([CodeRegistry.builtin("bitget")], base=HTTP)
    failure = classifier.classify(Shape(status_code=400, body={"code": "99999", "msg": "new"}))
    assert (failure.code, failure.known, failure.category, failure.executed) == ("99999", False, "fatal", "no")
    assert [classifier.is_new_code(failure), classifier.is_new_code(failure)] == [True, False]


def test_returned_bodies() -> None:
    """A returned mapping is an error by its envelope alone; a table without an envelope reads no body."""
    error = BITGET.error_in({"code": "43012", "msg": "Insufficient balance", "data": None})
    assert isinstance(error, ApiError)
    assert (error.code, error.message) == ("43012", "Insufficient balance")
    unknown = BITGET.error_in({"code": "99998", "msg": "new"})
    assert unknown is not None
    assert (unknown.code, unknown.message) == ("99998", "new")
    assert BITGET.classify(error).names == ("INSUFFICIENT_BALANCE",)
    for good in (
        {"code": "00000"},
        {"code": 0},
        {"code": None},
        {"code": True},
        {"code": "BTC", "precision": 8},
        {},
        [],
        "x",
        None,
    ):
        assert BITGET.error_in(good) is None
    assert DEFAULT.error_in({"code": "43012", "msg": "x"}) is None


def test_retry_after() -> None:
    """Seconds and dates are read and never clamped; nonsense is ignored."""
    assert DEFAULT.classify(Shape(status_code=429, headers={"retry-after": "7200"})).retry_after == 7200
    for nonsense in ("-1", "nan", "inf", "soon", "", None):
        assert DEFAULT.classify(Shape(status_code=429, headers={"Retry-After": nonsense})).retry_after is None
    now, then = (email.utils.formatdate(at, usegmt=True) for at in (1_700_000_000, 1_700_000_120))
    failure = DEFAULT.classify(Shape(status_code=429, headers={"Retry-After": then, "Date": now}))
    assert (failure.retry_after, failure.retry_at) == (120, 1_700_000_120)
    assert DEFAULT.classify(Shape(status_code=429, headers={"Retry-After": then})).retry_at == 1_700_000_120


def test_groups() -> None:
    """The most severe member decides, and if one is uncertain, the group is."""
    failure = BITGET.classify(ExceptionGroup("several", [TimeoutError(), bitget_error("43012")]))
    assert (failure.category, failure.code, failure.executed) == (Category.USER_FIXABLE, "43012", "maybe")


def test_causes_in_a_circle() -> None:
    """A cause that is its own cause ends the walk."""
    first, second = Shape("first"), Shape("second")
    first.__cause__, second.__cause__ = second, first
    assert BITGET.classify(first).known is False


def test_our_rejections_were_never_sent() -> None:
    """A rejection says that nothing was sent."""
    failure = BITGET.classify(CircuitOpenError("open", retry_after=3.0))
    assert (failure.category, failure.executed, failure.retry_after) == (Category.RETRYABLE, "no", 3.0)


def test_server_time_of_an_answer() -> None:
    """The envelope's time is read as seconds: the request had arrived by then."""
    assert BITGET.classify(bitget_error("40725")).answered_at == 1695808949.356


def test_errors_that_set_executed_themselves() -> None:
    """An unreadable answer may have been executed, and so may a part of a batch."""
    truncated = BitgetApiError(200, "OK", "{", {}, {}, resilience_code="decode_error")
    assert (BITGET.classify(truncated).category, BITGET.classify(truncated).executed) == ("retryable", "maybe")
    assert BITGET.classify(truncated).code == "decode_error"
    partial = BitgetApiError(200, "OK", {"code": "00000"}, {}, {}, api_code="43012", resilience_executed="maybe")
    assert (BITGET.classify(partial).code, BITGET.classify(partial).executed) == ("43012", "maybe")


def test_all_constants_classify() -> None:
    """Each of the 30 names is a code that the table explains."""
    assert len(API_ERROR_CODE.__members__) == 30
    for name, code in API_ERROR_CODE.__members__.items():
        rule = CodeRegistry.builtin("bitget").rule(code)
        assert rule is not None
        assert name in rule.names


def test_only_a_table_with_an_envelope_classifies_returned_bodies() -> None:
    """Without an envelope returned bodies are not read."""
    assert (BITGET.enveloped, DEFAULT.enveloped) == (True, False)


def test_errors_of_a_package_use_the_table_that_names_it() -> None:
    """They are looked up there first, wherever it is in the list; what the error sets itself comes before."""
    first = CodeRegistry("first", [Rule("7777", ("FIRST",), Category.FATAL)])
    theirs = CodeRegistry("theirs", [Rule("7777", ("THEIRS",), Category.FATAL)], sources=[__name__.partition(".")[0]])
    classifier = Classifier([first, theirs])
    error = Shape(body={"code": "7777"})
    assert classifier.classify(error).registry == "theirs"
    assert classifier.classify(requests.RequestException({"code": "7777"})).registry == "first"
    error.resilience_registry = "first"  # type: ignore[attr-defined]
    assert classifier.classify(error).registry == "first"
    assert classifier.classify(requests.RequestException({"code": "7777"}), registry="theirs").registry == "theirs"


def test_a_status_of_the_clients_parser_is_ignored() -> None:
    """No server has sent it; the error is one of the connection."""
    broken = aiohttp.http_exceptions.HttpProcessingError(code=400, message="Bad status line")
    assert DEFAULT.classify(broken).http_status is None
    wrapped = aiohttp.ClientError("x")
    wrapped.__cause__ = broken
    wrapped.status = 400  # type: ignore[attr-defined]
    assert DEFAULT.classify(wrapped).http_status is None
    wrapped.__cause__ = None
    assert DEFAULT.classify(wrapped).http_status == 400


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        (1695808949356, 1695808949.356), ("1695808949356", 1695808949.356), ("soon", None), (True, None), (1.5, None),
        (0, None), (-1, None), (None, None), (10**400, None),
    ],
)  # fmt: skip
def test_a_server_time_out_of_range_is_ignored(time: Any, seconds: float | None) -> None:
    """The envelope has milliseconds, as a number or as a string."""
    failure = BITGET.classify(Shape(body={"code": "40725", "msg": "m", "requestTime": time}))
    assert (failure.code, failure.answered_at) == ("40725", seconds)


@pytest.mark.parametrize(
    "body",
    [{"msg": "Order does not exist: insufficient balance"}, {"msg": 3, "message": "insufficient balance"}, {"msg": 3}],
)
def test_an_exchanges_message_is_looked_up_where_its_code_is_unknown(body: Any) -> None:
    """The body's message is looked up, else the error's."""
    texts = [("insufficient", "1")]
    table = CodeRegistry("ccxt", [Rule("1", ("FUNDS",), Category.USER_FIXABLE, "no")], texts=texts)
    classifier = Classifier([], base=HTTP, lookup=lambda name: table if name == "ccxt" else None)
    error = ccxt.ExchangeError("kraken insufficient " + json.dumps({"code": "77777", **body}))
    assert (classifier.classify(error).code, classifier.classify(error).category) == ("77777", "user_fixable")
    listed = CodeRegistry(
        "ccxt", [Rule("1", ("FUNDS",)), Rule("2", ("OTHER",), Category.FATAL)], texts=[("words", "1")]
    )
    known = Classifier([listed], base=HTTP)
    # Rows of ccxt are classes: a number in a body is not looked up among them.
    assert known.classify(Shape(body={"code": "2", "msg": "other"})).known is False
    failure = classifier.classify(Shape(body={"code": "77777", "message": "insufficient"}), registry="ccxt")
    assert failure.category == "user_fixable"
    quiet = ccxt.ExchangeError("kraken " + json.dumps({"code": "77777", "msg": "no"}))
    assert classifier.classify(quiet).known is False


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (399, (False, "retryable", "maybe")),
        (400, (True, "fatal", "no")),
        (498, (True, "fatal", "no")),
        (499, (True, "retryable", "maybe")),
        (500, (True, "retryable", "maybe")),
    ],
)
def test_statuses_that_no_table_has(status: int, expected: tuple[bool, str, str]) -> None:
    """From 500 on it may have been executed, from 400 on most say that it was rejected; a lower one is no failure."""
    failure = Classifier([]).classify(Shape(status_code=status))
    assert (failure.known, failure.category, failure.executed) == expected


@pytest.mark.parametrize(
    ("error", "cause", "code"),
    [
        (requests.ConnectionError(), ConnectionResetError(), "connection_reset"),
        (requests.ConnectionError(), ConnectionRefusedError(), "connection_refused"),
        (httpx.ConnectError("x"), ConnectionResetError(), "connect_error"),
        (Shape("x"), requests.ConnectionError(), "connection_error"),
        (requests.ReadTimeout(), ConnectionRefusedError(), "read_timeout"),
    ],
)
def test_a_vague_error_is_explained_by_its_cause(error: Exception, cause: Exception, code: str) -> None:
    """Its `executed` never becomes less cautious by that."""
    error.__cause__ = cause
    assert DEFAULT.classify(error).code == code


def test_the_items_of_a_batch_are_those_of_the_error_itself() -> None:
    """Each item has its own code and key, whatever the error was raised from; the others were executed."""
    failed = [{"clientOid": "a", "errorCode": "43012", "errorMsg": "m"}, {"clientOid": "b", "errorCode": "99998"}]
    error = Shape(body={"code": "00000", "msg": "success", "data": {"failureList": failed}})
    error.__cause__ = OSError()
    failure = BITGET.classify(error)
    assert [(item.key, item.code, item.known) for item in failure.items] == [
        ("a", "43012", True),
        ("b", "99998", False),
    ]
    assert (failure.code, failure.executed) == ("43012", "maybe")
    returned = BITGET.error_in(error.body)  # type: ignore[attr-defined]
    assert returned is not None
    assert returned.code == "43012"


def test_an_unknown_code_of_another_table_is_new_too() -> None:
    """A code is new once per table."""
    classifier = Classifier([])
    seen = [Failure(Category.FATAL, code, registry=name) for name in (None, "a") for code in ("1", "2", None)]
    assert [classifier.is_new_code(failure) for failure in (*seen, *seen)] == [True] * 6 + [False] * 6


class Closed(ExceptionGroup[Exception]):
    """A group whose members cannot be read."""

    @property
    def exceptions(self) -> Any:
        """Raise."""
        raise RuntimeError("no")


def test_an_object_whose_attributes_raise_is_an_unknown_error() -> None:
    """The policy's rule for unknown errors applies."""
    failure = DEFAULT.classify(Closed("g", [OSError()]))
    assert (failure.known, failure.guessed, failure.category, failure.executed, failure.code) == (
        False,
        True,
        "retryable",
        "maybe",
        None,
    )


class Hostile(Exception):
    """An object whose attributes all raise."""

    def __str__(self) -> str:
        raise RuntimeError("no words")

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("__"):
            return super().__getattribute__(name)
        raise RuntimeError("no attributes")


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.just("\ud800")
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
NAMES = st.sampled_from(
    [
        "code",
        "body",
        "payload",
        "response",
        "status",
        "status_code",
        "headers",
        "retry_after",
        "reason",
        "_content",
        "args",
    ]
)


@given(st.lists(VALUES, max_size=3), st.dictionaries(NAMES, VALUES, max_size=5), VALUES)
def test_classifying_never_raises(args: list[Any], attributes: dict[str, Any], plain: Any) -> None:
    """Any object is classified without an error."""
    error = Shape(*args)
    for name, value in attributes.items():
        try:
            setattr(error, name, value)
        except (TypeError, ValueError):
            pass
    for outcome in (error, plain, ExceptionGroup("g", [error]), raised_from(error)):
        for classifier in (BITGET, DEFAULT):
            failure = classifier.classify(outcome)
            assert isinstance(failure, Failure)
            assert failure.category in Category
            assert failure.executed in ("no", "maybe", "n_a")


@pytest.mark.parametrize(
    "outcome", [Hostile(), object(), object, b"\xff", Shape("{" * 100_000), Shape("x" * 10_000_000)]
)
def test_hostile_objects(outcome: object) -> None:
    """Raising attributes, huge texts and deep nesting are classified too."""
    assert isinstance(BITGET.classify(outcome), Failure)


def test_a_raising_mapping() -> None:
    """A mapping whose `get` raises is no body."""

    class Raising(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            raise RuntimeError(key)

    assert BITGET.classify(Shape(body=Raising(code="43012"))).known is False


def shared_groups(leaf: Exception, depth: int) -> Exception:
    """Return a group of groups in which each group has the one beneath it twice."""
    error = leaf
    for _ in range(depth):
        error = ExceptionGroup("shared", [error, error])
    return error


def test_groups_that_share_their_members_take_linear_time() -> None:
    """Forty groups, each with the next one twice, have 2**40 paths, and forty-one members."""
    reads: list[str] = []

    class Counted(Shape):
        def __str__(self) -> str:
            reads.append("text")
            return "refused"

    failure = BITGET.classify(shared_groups(Counted(code="43012"), 40))
    assert (failure.code, failure.category) == ("43012", "user_fixable")
    assert len(reads) == 1


@pytest.mark.parametrize(
    ("members", "code", "category"),
    [
        ([ConnectionResetError(), ApiError("40725", "m", {})], "40725", "retryable"),
        ([ApiError("40725", "m", {}), ConnectionResetError()], "40725", "retryable"),
        ([KeyError("x"), ApiError("43012", "m", {})], "43012", "fatal"),
        ([Shape(status_code=404), ApiError("40725", "m", {})], "40725", "fatal"),
        ([ApiError("40725", "m", {}), ApiError("43012", "m", {})], "43012", "user_fixable"),
        ([OSError(), ApiError("NoSuchCode", "m", {})], "NoSuchCode", "retryable"),
        ([OSError(), ExceptionGroup("inner", [TimeoutError(), ApiError("43012", "m", {})])], "43012", "user_fixable"),
        ([TimeoutError(), Shape(status_code=503)], "timeout", "retryable"),
    ],
)
def test_a_mixed_group_keeps_the_code_of_the_api(members: list[Exception], code: str, category: str) -> None:
    """The worst category counts, and the code says what the API said, not how a connection ended beside it."""
    failure = BITGET.classify(ExceptionGroup("mixed", members))
    assert (failure.code, failure.category) == (code, category)
