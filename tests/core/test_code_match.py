"""Tests of codes and messages: which row of a table explains an answer, and how good a proof its "no" is."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import ApiError, Category, Classifier, CodeRegistry, Failure
from resilience._core.policy.codes import CodeTable

ROWS: list[dict[str, Any]] = [
    {"code": "-1", "category": "user_fixable", "executed": "no", "scope": "spot", "remedy": "spot"},
    {"code": "-1", "category": "retryable", "executed": "maybe", "scope": "futures", "remedy": "futures"},
    {"code": "no funds", "category": "user_fixable", "executed": "no", "match": "part", "names": ["FUNDS"]},
    {"code": "no funds left today", "category": "retryable", "executed": "no", "match": "part"},
    {"code": "gone", "category": "fatal", "executed": "no", "match": "exact"},
    {"code": "all is well", "match": "exact"},
    {"code": "-2", "category": "fatal", "executed": "no"},
    {"code": "9", "category": "retryable", "executed": "maybe"},
    {"code": "429", "category": "retryable", "executed": "no"},
    {"code": "http_403", "category": "retryable", "executed": "no", "names": ["FIREWALL"]},
]
ENVELOPE = {"code": ["item.code", "code"], "message": "msg", "success": ["0", "W*"], "general": ["9"], "ok": "success"}
SHOP = CodeRegistry.from_mapping(
    "shop", {"envelope": ENVELOPE, "scopes": {"/spot/": "spot", "/futures/": "futures"}, "rules": ROWS}
)
CLASSIFIER = Classifier([SHOP])


class ShopError(Exception):
    """An error of a client, with its answer."""

    def __init__(self, body: Any, status: int | None = 400, url: str = "", text: str = "") -> None:
        super().__init__(text)
        self.body, self.status_code, self.resilience_url = body, status, url


def failure_of(body: Any, status: int | None = 400, url: str = "", text: str = "") -> Failure:
    """Classify an error with this answer."""
    return CLASSIFIER.classify(ShopError(body, status, url, text))


def parts_of(failure: Failure) -> tuple[Any, ...]:
    """Return what is compared."""
    return failure.category, failure.executed, failure.code, failure.proof


@pytest.mark.parametrize(
    ("url", "remedy"),
    [("https://x/spot/order", "spot"), ("https://x/futures/order?a=/spot/", "futures"), ("", "futures")],
)
def test_the_url_decides_what_a_number_means(url: str, remedy: str) -> None:
    """Without a URL the most cautious meaning counts."""
    assert failure_of({"code": -1, "msg": "?"}, url=url).remedy == remedy


@pytest.mark.parametrize(
    ("message", "code", "category"),
    [
        ("there are no funds", "-2", Category.USER_FIXABLE),
        ("no funds left today, sorry", "-2", Category.RETRYABLE),
        ("gone", "-2", Category.FATAL),
        ("gone for lunch", "-2", Category.FATAL),
        ("all is well", "-2", Category.FATAL),
    ],
)
def test_a_message_says_more_than_its_number(message: str, code: str, category: Category) -> None:
    """The longest text counts, an exact one only as a whole; the number is still the code that is reported."""
    assert parts_of(failure_of({"code": code, "msg": message})) == (category, "no", code, "proven")


def test_a_message_under_an_unknown_number() -> None:
    """Then the row's text is the code that is reported."""
    assert parts_of(failure_of({"code": "77", "msg": "no funds"})) == (
        Category.USER_FIXABLE,
        "no",
        "no funds",
        "proven",
    )


def test_texts_of_foreign_answers_are_not_read() -> None:
    """A page or another API's body may have any words in it."""
    assert failure_of({"error": "no funds"}, text="no funds").registry == "http"
    assert failure_of(None, 502, text="no funds").executed == "maybe"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"code": "9", "msg": "", "item": {"code": "-2"}}, (Category.FATAL, "no", "-2", "proven")),
        ({"code": "9", "msg": ""}, (Category.RETRYABLE, "maybe", "9", "none")),
        ({"code": "9", "msg": "", "item": {"code": "78"}}, (Category.RETRYABLE, "maybe", "78", "none")),
        ({"code": "-2", "msg": "", "item": {"code": "9"}}, (Category.FATAL, "no", "-2", "proven")),
        ({"code": "-2", "msg": "", "item": {"code": "W1"}}, (Category.FATAL, "no", "-2", "proven")),
        ({"code": "-2", "msg": "", "item": {"code": "0"}}, (Category.FATAL, "no", "-2", "proven")),
    ],
)
def test_a_general_code_says_nothing_beside_another(body: Any, expected: tuple[Any, ...]) -> None:
    """The other one decides, even if no row has it."""
    assert parts_of(failure_of(body, 409)) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, (Category.RETRYABLE, "no", "429", "likely")),
        (429, (Category.RETRYABLE, "no", "429", "proven")),
        (200, (Category.RETRYABLE, "maybe", "429", "none")),
        (502, (Category.RETRYABLE, "maybe", "502", "none")),
    ],
)
def test_a_code_that_is_a_status_number(status: int | None, expected: tuple[Any, ...]) -> None:
    """It proves something under that very status, and nothing under a success. Elsewhere it is no code."""
    assert parts_of(failure_of({"code": 429, "msg": ""}, status)) == expected


def test_statuses_of_an_apis_gateways() -> None:
    """A table may say what a status without a code means for its API, in place of the table of HTTP."""
    failure = failure_of(None, 403)
    assert parts_of(failure) == (Category.RETRYABLE, "no", "http_403", "likely")
    assert (failure.names, failure.registry) == (("FIREWALL",), "shop")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"success": False}, ("unsuccessful", "", "maybe")),
        ({"success": True, "code": "-2"}, None),
        ({"success": False, "code": "-2", "msg": "m"}, ("-2", "m", None)),
        ({"success": False, "code": "9", "msg": ""}, ("9", "", None)),
        ({"code": "0", "msg": "gone"}, ("gone", "gone", None)),
        ({"code": "0", "msg": "no funds"}, None),
        ({"code": "0", "msg": "all is well"}, None),
        ({"code": "W2", "msg": "mind the gap"}, None),
        ({"rows": []}, None),
    ],
)
def test_answers_that_are_errors(body: Any, expected: Any) -> None:
    """A flag decides before any code; the whole text of a row is an error even under the code of a success."""
    error = CLASSIFIER.error_in(body)
    assert (error and (error.code, error.message, error.resilience_executed)) == expected


def batch_table(**item_list: Any) -> CodeTable:
    """Return a table whose batches have their items in a list."""
    envelope = {"code": "code", "message": "msg", "success": ["0"], "failures": {"mixed": True, **item_list}}
    return CodeRegistry.from_mapping("shop", {"envelope": envelope, "rules": ROWS})


class ListAnswer:
    """A response whose body is a list."""

    status_code = 200

    def __init__(self, content: bytes) -> None:
        self._content = content


@pytest.mark.parametrize(
    ("content", "executed", "codes"),
    [
        (b'[{"code": -2, "msg": "m"}, {"id": 1}]', "maybe", ["-2"]),
        (b' [{"code": -2, "msg": "m"}]', "no", ["-2"]),
        (b'[{"code": -2, "msg": "m"}, {"code": 9, "msg": "m"}]', "maybe", ["-2", "9"]),
        (b'[{"id": 1}]', None, []),
        (b'[{"code": 0, "msg": ""}]', None, []),
        (b'[{"code": -2', None, []),
        (b'"code"', None, []),
    ],
)
def test_a_body_that_is_a_list(content: bytes, executed: str | None, codes: list[str]) -> None:
    """Where each item of it was refused nothing has happened; else some have succeeded."""
    classifier = Classifier([batch_table(at=".", code="code", message="msg")])
    error = classifier.error_in(ListAnswer(content))
    assert (error is None) is (executed is None)
    if error is not None:
        failure = classifier.classify(error)
        assert (failure.executed, [item.code for item in failure.items]) == (executed, codes)
    assert Classifier([SHOP]).error_in(ListAnswer(content)) is None
    assert classifier.error_in(object()) is None


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([{"done": False, "why": "no funds"}, {"done": True, "why": "no funds"}], ["no funds"]),
        ([{"done": False, "why": "?"}], [None]),
        ([{"done": False}], [None]),
        ([{"done": True, "code": "-2", "why": ""}], []),
        ([{"done": "so", "code": "-2", "why": ""}, {"code": "0", "why": ""}], ["-2"]),
    ],
)
def test_items_with_a_flag(items: list[Any], expected: list[Any]) -> None:
    """The flag of an item decides, and its message finds its row where it has no code."""
    classifier = Classifier([batch_table(at="data", code="code", message="why", ok="done")])
    error = classifier.error_in({"code": "0", "data": items})
    assert ([item.code for item in classifier.classify(error).items] if error else []) == expected


def test_items_that_are_texts() -> None:
    """Where an item's message is its code, any text is a failure: of an unknown one nothing is proven."""
    classifier = Classifier([batch_table(at="data", code="error", message="error")])
    assert classifier.error_in({"code": "0", "data": [{"id": 1}, {"error": ""}]}) is None
    error = classifier.error_in({"code": "0", "data": [{"error": "no funds at all"}]})
    assert error is not None
    assert parts_of(classifier.classify(error)) == (Category.USER_FIXABLE, "no", "no funds", "proven")
    unknown = classifier.error_in({"code": "0", "data": [{"error": "x" * 300}]})
    assert unknown is not None
    failure = classifier.classify(unknown)
    assert (failure.executed, failure.known, unknown.code) == ("maybe", False, "partial")


def test_an_empty_list_of_errors_beside_a_refused_item() -> None:
    """The answer to the batch as a whole says success, and its items are looked at."""
    envelope = {"code": "error", "failures": {"at": "orders", "code": "error", "mixed": True}}
    rules = [{"code": "E:Funds", "category": "user_fixable", "executed": "no", "match": "part"}]
    classifier = Classifier([CodeRegistry.from_mapping("shop", {"envelope": envelope, "rules": rules})])
    error = classifier.error_in({"error": [], "orders": [{"id": 1}, {"error": "E:Funds"}]})
    assert error is not None
    failure = classifier.classify(error)
    assert (failure.executed, [item.code for item in failure.items]) == ("maybe", ["E:Funds"])
    assert classifier.error_in({"error": []}) is None
    several = classifier.error_in({"error": ["E:Funds:too few", "E:Other"]})
    assert several is not None
    assert parts_of(classifier.classify(several)) == (Category.USER_FIXABLE, "no", "E:Funds", "proven")


def test_the_url_of_a_response_goes_with_its_error() -> None:
    """Without its query, which may hold a signature."""
    answer = ListAnswer(b'{"code": "-1", "msg": "m"}')
    answer.url = "https://x/spot/order?signature=s3cr3t"  # type: ignore[attr-defined]
    error = CLASSIFIER.error_in(answer)
    assert isinstance(error, ApiError)
    assert error.resilience_url == "https://x/spot/order"
    assert CLASSIFIER.classify(error).remedy == "spot"
    assert CLASSIFIER.classify(answer).remedy == "spot"


class LibraryError(Exception):
    """An error as ccxt raises it: the exchange's id, then its answer or what ccxt made of it."""

    __module__ = "ccxt.base.errors"


@pytest.mark.parametrize(
    ("text", "status", "expected"),
    [
        ("shop no funds", None, (Category.USER_FIXABLE, "no", "no funds", "likely")),
        ("shop no funds", 400, (Category.USER_FIXABLE, "no", "no funds", "likely")),
        ("shop no funds", 502, (Category.USER_FIXABLE, "maybe", "no funds", "none")),
        ('shop {"code": "-2", "msg": "x"}', 502, (Category.FATAL, "no", "-2", "proven")),
        ('shop {"item": {"code": "-2"}, "msg": "x"}', 502, (Category.FATAL, "no", "-2", "proven")),
        ('shop {"item": {"code": "-2"}}', 502, (Category.FATAL, "maybe", "-2", "none")),
    ],
)
def test_an_error_of_ccxt(text: str, status: int | None, expected: tuple[Any, ...]) -> None:
    """The first word names the exchange, whose table need not be listed: its places of codes, and its texts."""
    classifier = Classifier([CodeRegistry.builtin("http")], lookup=lambda name: SHOP if name == "shop" else None)
    error = LibraryError(text)
    error.status_code = status  # type: ignore[attr-defined]
    assert parts_of(classifier.classify(error)) == expected
    other = LibraryError(text.replace("shop", "other"))
    assert classifier.classify(other).registry is None
    assert parts_of(classifier.classify(LibraryError("no words of it"), registry="shop"))[2:] == (None, "none")


def test_an_error_of_ccxt_without_the_exchange() -> None:
    """Then the client says whose error it is."""
    classifier = Classifier([CodeRegistry.builtin("http")], lookup=lambda name: SHOP if name == "shop" else None)
    failure = classifier.classify(LibraryError("There are no funds"), registry="shop")
    assert (failure.registry, failure.code) == ("shop", "no funds")
    assert classifier.classify(LibraryError("There are no funds"), registry="other").registry is None


def test_a_url_that_raises() -> None:
    """Whatever a foreign object does, the error is classified."""

    class Url:
        def __str__(self) -> str:
            raise RuntimeError

    error = ShopError({"code": -1, "msg": "?"})
    error.resilience_url = Url()  # type: ignore[assignment]
    assert CLASSIFIER.classify(error).remedy == "futures"
