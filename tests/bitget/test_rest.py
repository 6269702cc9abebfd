"""The Bitget client against the sandbox, and against scripted responses that an exchange should not send."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from resilience import Policies, failure_of, wrap
from resilience.bitget import API_ERROR_CODE, BitgetApiError, BitgetClient, UndefinedParameterError
from resilience.sandbox import Sandbox
from tests.bitget.scripted import Scripted

ORDER = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": "50"}
SECRETS = ("key-CANARY-1", "secret-CANARY-2", "pass-CANARY-3")


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    """A scripted server."""
    with Scripted() as server:
        yield server


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """A calm exchange."""
    with Sandbox(window=2.0) as running:
        yield running


def client_of(exchange: Sandbox, **options: Any) -> BitgetClient:
    """Return a client with the exchange's credentials."""
    return BitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest, **options)


def test_named_calls(exchange: Sandbox) -> None:
    """Time, ticker, balance, place, query, open orders and cancel work, with signatures."""
    client = client_of(exchange)
    assert abs(client.server_time() - exchange.now()) < 60
    assert client.spot_ticker("BTCUSDT")[0]["symbol"] == "BTCUSDT"
    assert client.spot_balance("USDT")[0]["coin"] == "USDT"
    limit = {**ORDER, "orderType": "limit", "force": "gtc", "price": "100", "size": "1", "clientOid": "c-1"}
    placed = client.spot_place_order(**limit)
    assert placed["clientOid"] == "c-1"
    assert [order["orderId"] for order in client.spot_open_orders(symbol="BTCUSDT")] == [placed["orderId"]]
    assert client.spot_cancel_order(symbol="BTCUSDT", clientOid="c-1")["orderId"] == placed["orderId"]
    assert client.spot_order(clientOid="c-1")["status"] == "cancelled"
    assert client.spot_order(clientOid="never") is None


def test_the_fields_of_an_error(exchange: Sandbox) -> None:
    """Code and message are those of HTTP, the body has Bitget's own code, and a constant names it."""
    with pytest.raises(BitgetApiError) as caught:
        client_of(exchange).spot_place_order(**{**ORDER, "size": "99999999999"})
    error = caught.value
    assert (error.code, error.message) == (400, "Bad Request")
    assert error.body["code"] == error.api_code == API_ERROR_CODE.INSUFFICIENT_BALANCE
    assert error.headers["content-type" if "content-type" in error.headers else "Content-Type"] == "application/json"
    assert (error.request_options["method"], error.request_options["path"]) == (
        "POST",
        "/api/v2/spot/trade/place-order",
    )
    assert failure_of(error).category == "user_fixable"
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (other.args, vars(other)) == (error.args, vars(error))


@pytest.mark.parametrize(
    ("status", "content", "code", "category", "executed"),
    [
        (200, b'{"code":"43012","msg":"Insufficient balance"}', "43012", "user_fixable", "no"),
        (200, b'{"code":40010,"msg":"Request timed out"}', "40010", "retryable", "maybe"),
        (400, b'{"code":"40014","msg":"Incorrect permissions"}', "40014", "user_fixable", "no"),
        (429, b'{"code":"429","msg":"Too Many Requests"}', "429", "retryable", "no"),
        (200, b'{"code":"00000","msg":"suc', "decode_error", "retryable", "maybe"),
        (200, b"", "decode_error", "retryable", "maybe"),
        (200, b"[]", "decode_error", "retryable", "maybe"),
        (200, b'{"msg":"no code"}', "decode_error", "retryable", "maybe"),
        (200, b'{"code":"00000","data":{"orderId":null}}', "decode_error", "retryable", "maybe"),
        (502, b"<html>Bad gateway</html>", "502", "retryable", "maybe"),
        (500, b'{"code":"00000","data":{"orderId":"1"}}', "500", "retryable", "maybe"),
        (503, b"<html>", "503", "retryable", "maybe"),
        (200, b'{"code":"99999","msg":"new"}', "99999", "retryable", "maybe"),
    ],
)
def test_the_meaning_of_a_response(
    scripted: Scripted, status: int, content: bytes, code: str, category: str, executed: str
) -> None:
    """The code counts and not HTTP 200; an unreadable response may have been executed."""
    scripted.answer = status, content
    with pytest.raises(BitgetApiError) as caught:
        BitgetClient(*SECRETS, base_url=scripted.url).spot_place_order(**ORDER)
    failure = failure_of(caught.value)
    assert (failure.code, failure.category, failure.executed) == (code, category, executed)


def test_numeric_success(scripted: Scripted) -> None:
    """0, "0" and "00000" all mean success."""
    client = BitgetClient(base_url=scripted.url)
    for code in (0, "0", "00000"):
        scripted.answer = 200, json.dumps({"code": code, "data": {"serverTime": "5000"}}).encode()
        assert client.server_time() == 5.0


def test_a_partial_failure_is_an_error(exchange: Sandbox) -> None:
    """A batch of which a part failed raises an error that lists the items, although its code is 00000."""
    orders = [{**ORDER, "clientOid": "a"}, {**ORDER, "size": "0.01", "clientOid": "b"}]
    with pytest.raises(BitgetApiError) as caught:
        client_of(exchange).post("/api/v2/spot/trade/batch-orders", {"symbol": "BTCUSDT", "orderList": orders})
    assert [item["clientOid"] for item in caught.value.failures] == ["b"]
    assert caught.value.api_code == "45110"
    assert failure_of(caught.value).executed == "maybe"
    assert [row["clientOid"] for row in exchange.ledger()["orders"]] == ["a"]


def test_undefined_parameters(scripted: Scripted) -> None:
    """None is omitted without changing the caller's mapping, or rejected by name before anything is sent."""
    scripted.answer = 200, b'{"code":"00000","data":{"orderId":"1","serverTime":"1"}}'
    params = {"symbol": "BTCUSDT", "orderId": None, "list": [{"a": 1, "b": None}]}
    before = copy.deepcopy(params)
    loose = BitgetClient(*SECRETS, base_url=scripted.url)
    loose.get("/api/v2/spot/trade/fills", {"symbol": "BTCUSDT", "orderId": None})
    loose.post("/api/v2/spot/x", params)
    assert scripted.seen[0][1] == "/api/v2/spot/trade/fills?symbol=BTCUSDT"
    assert json.loads(scripted.seen[1][2]) == {"symbol": "BTCUSDT", "list": [{"a": 1}]}
    strict = BitgetClient(*SECRETS, base_url=scripted.url, strict_param_validation=True)
    for call in (
        lambda: strict.get("/x", {"orderId": None}),
        lambda: strict.post("/x", {"orderId": None}),
        lambda: strict.spot_place_order(**ORDER, orderId=None),
    ):
        with pytest.raises(UndefinedParameterError, match="orderId"):
            call()
    with pytest.raises(UndefinedParameterError, match=r"list\[0\]\.b"):
        strict.post("/x", {"list": [{"b": None}]})
    assert params == before
    assert len(scripted.seen) == 2
    assert not issubclass(UndefinedParameterError, BitgetApiError)
    strict.spot_ticker()
    assert len(scripted.seen) == 3


def test_credentials() -> None:
    """All three credentials or none; a private call without them is rejected before sending."""
    with pytest.raises(ValueError, match="all needed"):
        BitgetClient("key", "secret")
    with pytest.raises(ValueError, match="private"):
        BitgetClient(base_url="http://127.0.0.1:1").spot_balance()
    with pytest.raises(ValueError, match="receive_window"):
        BitgetClient(receive_window=60)


def test_every_attempt_has_a_new_signature(scripted: Scripted) -> None:
    """Stamp and signature differ between attempts, the key does not."""
    now = iter(range(1_700_000_000, 1_700_000_100))
    client = BitgetClient(*SECRETS, base_url=scripted.url, clock=lambda: float(next(now)))
    scripted.answer = 429, b'{"code":"429","msg":"Too Many Requests","requestTime":1700000000000}'
    policies = Policies.from_mapping(
        {"policies": {"bitget": {"codes": ["bitget"], "retry": {"max_attempts": 3, "backoff": {"initial": 0}}}}}
    )
    with pytest.raises(BitgetApiError):
        wrap(client, "bitget", policies=policies).spot_place_order(**ORDER)
    heads = [headers for *_, headers in scripted.seen]
    assert len({head["access-timestamp"] for head in heads}) == 3
    assert len({head["access-sign"] for head in heads}) == 3
    assert len({json.loads(body)["clientOid"] for _, _, body, _ in scripted.seen}) == 1


def test_no_secret_in_our_texts(scripted: Scripted, capsys: pytest.CaptureFixture[str]) -> None:
    """No text of ours contains a secret, whatever fails; errors of other libraries are raised unchanged."""
    client = BitgetClient(*SECRETS, base_url=scripted.url, timeout=60)
    texts = [repr(client), str(vars(wrap(client))["_resilience_client"])]
    for status, content in ((400, b'{"code":"40009","msg":"sign"}'), (502, b"<html>"), (200, b"{")):
        scripted.answer = status, content
        for call in (
            client.spot_balance,
            wrap(client, "bitget").spot_balance if status == 400 else client.spot_balance,
        ):
            with pytest.raises(BitgetApiError) as caught:
                call()
            error = caught.value
            texts += [
                str(error),
                repr(error),
                repr(vars(error)),
                str(pickle.dumps(error)),
                repr(getattr(error, "__notes__", [])),
            ]
            texts += [repr(failure_of(error))]
    scripted.server.shutdown()
    scripted.server.server_close()
    with pytest.raises(requests.RequestException) as gone:
        wrap(client, "default").spot_balance()
    texts += [repr(getattr(gone.value, "__notes__", [])), repr(failure_of(gone.value)), *capsys.readouterr()]
    signatures = [headers["access-sign"] for *_, headers in scripted.seen if "access-sign" in headers]
    assert signatures
    for secret in (*SECRETS, *signatures):
        assert all(secret not in text for text in texts)


def test_a_wrapped_client_is_a_client(exchange: Sandbox) -> None:
    """`isinstance` holds, attributes work, and generic calls are distinguished by their path."""
    client = wrap(client_of(exchange), "bitget", policies=Policies.load(exchange.policy))
    assert isinstance(client, BitgetClient)
    assert client.base_url == exchange.rest
    placed = client.post("/api/v2/spot/trade/place-order", ORDER)
    assert len(placed["data"]["clientOid"]) == 32
    assert client.get("/api/v2/public/time")["code"] == "00000"


@pytest.mark.parametrize(
    "fault", ["accept_drop", "accept_500", "accept_40725", "accept_hang", "truncated_json", "empty_body"]
)
def test_an_uncertain_order_is_found(exchange: Sandbox, fault: str) -> None:
    """Whatever hides the response, the order is reported as done and executed once."""
    exchange.set_faults(rates={fault: 1})
    client = wrap(client_of(exchange), "bitget", policies=Policies.load(exchange.policy))
    placed = client.spot_place_order(**ORDER, clientOid="only")
    assert (placed["clientOid"], placed["status"]) == ("only", "filled")
    assert exchange.ledger()["orders"][0]["executions"] == 1


def test_an_order_of_another_call_is_not_taken_for_ours(exchange: Sandbox) -> None:
    """An older order with the same key is not reported as this one."""
    client = client_of(exchange)
    client.spot_place_order(**ORDER, clientOid="taken")
    exchange.set_faults(rates={"refuse_40725": 1})
    with pytest.raises(BitgetApiError) as caught:
        wrap(client, "bitget", policies=Policies.load(exchange.policy)).spot_place_order(
            **{**ORDER, "size": "60"}, clientOid="taken"
        )
    failure = failure_of(caught.value)
    assert (failure.executed, failure.key) == ("maybe", "taken")
    assert "taken" in failure.remedy


def test_an_uncertain_cancel_is_looked_up(exchange: Sandbox) -> None:
    """A cancel whose response is lost returns the order's current status."""
    client = wrap(client_of(exchange), "bitget", policies=Policies.load(exchange.policy))
    client.spot_place_order(
        **{**ORDER, "orderType": "limit", "force": "gtc", "price": "100", "size": "1"}, clientOid="c"
    )
    exchange.set_faults(rates={"accept_drop": 1})
    assert client.spot_cancel_order(symbol="BTCUSDT", clientOid="c")["status"] == "cancelled"


def test_a_rejected_stamp_is_raised_if_the_time_cannot_be_queried(scripted: Scripted) -> None:
    """The client queries the time after a rejection without it; if that fails, the caller gets the rejection."""
    scripted.answer = (400, b'{"code": "40008", "msg": "Request timestamp expired"}')
    client = BitgetClient(*SECRETS, base_url=scripted.url)
    served = []

    def fail() -> float:
        served.append(1)
        raise requests.ConnectionError("down")

    client.server_time = fail  # type: ignore[method-assign]
    with pytest.raises(BitgetApiError, match="40008"):
        client.spot_place_order(**ORDER)
    assert served == [1]
