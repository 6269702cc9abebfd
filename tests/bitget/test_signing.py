"""Signatures, compared with vectors that another implementation produced."""

from __future__ import annotations

import pytest

from resilience.bitget.signing import prehash, sign, sign_login, sorted_query

SECRET = "secret-0123456789"
BODY = (
    '{"symbol":"BTCUSDT","side":"buy","orderType":"limit","force":"gtc","price":"23222.5","size":"1",'
    '"clientOid":"abc-1"}'
)


@pytest.mark.parametrize(
    ("method", "path", "params", "body", "signature"),
    [
        ("GET", "/api/v2/public/time", {}, "", "FTiSt3WesV2/+iiibKfIEu1LZyPwmTokCqziRH3lQ70="),
        (
            "GET",
            "/api/v2/spot/trade/orderInfo",
            {"clientOid": "abc-1"},
            "",
            "rOhxqtinYq31PHRvbgdnb2o2wTUbTUmiRoPJQxyML9U=",
        ),
        (
            "GET",
            "/api/v2/mix/order/detail",
            {"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "clientOid": "abc-1"},
            "",
            "Vias/xBxWuCyde2m59W9+7pzc7JwN8dI+ZKCqofTh/Q=",
        ),
        ("POST", "/api/v2/spot/trade/place-order", {}, BODY, "AeT3iXcb59dmL5jEJqxq6ylqT0Ys8e0PjBko7JsXCT4="),
    ],
)
def test_vectors(method: str, path: str, params: dict[str, str], body: str, signature: str) -> None:
    """Stamp, method, path, sorted unescaped query and body give the known signature."""
    assert sign(SECRET, prehash("1659076670000", method, path, sorted_query(params), body)) == signature


def test_login_vector() -> None:
    """A socket login signs a stamp in seconds."""
    assert sign_login(SECRET, "1659076670") == "zGO+7qiv+UxQDBK9rN1B89aBx4chWT+Gk49JQX3mrio="


def test_no_bare_question_mark() -> None:
    """The text to sign has no question mark without a query."""
    assert prehash("1", "get", "/x") == "1GET/x"
