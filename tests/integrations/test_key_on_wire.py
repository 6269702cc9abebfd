"""A key is found in a finished request in every form that APIs use, and nowhere else."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, urlencode

import pytest

from resilience.integrations._key_on_wire import carries_key

KEY = 'a/b+c =é"d'
PAYLOAD = json.dumps({"request": "/v1/order/new", "client_order_id": "mine-1"}).encode()


@pytest.mark.parametrize("key", ["mine-1", "0123456789abcdef0123456789abcdef", KEY])
@pytest.mark.parametrize("place", ["url", "body", "bytes", "fields", "header", "pairs"])
@pytest.mark.parametrize("form", ["quote", "urlencode", "json", "lower"])
def test_a_key_is_found_wherever_it_travels(key: str, place: str, form: str) -> None:
    """Percent-encoded, in a form, JSON-escaped or in lower-case escapes, in each part of a request."""
    text = {
        "quote": "/orders/" + quote(key, safe=""),
        "urlencode": urlencode({"symbol": "BTC", "id": key, "side": "buy"}),
        "json": json.dumps({"id": key}),
        "lower": "/orders/" + quote(key, safe="").replace("%2F", "%2f").replace("%2B", "%2b"),
    }[form]
    url, headers, body = "https://api.example/v1", {}, None
    match place:
        case "url":
            url += "?" + text
        case "body":
            body = text
        case "bytes":
            body = text.encode()
        case "fields":
            body = {"id": key}
        case "header":
            headers = {"X-Payload": text}
        case _:
            headers = [("X-Payload", text.encode())]
    assert carries_key(key, url, headers, body)


@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
def test_a_key_inside_base64(encode: object) -> None:
    """Gemini and Bitfinex send the payload in a header, coinone sends it as the body, some send a web token."""
    encoded = encode(PAYLOAD).decode()  # type: ignore[operator]  # two functions of one shape
    assert carries_key("mine-1", "https://x/", {"X-GEMINI-PAYLOAD": encoded}, None)
    assert carries_key("mine-1", "https://x/", {}, encoded.encode())
    assert carries_key("mine-1", "https://x/", {"Authorization": f"Bearer e30.{encoded.rstrip('=')}.c2ln"}, "")
    assert carries_key("mine-1", "https://x/", {}, urlencode({"payload": encoded}))
    assert not carries_key("mine-2", "https://x/", {"X-GEMINI-PAYLOAD": encoded}, encoded)


def test_a_part_of_a_word_is_no_key() -> None:
    """A signature or a longer id may contain a short key by chance; a venue's prefix with a dash is none of it."""
    assert not carries_key("a1", "https://x/", {"sign": "ff0a1c"}, '{"id": "ba1"}')
    assert carries_key("a1", "https://x/", {}, '{"text":"t-a1"}')
    assert carries_key("7", "https://x/", {}, '{"userref":7}')
    assert carries_key("7", "https://x/", {}, {"userref": 7})


@pytest.mark.parametrize("body", [None, b"", "", iter([b"mine-1"]), object()])
def test_a_body_that_cannot_be_read_carries_no_key(body: object) -> None:
    """Nothing is consumed by the check, and an empty key is on no request."""
    assert not carries_key("mine-1", "https://x/", None, body)
    assert not carries_key("", "https://x/", None, "x")
