"""The same error, met by a program, as its traceback, as its log line and as its code, is explained alike."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import socket
import traceback
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import aiohttp
import httpx
import pytest
import requests
import structlog
import urllib3

from resilience import ApiError, CircuitOpenError, Failure, Policies, failure_of
from resilience._core.call.operation_info import OperationInfo
from resilience.bitget import BitgetApiError
from resilience.cli import main
from resilience.telemetry import StructlogListener

pytestmark = [  # nobody closes the answers: their errors hold them, as in a program that ends with a traceback
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
POLICY = {"version": 1, "policies": {"p": {"retry": {"max_attempts": 1}, "codes": ["bitget", "http"]}}}


class Server(BaseHTTPRequestHandler):
    """Answers with the status that the path names; /0 closes the connection instead."""

    def do_GET(self) -> None:
        """Answer."""
        status = int(self.path.strip("/"))
        if status:
            self.send_response(status)
            self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Serve on a free port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as listener:
        Thread(target=listener.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{listener.server_address[1]}"
        listener.shutdown()


@pytest.fixture(scope="module")
def closed() -> str:
    """Return an address at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def by_requests(url: str) -> None:
    """Get a URL with requests."""
    requests.get(url, timeout=2).raise_for_status()


def by_httpx(url: str) -> None:
    """Get a URL with httpx."""
    httpx.get(url, timeout=2).raise_for_status()


def by_aiohttp(url: str) -> None:
    """Get a URL with aiohttp."""

    async def main() -> None:
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            response.raise_for_status()

    asyncio.run(main())


def by_urllib3(url: str) -> None:
    """Get a URL with urllib3, which counts its own retries."""
    with urllib3.PoolManager() as pool:
        response = pool.request("GET", url, timeout=2, retries=1)
        requests.models.Response.raise_for_status(_as_requests(response, url))


def _as_requests(response: Any, url: str) -> requests.Response:
    answer = requests.Response()
    answer.status_code, answer.reason, answer.url = response.status, response.reason, url
    return answer


def by_urllib(url: str) -> None:
    """Get a URL with the standard library."""
    with urllib.request.urlopen(url, timeout=2):
        pass


CLIENTS = [by_requests, by_httpx, by_aiohttp, by_urllib3, by_urllib]


def explained(text: str, *words: str) -> tuple[str, str, str]:
    """Return what `resilience explain` says of a text."""
    out = io.StringIO()
    with redirect_stdout(out):
        assert main(["explain", "--json", text, *words]) == 0
    answer = json.loads(out.getvalue())
    return answer["category"], answer["executed"], answer["remedy"]


def facts(failure: Failure | None) -> tuple[str, str, str]:
    """Return what the runtime says."""
    assert failure is not None
    return failure.category.value, failure.executed, failure.remedy


def assert_agreement(fail: Callable[[], Any], folder: Path) -> None:
    """Assert that `explain` says of the traceback and of the log lines of a call what the call has said."""
    file = folder / "policy.json"
    file.write_text(json.dumps(POLICY))
    policies = Policies.from_mapping(POLICY)
    lines, console = io.StringIO(), io.StringIO()
    for out, renderer in (
        (lines, structlog.processors.JSONRenderer()),
        (console, structlog.dev.ConsoleRenderer(colors=False)),
    ):
        logger = structlog.wrap_logger(structlog.PrintLogger(out), processors=[renderer])
        policies.subscribe(StructlogListener(logger))
    messages = io.StringIO()
    handler = logging.StreamHandler(messages)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s:%(name)s:%(message)s"))
    logging.getLogger("resilience.call").addHandler(handler)
    logging.getLogger("resilience").setLevel("DEBUG")
    for is_read in (False, True):
        call = policies.pipeline("p").compile(fail, OperationInfo(operation=f"op {is_read}", read=is_read))
        with pytest.raises(Exception) as caught:  # noqa: PT011  # any error
            call()
        said = facts(failure_of(caught.value))
        assert (said[1] == "n_a") is is_read
        shown = "".join(traceback.format_exception(caught.value))
        options = ("--policies", str(file))
        assert explained(shown, *options) == said
        assert explained(lines.getvalue().splitlines()[-1], *options) == said
        assert explained(console.getvalue().splitlines()[-1], *options) == said
        assert explained(messages.getvalue().splitlines()[-1], *options) == said


def assert_text_is_enough(fail: Callable[[], Any], folder: Path, *, last_line: bool = True) -> None:
    """Assert that `explain` says of an error without our note what a policy would say of it."""
    file = folder / "policy.json"
    file.write_text(json.dumps(POLICY))
    with pytest.raises(Exception) as caught:  # noqa: PT011  # any error
        fail()
    classified = Policies.from_mapping(POLICY).pipeline("p").classifier.classify(caught.value)
    shown = "".join(traceback.format_exception(caught.value))
    options = ("--policies", str(file), "--policy", "p")
    assert explained(shown, *options) == facts(classified)
    if last_line:
        assert explained(shown.strip().splitlines()[-1], *options) == facts(classified)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
def test_refused_connections(client: Callable[[str], Any], closed: str, tmp_path: Path) -> None:
    """A refused connection is inside the text of urllib3's error, or among the causes of another client's."""
    assert_agreement(lambda: client(closed), tmp_path)
    # aiohttp's own line does not say why there is no connection.
    assert_text_is_enough(lambda: client(closed), tmp_path, last_line=client is not by_aiohttp)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
@pytest.mark.parametrize("status", [404, 409, 429, 503])
def test_statuses(client: Callable[[str], Any], status: int, server: str, tmp_path: Path) -> None:
    """Each client writes the status into the text of its error in its own way."""
    assert_agreement(lambda: client(f"{server}/{status}"), tmp_path)
    assert_text_is_enough(lambda: client(f"{server}/{status}"), tmp_path, last_line=client is not by_httpx)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
def test_connections_that_break(client: Callable[[str], Any], server: str, tmp_path: Path) -> None:
    """The server closes the connection in place of an answer."""
    assert_agreement(lambda: client(f"{server}/0"), tmp_path)
    assert_text_is_enough(lambda: client(f"{server}/0"), tmp_path)


def _raised(error: Exception) -> Callable[[], Any]:
    def fail() -> None:
        raise error

    return fail


@pytest.mark.parametrize("code", ["1", "5", "43012", "40725", "-1003", "NoSuchCode"])
def test_codes_of_any_length(code: str, tmp_path: Path) -> None:
    """A code of one digit is a code, wherever it is shown."""
    body = {"code": code, "msg": "the text", "requestTime": 1, "data": None}
    assert_agreement(lambda: body, tmp_path)
    assert_agreement(_raised(ApiError(code, "the text", body)), tmp_path)
    assert_text_is_enough(_raised(ApiError(code, "the text", body)), tmp_path)
    file = tmp_path / "policy.json"
    as_body = explained(json.dumps(body), "--policies", str(file), "--policy", "p")
    for text in (code, f"{code}: the text", f"'{code}'"):
        assert explained(text, "--policies", str(file), "--policy", "p")[:2] == as_body[:2]


@pytest.mark.parametrize(
    "error",
    [
        BitgetApiError(400, "Bad Request", {"code": "43012"}, {}, {}, api_code="43012", api_message="no money"),
        BitgetApiError(502, "Bad Gateway", "", {}, {}),
        CircuitOpenError("open"),
        KeyError("x"),
        TimeoutError(),
        ConnectionRefusedError(111, "Connection refused"),
        Exception("what?"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_of_ours_and_of_python(error: Exception, tmp_path: Path) -> None:
    """Our own errors show their code; those of Python are known by their names."""
    assert_agreement(_raised(error), tmp_path)


def test_groups_causes_and_contexts(closed: str, server: str, tmp_path: Path) -> None:
    """The worst member of a group decides; a cause explains an error, and a context does without proving anything."""

    def group() -> None:
        errors = []
        for fail in (lambda: by_requests(closed), lambda: by_requests(f"{server}/404")):
            try:
                fail()
            except requests.RequestException as error:
                errors.append(error)
        raise ExceptionGroup("many", errors)

    def cause() -> None:
        try:
            by_requests(closed)
        except requests.RequestException as error:
            raise RuntimeError("no price") from error

    def context() -> None:
        try:
            by_requests(closed)
        except requests.RequestException:
            raise RuntimeError("no price")  # noqa: B904  # a context on purpose

    for fail in (group, cause, context):
        assert_agreement(fail, tmp_path)
        assert_text_is_enough(fail, tmp_path, last_line=False)


def test_a_registry_that_is_given_decides_anew(tmp_path: Path) -> None:
    """`--registry` asks what another table says; the log's own word does not count then."""
    line = {"event": "resilience.call_failed", "code": "43012", "registry": "bitget", "category": "fatal"}
    text = json.dumps({**line, "executed": "n_a", "remedy": "as recorded"})
    assert explained(text) == ("fatal", "n_a", "as recorded")
    assert explained(text, "--registry", "bitget")[:2] == ("user_fixable", "no")


def test_only_the_note_was_copied() -> None:
    """The note alone says enough."""
    note = "resilience: user_fixable 43012 after 2 attempts, executed: n_a, key k-1; Top up; then try again"
    assert explained(note) == ("user_fixable", "n_a", "Top up; then try again")
