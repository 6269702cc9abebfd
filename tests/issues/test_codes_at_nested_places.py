"""An API may keep its code inside another field, in a list of items, or as one of several plain strings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ccxt
import pytest

from resilience import ApiError, Classifier, CodeRegistry, failure_of
from resilience.testing import FakeClock
from tests.conftest import Driver
from tests.integrations.http_clients import Ask, HttpClient, every_client, policies
from tests.integrations.server import Server, answer

ROWS = {
    "10009": {"category": "user_fixable", "executed": "no", "remedy": "Deposit more"},
    "-32602": {"category": "fatal", "executed": "no", "remedy": "Fix the parameters"},
    "51008": {"category": "user_fixable", "executed": "no", "remedy": "Deposit more"},
    "50004": {"category": "retryable", "executed": "maybe", "remedy": "Look for the order"},
    "EOrder:Insufficient funds": {"category": "user_fixable", "executed": "no", "remedy": "Deposit more"},
    "429": {"category": "retryable", "executed": "no", "remedy": "Wait"},
    "0": {"executed": "n_a"},
}
RPC = {"code": "error.code", "message": "error.message", "always": ["jsonrpc"], "success": ["0"]}
LISTED = {"code": "error.code"}
ITEMS = {"code": ["data.sCode", "code"], "message": ["data.sMsg", "msg"], "success": ["0"]}


VENUE = """
envelope: {code: error.code, message: error.message, always: [jsonrpc]}
rules:
  - {code: "10009", category: user_fixable, executed: no, remedy: "Deposit more"}
  - {code: "10047", category: retryable, executed: no, remedy: "Wait for the queue"}
"""


def table(envelope: dict[str, Any]) -> CodeRegistry:
    """Return a table with this envelope."""
    return CodeRegistry.from_mapping("venue", {"envelope": envelope, "rules": ROWS})


FAILED = [
    (RPC, {"jsonrpc": "2.0", "error": {"code": 10009, "message": "no funds"}}, "10009", "no funds"),
    (RPC, {"jsonrpc": "2.0", "error": {"code": -32602, "message": "bad"}}, "-32602", "bad"),
    (RPC, {"jsonrpc": "2.0", "error": {"code": -32000}}, "-32000", ""),
    (RPC, {"error": {"message": "lost its code"}}, "unknown", "lost its code"),
    (RPC, {"error": {"code": None, "message": "lost its code"}}, "unknown", "lost its code"),
    (RPC, {"error": {"code": {"deep": 1}}}, "unknown", ""),
    (RPC, {"error": True}, "unknown", ""),
    (RPC, {"error": "failed"}, "failed", ""),
    (RPC, {"error": "too long to be a code " * 5}, "unknown", "too long to be a code " * 5),
    (LISTED, {"error": ["EOrder:Insufficient funds"]}, "EOrder:Insufficient funds", ""),
    (LISTED, {"error": ["", "EOrder:Insufficient funds"], "result": {}}, "EOrder:Insufficient funds", ""),
    (LISTED, {"error": ("EService:Busy",)}, "EService:Busy", ""),
    (LISTED, {"error": [10009]}, "10009", ""),
    (LISTED, {"error": [["nested"]]}, "unknown", ""),
    ({"code": "errors"}, {"errors": [10009]}, "10009", ""),
    (ITEMS, {"code": "1", "msg": "failed", "data": [{"sCode": "51008", "sMsg": "funds"}]}, "51008", "funds"),
    (ITEMS, {"code": "0", "msg": "", "data": [{"sCode": "51008", "sMsg": ""}]}, "51008", ""),
    (
        ITEMS,
        {"code": "2", "data": [{"sCode": "0", "sMsg": "done"}, {"sCode": "51008", "sMsg": "funds"}]},
        "51008",
        "funds",
    ),
    (ITEMS, {"code": "50004", "msg": "timed out", "data": []}, "50004", "timed out"),
    (ITEMS, {"code": "0", "msg": "", "data": [{"sMsg": "lost its code"}]}, "unknown", "lost its code"),
    (
        {"code": "result.status.code", "message": "result.status.text"},
        {"result": {"status": {"code": 7, "text": "t"}}},
        "7",
        "t",
    ),
    ({"code": "c", "message": "m", "success": ["0"]}, {"c": -1021, "m": "late"}, "-1021", "late"),
    ({"code": "c", "success": ["0"]}, {"c": -1021}, "-1021", ""),
    ({"code": "label", "message": "message"}, {"label": "BALANCE_LOW", "message": "m"}, "BALANCE_LOW", "m"),
    ({"code": "label", "always": ["trace"]}, {"label": "BALANCE_LOW", "trace": 1}, "BALANCE_LOW", ""),
]


@pytest.mark.parametrize(("envelope", "body", "code", "message"), FAILED)
def test_a_body_that_is_an_error(envelope: dict[str, Any], body: dict[str, Any], code: str, message: str) -> None:
    """The first code that is no success counts; something else in the place of an error is an error all the same."""
    error = Classifier([table(envelope)]).error_in(body)
    assert isinstance(error, ApiError)
    assert (error.code, error.message, error.body) == (code, message, body)


@pytest.mark.parametrize(
    ("envelope", "body"),
    [
        (RPC, {"jsonrpc": "2.0", "result": "ok"}),
        (RPC, {"error": None, "result": 1}),
        (RPC, {"error": {}}),
        (RPC, {"error": {"code": None, "message": ""}}),
        (RPC, {"error": {"code": 0, "message": "fine"}}),
        (RPC, {"error": False}),
        (LISTED, {"error": [], "result": {"txid": ["O1"]}}),
        (LISTED, {"result": {}}),
        (ITEMS, {"code": "0", "msg": "", "data": [{"sCode": "0", "sMsg": ""}]}),
        (ITEMS, {"code": "0", "msg": "", "data": [{"instId": "BTC-USDT", "last": "1"}]}),
        (ITEMS, {"code": "0", "msg": "", "data": []}),
        ({"code": "code", "message": "msg", "success": ["ok"]}, {"code": "BTC", "precision": 8}),
        ({"code": "label", "always": ["trace"]}, {"label": "a title"}),
    ],
)
def test_a_body_that_is_a_success(envelope: dict[str, Any], body: dict[str, Any]) -> None:
    """An empty place of an error, and rows of data under a code that means success, are no errors."""
    assert Classifier([table(envelope)]).error_in(body) is None


class Hostile(dict[str, Any]):
    """A mapping that raises whatever it is asked."""

    def get(self, *_: Any) -> Any:
        """Raise."""
        raise RuntimeError("no")


@pytest.mark.parametrize("envelope", [RPC, LISTED, ITEMS, {"code": "code"}])
def test_a_body_that_raises_is_returned(envelope: dict[str, Any]) -> None:
    """A mapping of somebody else's class may raise: the call itself was a success."""
    assert Classifier([table(envelope)]).error_in(Hostile(code=1)) is None
    assert Classifier([table(envelope)]).error_in({"error": Hostile(code=1), "data": [Hostile()], "code": "0"}) is None


def test_a_call_raises_and_retries_by_the_nested_code(driver: Driver, tmp_path: Path) -> None:
    """The row of the nested code decides: a full queue is tried again, a refusal is not."""
    (tmp_path / "venue.yaml").write_text(VENUE, "utf-8")
    busy, poor = ({"jsonrpc": "2.0", "error": {"code": code, "message": "m"}} for code in (10047, 10009))
    send = driver.transport([busy, {"jsonrpc": "2.0", "result": {"order": 1}}, busy, poor])
    mine = policies(FakeClock(), codes=[str(tmp_path / "venue.yaml"), "http"])
    order = mine.resilient("p")(send)
    assert driver.call(order) == {"jsonrpc": "2.0", "result": {"order": 1}}
    with pytest.raises(ApiError) as caught:
        driver.call(order)
    assert (caught.value.code, failure_of(caught.value).remedy, len(send.calls)) == ("10009", "Deposit more", 4)


@pytest.mark.parametrize(
    ("codes", "executed"),
    [(["51008"], "no"), (["51008", "51008"], "no"), (["0", "51008"], "maybe"), (["51008", "50004"], "maybe")],
)
def test_a_list_with_several_outcomes_is_uncertain(codes: list[str], executed: str) -> None:
    """If one item of a batch was refused and another was not, the request as a whole may have taken effect."""
    body = {"code": "1", "msg": "m", "data": [{"sCode": code, "sMsg": "m"} for code in codes]}
    classifier = Classifier([table(ITEMS)])
    error = classifier.error_in(body)
    assert error is not None
    assert classifier.classify(error).executed == executed
    assert classifier.classify(body).executed == executed


@every_client
def test_responses_of_every_client(client: HttpClient, tmp_path: Path) -> None:
    """A nested code under a 200 is an error of the call, with every HTTP client."""
    (tmp_path / "venue.yaml").write_text(VENUE, "utf-8")
    good = {"jsonrpc": "2.0", "result": 1}
    poor = {"jsonrpc": "2.0", "error": {"code": 10009, "message": "no funds"}}
    codes = [str(tmp_path / "venue.yaml"), "http"]
    with Server(answer(body=good), answer(body=poor)) as server:
        first, error = client.run(policies(FakeClock(), codes=codes), server.url, Ask(), Ask())
    assert first.status == 200
    assert isinstance(error, ApiError)
    failure = failure_of(error)
    assert (error.code, error.message, error.http_status) == ("10009", "no funds", 200)
    assert (failure.category, failure.remedy, failure.http_status) == ("user_fixable", "Deposit more", 200)


@every_client
def test_the_status_of_a_response_stays_with_its_error(client: HttpClient) -> None:
    """`ApiError.http_status` says under which status a code came, and the wish of the server is kept."""
    busy = {"code": "429", "msg": "Too Many Requests", "requestTime": 1}
    with Server(answer(429, busy, Retry_After="7"), answer(429, busy), answer(429, busy)) as server:
        clock = FakeClock()
        (error,) = client.run(policies(clock, codes=["bitget", "http"]), server.url, Ask())
    assert isinstance(error, ApiError)
    assert (error.code, error.http_status, error.retry_after) == ("429", 429, None)
    assert clock.sleeps[0] >= 7


GATEWAY = [
    (502, {"code": 429, "msg": "Too Many Requests", "requestTime": 1}),
    (502, {"code": 429, "msg": "Too Many Requests"}),
    (503, {"code": 503, "message": "upstream timed out"}),
    (200, {"code": 503, "msg": "upstream timed out"}),
    (200, {"code": "429", "msg": "Too Many Requests", "requestTime": 1}),
]


@every_client
@pytest.mark.parametrize(("status", "body"), GATEWAY)
def test_a_code_that_repeats_another_status_proves_nothing(
    client: HttpClient, status: int, body: dict[str, Any]
) -> None:
    """A gateway's JSON after it has passed the request on is no refusal: a POST is sent once."""
    with Server(*[answer(status, body)] * 3) as server:
        got = client.run(policies(FakeClock(), codes=["bitget", "http"]), server.url, Ask("POST", "/o", body=b"{}"))
        assert (len(got), len(server.requests)) == (1, 1)
    if isinstance(got[0], ApiError):
        assert failure_of(got[0]).executed == "maybe"


@pytest.mark.parametrize("body", [{"code": 503, "message": "upstream timed out"}, {"code": 429, "msg": "m"}])
def test_a_returned_mapping_with_a_status_as_its_code(driver: Driver, body: dict[str, Any]) -> None:
    """A function's answer has no HTTP status, so nothing tells the number from a gateway's: an error, unproven."""
    send = driver.transport([body, body])
    with pytest.raises(ApiError) as caught:
        driver.call(policies(FakeClock(), codes=["bitget", "http"]).resilient("p")(send))
    assert (failure_of(caught.value).executed, len(send.calls)) == ("maybe", 1)


def test_an_error_without_a_code_is_uncertain() -> None:
    """The API says that something failed and not what: a status of 400 under it proves nothing."""
    classifier = Classifier([table(RPC), CodeRegistry.builtin("http")])
    error = classifier.error_in({"jsonrpc": "2.0", "error": {"message": "m"}})
    assert error is not None
    error.http_status = 400
    assert classifier.classify(error).executed == "maybe"


def test_the_time_of_an_item_is_that_of_the_answer() -> None:
    """OKX has its time in the items alone: with it the request is known to have arrived, so W is not waited for."""
    item = {"ordId": "", "clOrdId": "k", "ts": "1780308005125", "sCode": "51149", "sMsg": "Order timed out."}
    error = ccxt.ExchangeError(f"okx {json.dumps({'code': '1', 'msg': '', 'data': [item]})}")
    failure = failure_of(error)
    assert (failure.code, failure.executed, failure.answered_at) == ("51149", "maybe", 1780308005.125)
