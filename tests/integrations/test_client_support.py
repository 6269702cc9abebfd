"""A new HTTP client is one class and an entry point: `wrap` finds it, and it gets all that other clients have."""

from __future__ import annotations

import asyncio
import gc
import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from resilience import NOT_FOUND, Found, Policies, RejectedError, failure_of, wrap
from resilience.integrations.http import ClientRequest, HttpAttempt, HttpClientSupport
from resilience.testing import FakeClock
from tests.integrations.http_clients import policies
from tests.integrations.server import Server, answer, drop_after, raw, silent


class Reply:
    """An answer of `Courier`."""

    def __init__(self, number: int, fields: dict[str, str], text: bytes) -> None:
        self.number, self.fields, self.text = number, fields, text

    def close(self) -> None:
        """Do nothing."""


class CourierError(Exception):
    """An error of `Courier`."""


class Courier:
    """An async HTTP client that no integration knows. Its redirects go through `deliver`."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def ask(self, verb: str, url: str, *, extra: Any = None, text: bytes = b"", patience: float = 9.0) -> Reply:
        """Make a request and follow a redirect."""
        if "\n" in url:
            raise ValueError("a line break in the URL")
        reply = await self.deliver(verb, url, {"Host": "x", **dict(extra or {})}, text, patience)
        if reply.number in (302, 307) and patience > 0:
            reply = await self.deliver(verb, reply.fields["Location"], dict(extra or {}), text, patience)
        return reply

    async def deliver(self, verb: str, url: str, fields: dict[str, str], text: bytes, patience: float) -> Reply:
        """Send one finished request."""
        self.sent.append(url)
        host, _, path = url.removeprefix("http://").partition("/")
        name, _, port = host.partition(":")
        lines = [f"{verb} /{path} HTTP/1.1", *(f"{key}: {value}" for key, value in fields.items())]
        lines += [f"Content-Length: {len(text)}", "Connection: close", "", ""]
        try:
            async with asyncio.timeout(patience):
                reader, writer = await asyncio.open_connection(name, int(port))
                try:
                    writer.write("\r\n".join(lines).encode() + text)
                    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
                finally:
                    writer.close()
        except TimeoutError as error:
            raise CourierError("too late") from error
        if not head:
            raise CourierError("no answer")
        first, *rest = head.decode().split("\r\n")
        return Reply(int(first.split()[1]), dict(line.split(": ", 1) for line in rest), body)


class CourierSupport(HttpClientSupport):
    """Says how `Courier` works."""

    asynchronous = True
    error_base = CourierError
    response_type = Reply
    request_method = "ask"
    send_method = "deliver"

    def read_request(self, arguments: Mapping[str, Any]) -> ClientRequest:
        return ClientRequest(arguments["verb"], arguments["url"], arguments.get("extra"), arguments.get("text"))

    def read_finished(self, arguments: Mapping[str, Any]) -> ClientRequest:
        return ClientRequest(arguments["verb"], arguments["url"], arguments["fields"], arguments["text"])

    def set_attempt(self, arguments: dict[str, Any], attempt: HttpAttempt) -> None:
        arguments["extra"] = attempt.with_headers(arguments.get("extra"))
        arguments["patience"] = attempt.timeout(arguments.get("patience", 9.0))

    def status(self, response: Reply) -> int:
        return response.number

    def headers(self, response: Reply) -> Mapping[str, str]:
        return response.fields

    async def read_body(self, response: Reply) -> tuple[Reply, bytes]:
        return response, response.text

    def make_response(self, body: bytes) -> Reply:
        return Reply(200, {}, body)

    def error_code(self, error: Exception) -> str | None:
        return "read_timeout" if "too late" in str(error) else None


ENTRY = ("resilience.clients", f"{__name__.partition('.')[0]}.Courier", f"{__name__}:CourierSupport")
ORDER = json.dumps({"symbol": "BTCUSDT", "side": "buy"}).encode()


def run(server: Server, *verbs: str, rules: Any = None, text: bytes = ORDER, **policy: Any) -> list[Any]:
    """Make a request of each verb under the policy; return the answers and errors."""

    async def main() -> list[Any]:
        client = wrap(Courier(), "p", policies=policies(FakeClock(), **policy), operations=rules)
        assert isinstance(client, Courier)
        return await asyncio.gather(
            *(client.ask(verb, server.url + "/orders", text=text) for verb in verbs), return_exceptions=True
        )

    return asyncio.run(main())


@pytest.fixture(autouse=True)
def courier(install: Any) -> None:
    """Install the support of `Courier`."""
    install(*ENTRY)


def test_a_read_is_retried() -> None:
    """By status, with the API's wish to wait."""
    with Server(answer(503), answer(429, Retry_After="1"), answer(200, {"price": 7})) as server:
        (got,) = run(server, "GET")
    assert (got.number, json.loads(got.text)) == (200, {"price": 7})
    assert len(server.requests) == 3


def test_an_uncertain_write_is_looked_up_and_its_key_is_on_the_wire() -> None:
    """The lookup's find comes back as an answer of the client's own class."""
    rules = {"post": {"reconcile": lambda call: Found({"id": 9, "clientOrderId": call.key})}}
    with Server(drop_after) as server:
        (got,) = run(server, "POST", rules=rules)
    assert json.loads(got.text)["clientOrderId"] == server.requests[0].headers["idempotency-key"]
    assert len(server.requests) == 1


def test_not_found_is_sent_again_with_the_same_key() -> None:
    """The fence has passed, and nothing is there."""
    with Server(drop_after, answer(200, {"id": 9})) as server:
        (got,) = run(server, "POST", rules={"post": {"reconcile": lambda call: NOT_FOUND}})
    keys = {request.headers["idempotency-key"] for request in server.requests}
    assert (got.number, len(server.requests), len(keys)) == (200, 2, 1)


@pytest.mark.parametrize("body", ["<html>fine</html>", {"ok": True}, {"id": 9, "clientOrderId": "of another"}])
def test_an_answer_that_proves_nothing_leaves_the_write_open(body: Any) -> None:
    """Unreadable, without an id, or to another request: the write is looked up."""
    rules = {"post": {"reconcile": lambda call: Found({"id": 9, "clientOrderId": call.key})}}
    with Server(answer(200, body)) as server:
        (got,) = run(server, "POST", rules=rules)
    assert json.loads(got.text)["id"] == 9


def test_an_error_in_the_body_is_raised() -> None:
    """The tables of the policy say what it means."""
    body = {"code": "43012", "msg": "Insufficient balance", "requestTime": 1, "data": None}
    with Server(answer(200, body)) as server:
        (got,) = run(server, "GET", codes=["bitget", "http"])
    assert failure_of(got).names == ("INSUFFICIENT_BALANCE",)


def test_a_redirect_of_a_write_that_fails_is_uncertain() -> None:
    """The server that redirected may have executed it: it is not sent again."""
    with Server(answer(200)) as target, Server(answer(307, "", Location=f"{target.url}/")) as server:
        target.script[:] = [answer(429)]
        (got,) = run(server, "POST", follow_redirects=True)
    assert (got.number, failure_of(got).executed, len(target.requests)) == (429, "maybe", 1)


def test_transport_errors() -> None:
    """The class names the row; what no row names is uncertain, and what came before the request was not sent."""
    with Server(silent) as server:
        (late,) = run(server, "POST", attempt_timeout="300ms")
    assert (failure_of(late).code, failure_of(late).executed) == ("read_timeout", "maybe")
    with Server(raw(b"")) as server:
        (lost,) = run(server, "POST")
        assert (type(lost), failure_of(lost).executed) == (CourierError, "maybe")


def test_a_request_that_was_never_built() -> None:
    """It was not sent, which is believed only of a client that has called its `send_method` before."""

    async def main(url: str) -> list[str]:
        client, executed = wrap(Courier(), "p", policies=policies(FakeClock())), []
        for verb, where in (("POST", "\n"), ("GET", url), ("POST", "\n")):
            try:
                await client.ask(verb, where)
            except ValueError as error:
                executed.append(failure_of(error).executed)
        return executed

    with Server(answer(200)) as server:
        assert asyncio.run(main(server.url)) == ["maybe", "no"]


def test_an_error_after_the_answer_is_uncertain() -> None:
    """A hook of the client may raise the error of another connection: the write may have been executed."""

    class Hooked(Courier):
        async def ask(self, *args: Any, **kwargs: Any) -> Reply:
            await super().ask(*args, **kwargs)
            raise ConnectionRefusedError

    async def main(url: str) -> None:
        await wrap(Hooked(), "p", policies=policies(FakeClock())).ask("POST", url)

    with Server(answer(200)) as server, pytest.raises(ConnectionRefusedError) as caught:
        asyncio.run(main(server.url))
    assert (failure_of(caught.value).executed, len(server.requests)) == ("maybe", 1)


def test_a_send_method_that_is_never_called() -> None:
    """Nothing is known of the finished request: its key counts as missing, and the write is not looked up."""

    class Direct(Courier):
        async def ask(
            self, verb: str, url: str, *, extra: Any = None, text: bytes = b"", patience: float = 9.0
        ) -> Reply:
            return await Courier.deliver(self, verb, url, dict(extra or {}), text, patience)

    async def main(url: str) -> Any:
        rules = {"post": {"reconcile": lambda call: NOT_FOUND}}
        return await wrap(Direct(), "p", policies=policies(FakeClock()), operations=rules).ask("POST", url, text=ORDER)

    with Server(answer(503)) as server, pytest.warns(UserWarning, match="does not carry its key"):
        got = asyncio.run(main(server.url))
    assert (got.number, len(server.requests)) == (503, 1)


def test_the_original_is_not_closed_with_its_wrapper() -> None:
    """A `__del__` of the client's class belongs to the original."""
    closed = []

    class Closing(Courier):
        def __del__(self) -> None:
            closed.append(self)

    client = Closing()
    wrapped = wrap(client, policies=Policies.builtin())
    assert isinstance(wrapped, Closing)
    del wrapped
    gc.collect()
    assert closed == []


def test_rejections_are_the_clients_own_errors() -> None:
    """The caller's `except CourierError` catches them; another event loop is refused before anything is sent."""
    client = wrap(Courier(), "p", policies=policies(FakeClock()))
    with Server(answer(200)) as server:
        asyncio.run(client.ask("GET", server.url))
        with pytest.raises(RejectedError) as caught:
            asyncio.run(client.ask("GET", server.url))
    assert isinstance(caught.value, CourierError)
    assert len(server.requests) == 1


def test_a_key_that_is_not_on_the_wire_is_reported() -> None:
    """A client that drops the header gets a warning, and the write is not looked up."""

    class Forgetful(Courier):
        async def ask(self, *args: Any, **kwargs: Any) -> Reply:
            return await super().ask(*args, **{**kwargs, "extra": None})

    async def main(url: str) -> Any:
        rules = {"post": {"reconcile": lambda call: NOT_FOUND}}
        client = wrap(Forgetful(), "p", policies=policies(FakeClock()), operations=rules)
        return await client.ask("POST", url, text=ORDER)

    with Server(answer(503)) as server, pytest.warns(UserWarning, match="does not carry its key"):
        got = asyncio.run(main(server.url))
    assert (got.number, len(server.requests)) == (503, 1)


def test_a_client_that_is_wrapped_again() -> None:
    """It is under the newer policy alone."""

    async def main(url: str) -> Any:
        once = wrap(Courier(), "p", policies=policies(FakeClock()))
        return await wrap(once, "p", policies=policies(FakeClock(), retry={"max_attempts": 2})).ask("GET", url)

    with Server(answer(503)) as server:
        assert (asyncio.run(main(server.url)).number, len(server.requests)) == (503, 2)


def test_a_broken_entry_point_breaks_only_its_own_client(install: Any) -> None:
    """The error names the package; other clients are wrapped as before."""

    class Broken:
        def get(self) -> int:
            return 7

    name = f"{__name__.partition('.')[0]}.Broken"
    install("resilience.clients", name, "nowhere_to_be_found:Support")
    point = f"the entry point '{name}' = 'nowhere_to_be_found:Support' in resilience.clients of the package"
    with pytest.raises(
        ImportError, match=f"^{re.escape(point)} shop-plugins 1.2 cannot be loaded: ModuleNotFoundError"
    ):
        wrap(Broken(), policies=Policies.builtin())
    assert type(wrap(Courier(), policies=Policies.builtin())).__name__ == "Courier"


def test_an_entry_point_of_the_wrong_kind(install: Any) -> None:
    """The message says what is expected."""

    class Odd:
        pass

    install("resilience.clients", f"{__name__.partition('.')[0]}.Odd", "math:pi")
    with pytest.raises(TypeError, match=r"'math:pi' .* has no wrap\(client, rules\); derive .*HttpClientSupport$"):
        wrap(Odd(), policies=Policies.builtin())


def test_a_method_whose_arguments_have_no_names_is_refused() -> None:
    """What a class says about arguments must be true of the client's method."""

    class Vague:
        async def ask(self, *args: Any) -> None:
            pass

        deliver = ask

    with pytest.raises(TypeError, match=r"Vague\.ask has positional arguments without names"):
        CourierSupport.wrap_client(Vague(), policies=Policies.builtin())


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"response_type": object}, "Odd does not define response_type"),
        ({"read_body": HttpClientSupport.read_body}, "Odd does not define read_body"),
        ({"request_method": "request"}, r"Courier has no method 'request'; change Odd\.request_method"),
        ({"asynchronous": False}, r"Courier\.ask\(\) is async; set Odd\.asynchronous = True"),
    ],
)
def test_a_class_that_does_not_fit_is_refused(attributes: dict[str, Any], message: str) -> None:
    """When a client is wrapped, and not when a request is made."""
    odd: Any = type("Odd", (CourierSupport,), attributes)
    with pytest.raises(TypeError, match=message):
        odd.wrap_client(Courier(), policies=Policies.builtin())


def test_a_client_without_a_dict_is_refused() -> None:
    """A wrapped client shares its original's `__dict__`."""

    class Bare:
        __slots__ = ()

    with pytest.raises(TypeError, match="Bare cannot be wrapped by CourierSupport"):
        CourierSupport.wrap_client(Bare(), policies=Policies.builtin())
