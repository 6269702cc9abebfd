"""The caller gets an answer that proves nothing as it is: its body can be read, whichever client it came through."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import NOT_FOUND
from resilience.testing import FakeClock
from tests.integrations.http_clients import Ask, Got, HttpClient, every_client, policies
from tests.integrations.server import Server, answer


@every_client
@pytest.mark.parametrize("body", ["", '{"status": "received"}', "<html>"])
@pytest.mark.parametrize("status", [200, 202])
def test_it_can_be_read(client: HttpClient, body: str, status: int) -> None:
    """No lookup finds the order, so the answer itself is returned."""
    rules: Any = {"post": {"reconcile": lambda _call: NOT_FOUND}}
    with Server(answer(status, body, Content_Type="application/json")) as server:
        got = client.run(policies(FakeClock(), retry="off"), server.url, Ask("POST", body=b"{}"), operations=rules)
    assert got == [Got(status, body)]
