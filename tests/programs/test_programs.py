"""Programs with a framework each, as users write them: what their users see of an exchange that fails now and then."""

from __future__ import annotations

import ast
import json
import signal
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from resilience.sandbox import Sandbox
from tests.programs.conftest import FAULTS, FOLDER, environment, require, run, start

Executions = Callable[[], Counter[str]]
TOO_SMALL = {"code": "45110", "executed": "no", "remedy": "Raise order value to the minimum (usually 5 USDT)"}


@pytest.fixture
def faulty(exchange: Sandbox) -> Sandbox:
    """The exchange, with faults."""
    exchange.set_faults(seed=7, rates=FAULTS)
    return exchange


@pytest.mark.slow
@pytest.mark.parametrize(("program", "prefix", "orders"), [("gevent_bot", "green", 20), ("uvloop_bot", "uv", 20)])
def test_bots_of_other_loops(
    program: str, prefix: str, orders: int, faulty: Sandbox, account: dict[str, str], executions: Executions
) -> None:
    """Of twenty orders at once each is executed once; the one that is too small shows what to do."""
    results, _ = run(program, **account)
    placed = {row["number"]: row for row in results if isinstance(row, dict) and "number" in row}
    assert placed.pop(0) == {"number": 0, **TOO_SMALL}
    assert executions() == {f"{prefix}-{number}": 1 for number in range(1, orders)}
    assert {number for number, row in placed.items() if "exchange_id" in row} == set(range(1, orders))
    assert "given up" in results  # a timeout of the loop's own kind ends a call, and is what the caller sees


def test_gevent_goes_on_during_waits(account: dict[str, str]) -> None:
    """Waits of the library are gevent's own: other greenlets run, and a killed one ends as gevent says."""
    results, errors = run("gevent_bot", **account)
    assert ["stopped", True] in results
    assert results[-1]["ticks"] > 1
    assert "Traceback" not in errors


@pytest.mark.slow
def test_uvloop_cancels_and_fails_as_asyncio_does(account: dict[str, str]) -> None:
    """A refused connection is known not to have been sent, and a cancelled call is cancelled."""
    results, errors = run("uvloop_bot", **account)
    assert ["retryable", "no", 3] in results
    assert ["uvloop", "CancelledError"] in results
    assert "Traceback" not in errors


def test_celery_delivers_twice_and_places_once(
    faulty: Sandbox, account: dict[str, str], executions: Executions
) -> None:
    """A task that is delivered again finds its order done; a refused one returns the remedy; Celery's retries work."""
    results, errors = run("celery_worker", **account)
    orders = [row for row in results if "order" in row]
    placed = [row["order"] for row in orders if row["state"] == "done"]
    assert sorted(placed) == sorted(f"task-{number}" for number in range(12))
    assert Counter(row["state"] for row in orders) == {"done": 12, "done before": 4, "failed": 1}
    assert orders[-1] == {"order": "too-small", "state": "failed", **TOO_SMALL}
    assert executions() == {f"task-{number}": 1 for number in range(12)}
    assert results[-1] == {"runs": 2}
    assert "Traceback" not in errors


def test_django_views(faulty: Sandbox, account: dict[str, str], executions: Executions) -> None:
    """Sync and async views place each order once, and the middleware shows the remedy of an error."""
    results, errors = run("django_views", **account)
    assert [status for status, _ in results] == [201] * 4 + [422] + [201] * 4 + [200, 503]
    assert results[4][1] == TOO_SMALL
    assert results[-1][1] == {
        "code": "connection_refused", "executed": "no", "remedy": "Nobody takes the connection; try again later",
    }  # fmt: skip
    names = [f"{kind}-{number}" for kind in ("view", "async") for number in range(4)]
    assert executions() == dict.fromkeys(names, 1)
    assert "Traceback" not in errors


@pytest.mark.slow
def test_fastapi_service(faulty: Sandbox, account: dict[str, str], executions: Executions) -> None:
    """Requests at once are placed once each, one that is sent again too; errors are answers with a remedy."""
    faulty.script("slow", ["accept_drop"])
    process = start("fastapi_service", **account)
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())

        def post(order: dict[str, str]) -> Any:
            answer = requests.post(f"{url}/orders", json=order, timeout=60)
            return answer.status_code, answer.json()

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(post, [{"id": f"api-{number}"} for number in range(12)]))
        assert [status for status, _ in answers] == [201] * 12
        assert post({"id": "too-small", "size": "0.001"}) == (422, TOO_SMALL)
        assert post({"id": "slow"})[0] == 201
        assert requests.get(f"{url}/time", timeout=60).json()["data"]["serverTime"]
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert executions() == dict.fromkeys([f"api-{number}" for number in range(12)] + ["slow"], 1)
    assert "Traceback" not in errors.replace("KeyboardInterrupt", "")


@pytest.mark.slow
def test_twenty_symbols(faulty: Sandbox, account: dict[str, str], executions: Executions) -> None:
    """One symbol that the exchange does not have stops alone; the other twenty place their order once."""
    results, errors = run("twenty_symbols", **account)
    assert [result[:2] for result in results] == [[20, "CancelledError"]]
    assert [row[0] for row in results[0][2]] == ["NONE/USDT"]  # ccxt knows no such market and sends nothing
    placed = executions()
    assert (len(placed), set(placed.values())) == (20, {1})
    assert "Traceback" not in errors


def test_nested_loops(faulty: Sandbox, account: dict[str, str], executions: Executions) -> None:
    """Calls run in a loop inside a busy loop, under a policy of their own, and each order is placed once."""
    results, errors = run("nested_loop", **account)
    assert results[:6] == [f"nested-{number}" for number in range(6)]
    assert results[6:] == [list(TOO_SMALL.values()), [[1, 2], 3, {"1": 2, "2": 2, "3": 2}]]
    assert executions() == {f"nested-{number}": 1 for number in range(6)}
    assert "Traceback" not in errors


def test_a_notebook(faulty: Sandbox, account: dict[str, str], executions: Executions) -> None:
    """Cells that await, sync calls, and a loop inside the kernel's own: what each cell shows is what a script shows."""
    require("notebook")
    from jupyter_client.manager import start_new_kernel

    cells = (FOLDER / "notebook.py").read_text(encoding="utf-8").split("# %%\n")[1:]
    manager, client = start_new_kernel(env=environment(**account))
    shown: list[Any] = []

    def show(message: dict[str, Any]) -> None:
        if message["msg_type"] == "execute_result":
            shown.append(ast.literal_eval(message["content"]["data"]["text/plain"]))

    try:
        ends = [client.execute_interactive(cell, timeout=120, output_hook=show)["content"]["status"] for cell in cells]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert ends == ["ok"] * len(cells)
    names = [f"cell-{number}" for number in range(6)]
    assert shown == [names, list(TOO_SMALL.values()), "sync", 2, "nested"]
    assert executions() == dict.fromkeys([*names, "sync", "nested"], 1)
