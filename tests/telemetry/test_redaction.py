"""Tests of redaction: a planted secret is removed wherever it is in a text."""

from __future__ import annotations

import json
import threading
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.telemetry import redaction
from resilience.telemetry.redaction import (
    REDACTED,
    printable_without_secrets,
    redact,
    redact_fields,
    register_secret,
)
from resilience.telemetry.registered_secrets import MAX_PASSING, RegisteredSecrets, spellings

HEADERS = [
    "ACCESS-KEY",
    "ACCESS-SIGN",
    "ACCESS-PASSPHRASE",
    "Authorization",
    "X-MBX-APIKEY",
    "Cookie",
    "Set-Cookie",
    "OK-ACCESS-KEY",
    "KC-API-SIGN",
    "X-BAPI-SIGN",
    "passphrase",
    "secret",
    "password",
]
NAMES = [*HEADERS, "apiKey", "api_key", "apiSecret", "token", "access_token", "sign", "signature", "private_key", "key"]

words = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FFF, exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=30
)
secrets = words.map(lambda word: f"S3{word}cr3t")
names = st.sampled_from(NAMES)
around = st.text(st.sampled_from("abc {}[]()\"':=&?\\\n,"), max_size=12)


def is_removed(secret: str, text: str) -> bool:
    """Whether the redacted text has neither the secret nor an escaped form of it."""
    redacted = redact(text)
    forms = {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    return not any(form in redacted for form in forms)


@given(secrets, st.sampled_from(HEADERS), around)
def test_header_line(secret: str, name: str, before: str) -> None:
    """A header's value is removed up to the end of its line, spaces included."""
    assert is_removed(secret, f"{before}\n{name}: {secret} and more {secret}\r\nHost: api.example.com")


@given(secrets, names)
def test_header_pairs(secret: str, name: str) -> None:
    """Lists of pairs, of strings or bytes, are headers too."""
    assert is_removed(secret, f"Headers({[(name, secret), ('Host', 'x')]!r})")
    assert is_removed(secret, repr({name.encode(): secret.encode("ascii", "backslashreplace")}))


@given(secrets, names)
def test_query_value(secret: str, name: str) -> None:
    """A secret query value is removed; the names and the other values stay."""
    text = f"GET https://api.example.com/v2/orders?symbol=BTC&{urlencode({name: secret})}&limit=5 timed out"
    assert is_removed(secret, text)
    assert "symbol=BTC" in redact(text)
    assert redact(text).endswith("&limit=5 timed out")


@given(secrets)
def test_credentials_in_a_url(secret: str) -> None:
    """User and password before the host are removed; the host stays."""
    assert is_removed(secret, f"proxy https://bot:{quote(secret, safe='')}@proxy.example.com:8080 refused")
    assert "@proxy.example.com:8080 refused" in redact(
        f"https://bot:{quote(secret, safe='')}@proxy.example.com:8080 refused"
    )


@given(secrets, names, around)
def test_json_and_reprs(secret: str, name: str, before: str) -> None:
    """The value is removed from JSON, JSON inside JSON and the repr of a dict, whatever quotes it contains."""
    body = json.dumps({"symbol": "BTC", name: secret, "size": 1})
    assert is_removed(secret, body)
    assert is_removed(secret, json.dumps({"body": body}))
    assert is_removed(secret, f"error: {repr(body)[1:-1]}")
    assert is_removed(secret, repr({"symbol": "BTC", name: secret, "size": 1}))
    assert is_removed(secret, repr({"a": {"headers": {name: [secret, secret]}}}))


@given(st.text(st.sampled_from("abcXYZ019-._~+/="), min_size=8, max_size=60))
def test_bearer(token: str) -> None:
    """A bearer token is removed wherever it is."""
    assert token not in redact(f"sent 'Bearer {token}' to the server")


@given(st.text(st.sampled_from("abcXYZ019+/=\n"), min_size=30, max_size=200), st.booleans())
def test_pem(body: str, complete: bool) -> None:
    """A PEM block is removed as a whole, truncated or escaped or not."""
    text = f"key is -----BEGIN RSA PRIVATE KEY-----\n{body}\n" + (
        "-----END RSA PRIVATE KEY----- done" if complete else ""
    )
    assert body not in redact(text)
    assert json.dumps(body)[1:-1] not in redact(json.dumps(text))


@given(secrets, around, around)
def test_registered_value(secret: str, before: str, after: str) -> None:
    """A registered value is removed from any position: raw, URL-encoded or JSON-escaped."""
    register_secret(secret)
    assert is_removed(secret, f"{before}{secret}{after}")
    assert is_removed(secret, f"{before}{quote(secret, safe='')}{after}")
    assert is_removed(secret, f"{before}{json.dumps(json.dumps([secret]))}{after}")


def test_passing_values_are_bounded_and_safe_across_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last 512 passing values are remembered, whatever threads register them; permanent ones stay."""
    monkeypatch.setattr(redaction, "_registered", RegisteredSecrets())
    register_secret("a-credential")
    threads = [
        threading.Thread(target=lambda n=n: [register_secret(f"value-{n}-{i}", passing=True) for i in range(200)])
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(redaction._registered.passing) == MAX_PASSING
    assert {value for values in redaction._registered._anchors.values() for value in values} == {
        *redaction._registered.passing
    }
    register_secret("value-last", passing=True)
    assert redact("it is value-last") == f"it is {REDACTED}"
    assert redact("it is a-credential") == f"it is {REDACTED}"


@given(secrets, around, around)
def test_passing_value(secret: str, before: str, after: str) -> None:
    """A passing value is removed like a permanent one, in every spelling, among hundreds of others."""
    for number in range(5):
        register_secret(f"{number}-other-value", passing=True)
    register_secret(secret, passing=True)
    for form in spellings(secret):
        assert form not in redact(f"{before}{form}{after}").replace(REDACTED, "")


@pytest.mark.parametrize("values", [("é+/é",), ("++++", "abcd+/==", "+/=abcd", "abcdX"), ("  padded value  ",)])
def test_passing_values_of_odd_characters(values: tuple[str, ...]) -> None:
    """Some have no four characters that every encoding leaves alone, some share them with others."""
    registered = RegisteredSecrets()
    for value in values:
        registered.add(value, passing=True)
    for value in values:
        for form in spellings(value):
            assert form in registered.found_in(f"x{form}y")
    assert registered.found_in("nothing") == []
    assert registered.found_in("abcd is no secret" + " " * 2000) == []


def test_the_oldest_passing_values_are_forgotten() -> None:
    """Of those that share four characters the others stay."""
    registered = RegisteredSecrets()
    for number in range(MAX_PASSING + 3):
        registered.add(f"same{number}", passing=True)
        registered.add(f"same{number}", passing=True)
    assert registered.found_in("same1.") == []
    assert registered.found_in("same3.") == ["same3"]
    for number in range(MAX_PASSING):
        registered.add(f"{number:04}", passing=True)
    assert "same" not in registered._anchors


def test_a_value_that_a_signal_handler_registers_amid_another() -> None:
    """It is found at once, and the interrupted thread takes it up."""
    registered = RegisteredSecrets()
    with registered._lock:
        registered.add("of-the-handler")
        assert registered.found_in("it is of-the-handler") == ["of-the-handler"]
        assert not registered.permanent
    registered.add("next-value", passing=True)
    assert [*registered.permanent, *registered.passing] == ["of-the-handler", "next-value"]


def test_short_values_are_not_registered() -> None:
    """A value of three characters would be found inside ordinary words."""
    register_secret("the")
    assert redact("the end") == "the end"


@pytest.mark.parametrize(
    "text",
    [
        'bitget {"code":"40009","msg":"sign signature error","requestTime":1695808949356,"data":null}',
        "ACCESS-TIMESTAMP: 1659076670000",
        "HTTPSConnectionPool(host='api.bitget.com', port=443): Read timed out. (read timeout=5)",
        "the author designed a keyboard; monkey=1",
        "refused: the breaker of policy 'trade' is open for 4.2 s (key bot-1)",
        "",
    ],
)
def test_innocent_text_stays(text: str) -> None:
    """Text without a secret is unchanged."""
    assert redact(text) == text


def test_redacting_twice_changes_nothing_more() -> None:
    """Redacted text may be redacted again, as an event inside a report is."""
    once = redact('{"secret": "ab cd", "sign": "x"} ACCESS-KEY: k\nhttps://u:p@h/?token=t Bearer abcdefgh')
    assert redact(once) == once


@pytest.mark.parametrize(
    "piece",
    [
        '"secret":"',
        *(
            pytest.param(piece, marks=pytest.mark.slow)
            for piece in ("secret=\\", "eyJ-", "://", "secret=['", "x-", '"', "-----BEGIN A-----", "basic ")
        ),
    ],
)
def test_huge_text_takes_linear_time(piece: str) -> None:
    """Text that is made for backtracking is processed in linear time."""
    assert len(redact(piece * 30_000)) <= 30_001 * (len(piece) + len(REDACTED))


def test_fields() -> None:
    """In mappings the names decide, at any depth; other strings are redacted; the original is unchanged."""
    original = {
        "headers": {"ACCESS-KEY": "k", "ACCESS-TIMESTAMP": "1", "locale": "en-US"},
        "params": [{"sign": "s", "symbol": "BTC"}],
        "url": "https://x/?signature=s&limit=5",
        b"secret": b"abc",
        "cookies": {"session": "abc"},
        "size": 1.5,
        "none": None,
    }
    assert redact_fields(original) == {
        "headers": {"ACCESS-KEY": REDACTED, "ACCESS-TIMESTAMP": "1", "locale": "en-US"},
        "params": [{"sign": REDACTED, "symbol": "BTC"}],
        "url": f"https://x/?signature={REDACTED}&limit=5",
        b"secret": REDACTED,
        "cookies": REDACTED,
        "size": 1.5,
        "none": None,
    }
    assert original["params"] == [{"sign": "s", "symbol": "BTC"}]


def test_fields_with_cycles_and_odd_objects() -> None:
    """A mapping that contains itself and an object without a string are handled."""

    class Odd:
        def __str__(self) -> str:
            raise RuntimeError("no")

    loop: dict[str, object] = {"odd": Odd(), "error": ValueError("token=abc")}
    loop["self"] = loop
    redacted = redact_fields(loop)
    assert redacted["odd"] == "<Odd>"
    assert redacted["error"] == f"token={REDACTED}"


def test_a_secret_that_is_also_the_name_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Someone's passphrase is the word itself: the values that the word names are still found."""
    monkeypatch.setattr(redaction, "_registered", RegisteredSecrets(["passphrase", "S30!"]))
    assert redact("passphrase=S31cr3t passphrase: S32") == f"{REDACTED}={REDACTED} {REDACTED}: {REDACTED}"


@pytest.mark.parametrize("scheme", ["BASİC", "basıc", "Baſic", "BEARER", "bearer"])
def test_a_scheme_in_letters_of_another_case(scheme: str) -> None:
    """A program with a Turkish locale writes BASİC; a scheme is found in all letters that the patterns take for it."""
    expected = f"sent {scheme} {REDACTED}"
    assert redact(f"sent {scheme} dXNlcjpwYXNz") == expected
    assert printable_without_secrets(["price", f"sent {scheme} dXNlcjpwYXNz"]) == ["price", expected]


PARTS = st.sampled_from(
    [
        "price", "a-credential", "s1gn/+ature==", "s1gn%2F%2Bature%3D%3D", "api.example.com:443", "apiKey=ab12", "a, b",
        "\x1b[1m", "token", "Bearer abc", "", "key", "\u202e", "40010", "s1gn", "/+ature==",
    ]
)  # fmt: skip


@given(st.lists(st.lists(PARTS, max_size=3).map(" ".join), max_size=6))
def test_texts_are_searched_together_as_one_by_one(texts: list[str]) -> None:
    """The texts of a line come out as each of them does by itself, whatever is in the others."""
    before = redaction._registered
    redaction._registered = RegisteredSecrets(["a-credential"])
    try:
        register_secret("s1gn/+ature==", passing=True)
        together = printable_without_secrets(texts)
        assert together == [printable_without_secrets([text])[0] for text in texts]
        assert [text for text in together if not text.isprintable()] == []
        for text, clean in zip(texts, together, strict=True):
            assert clean == redact(text) or not text.isprintable()
    finally:
        redaction._registered = before
