"""Tests that events say where a request went: host and path, without ids."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import Policies, wrap
from resilience.bitget import BitgetClient
from resilience.integrations._path_templates import MAX_PATHS, PathTemplates, path_template, url_in
from resilience.testing import FakeClock
from tests.integrations.http_clients import Ask, HttpClient, every_client, policies
from tests.integrations.server import Server, answer


@every_client
def test_the_line_of_a_failed_request_has_host_and_path(client: HttpClient, caplog: pytest.LogCaptureFixture) -> None:
    """One line, for each client; no id and no query is in it."""
    with Server(answer(503, "busy")) as server:
        client.run(policies(FakeClock()), server.url, Ask("GET", "/api/v2/orders/12345?signature=abcdef"))
    (record,) = [record for record in caplog.records if record.name.startswith("resilience")]
    fields: Any = record
    assert (fields.event, fields.host, fields.path) == (
        "resilience.call_failed", server.url.removeprefix("http://"), "/api/v2/orders/*",
    )  # fmt: skip
    assert f"get {fields.host}/api/v2/orders/*" in record.getMessage()
    assert "12345" not in record.getMessage()


def test_an_operation_of_a_client_of_ours_has_its_endpoint(caplog: pytest.LogCaptureFixture) -> None:
    """By its name, or by the path of a generic call."""
    with Server(answer(503, "busy")) as server:
        client = BitgetClient("key-1234", "secret-1234", "phrase-1234", base_url=server.url)
        bot = wrap(client, "bitget", policies=Policies.builtin(clock=FakeClock()))
        for call in (bot.spot_ticker, lambda: bot.get("/api/v2/things/4711/list")):
            with pytest.raises(Exception):  # noqa: B017, PT011  # any error of the server
                call()
    paths = [record.path for record in caplog.records if record.name == "resilience.call"]  # type: ignore[attr-defined]
    assert paths == ["/api/v2/spot/market/tickers", "/api/v2/things/*/list"]


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/api/v2/orders/123", "/api/v2/orders/*"),
        ("/v1/klines", "/v1/klines"),
        ("/openApi/swap/place-order", "/openApi/swap/place-order"),
        ("/ticker/BTCUSDT", "/ticker/*"),
        ("/bot123456:AAF-xyz/sendMessage", "/*/sendMessage"),
        ("/orders/5f2b0b9c-2c2e-4b0e-9a53-3f1f1d1c1b1a/fills", "/orders/*/fills"),
        ("/a%2Fb/c", "/*/*"),
        ("/x" * 40, "/*" * 12),
        ("", ""),
        ("/", "/"),
    ],
)
def test_a_template_has_words_alone(path: str, template: str) -> None:
    """What may be an id, a symbol or a token is `*`."""
    assert path_template(path) == template


def test_the_templates_of_a_client_are_bounded() -> None:
    """Words that differ in each request end in `/*`. Without a URL there is no path."""
    templates = PathTemplates(url_in)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [f"/{one}{two}{three}" for one in letters for two in letters for three in letters][:1000]
    shown = {templates.of_call(("GET", f"http://x{word}"), {}) for word in words}
    assert len(shown) == MAX_PATHS + 1
    assert "/*" in shown
    assert templates.of_call((), {"url": f"http://x{words[0]}?a=b"}) == words[0]
    assert templates.of_call(("GET", "http://[broken"), {}) is None
