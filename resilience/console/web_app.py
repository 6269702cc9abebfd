"""Answers the requests of the console by Starlette: the page, its live data, the snapshot endpoint and the actions.

It is the only importer of Starlette. Access and actions are decided by the same code as in the
snapshot server.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from .access_rules import AccessRules
from .actions import ACTIONS, MAX_BODY, apply_action
from .event_stream import EventStream
from .live_viewers import LiveViewers
from .refused_request import RequestRefusedError
from .served_policies import ServedPolicies, SharedSnapshot, json_text
from .viewers import Viewers

__all__ = ["new_app"]

_PAGE = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/console.css": ("console.css", "text/css; charset=utf-8"),
    "/console.js": ("console.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_POLL = 0.1  # seconds between two checks for the next event of the event stream

Answer = Callable[[Request], Awaitable[Response]]


class _Answers:
    """The answers of one console."""

    def __init__(
        self,
        policies: ServedPolicies,
        access: AccessRules,
        live: LiveViewers,
        viewers: Viewers,
        snapshot: SharedSnapshot,
    ) -> None:
        self.policies, self.access, self.live = policies, access, live
        self.viewers, self.shared_snapshot = viewers, snapshot

    async def page(self, request: Request) -> Response:
        name, kind = _PAGE[request.url.path]
        return Response((files(__package__) / "page" / name).read_bytes(), media_type=kind)

    async def snapshot(self, _request: Request) -> Response:
        return _json(self.policies.snapshot())

    async def live_data(self, _request: Request) -> Response:
        return _stream(self.live.stream())

    async def events(self, _request: Request) -> Response:
        self.viewers.check_room()  # here: the stream begins when its status is sent already
        return _stream(self._events())

    async def action(self, request: Request) -> Response:
        body = await _read_body(request)
        name = request.url.path.rpartition("/")[2]
        return _json(await _in_thread(lambda: apply_action(self.policies, name, body)))

    async def _events(self) -> AsyncIterator[str]:
        with self.viewers.admit() as viewer:
            stream = EventStream(viewer, self.shared_snapshot)
            while not stream.closed:
                texts = stream.next_texts(wait=False)
                for text in texts:
                    yield text
                if not texts:
                    await asyncio.sleep(_POLL)

    def checked(self, answer: Answer, *, needs_token: bool = True) -> Answer:
        """Return the answer to a request, after the checks of who has sent it."""

        async def respond(request: Request) -> Response:
            try:
                self.access.check_sender(request.headers.items())
                if needs_token:
                    sent = request.headers.get("authorization", "")
                    self.access.check_token(sent, changes=request.method == "POST")
                response = await answer(request)
            except RequestRefusedError as refused:
                response = _json({"error": str(refused)}, refused.status, refused.headers)
            except Exception as error:  # without it Starlette would show a traceback
                response = _json({"error": f"internal error: {type(error).__name__}"}, 500)
            response.headers.update(_HEADERS)
            return response

        return respond


def new_app(
    policies: ServedPolicies, access: AccessRules, live: LiveViewers, viewers: Viewers, snapshot: SharedSnapshot
) -> Starlette:
    """Return the application."""
    answers = _Answers(policies, access, live, viewers, snapshot)
    reads: dict[str, Answer] = {"/snapshot": answers.snapshot, "/live": answers.live_data, "/events": answers.events}
    routes = [Route(path, answers.checked(answers.page, needs_token=False), methods=["GET"]) for path in _PAGE]
    routes += [Route(path, answers.checked(answer), methods=["GET"]) for path, answer in reads.items()]
    posted = answers.checked(answers.action)
    routes += [Route(f"/actions/{name}", posted, methods=["POST"]) for name in ACTIONS]
    paths = ", ".join(route.path for route in routes)
    not_found = answers.checked(_refuse(404, f"no such path; available: {paths}"), needs_token=False)
    not_allowed = answers.checked(_refuse(405, "the method is GET, and POST for actions"), needs_token=False)
    handlers: Mapping[Any, Any] = {404: _ignoring_error(not_found), 405: _ignoring_error(not_allowed)}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False  # a redirect would be an answer that checks nobody
    return app


def _refuse(status: int, message: str) -> Answer:
    async def refuse(_request: Request) -> Response:
        raise RequestRefusedError(status, message)

    return refuse


def _ignoring_error(answer: Answer) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def respond(request: Request, _error: Exception) -> Response:
        return await answer(request)

    return respond


def _json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(json_text(value) + "\n", status, dict(headers or {}), "application/json")


def _stream(texts: AsyncIterator[str]) -> Response:
    return StreamingResponse(texts, media_type="text/event-stream")


async def _read_body(request: Request) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY:
            raise RequestRefusedError(413, f"the body has more than {MAX_BODY} bytes")
    return body


async def _in_thread(function: Callable[[], Any]) -> Any:
    """Call a function that may take seconds, in a daemon thread: one that hangs keeps no program from ending."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def run() -> None:
        try:
            outcome, error = function(), None
        except Exception as raised:
            outcome, error = None, raised
        try:
            loop.call_soon_threadsafe(_finish, done, outcome, error)
        except RuntimeError:
            pass  # the console was closed meanwhile

    threading.Thread(target=run, name="resilience-console-action", daemon=True).start()
    return await done


def _finish(done: asyncio.Future[Any], outcome: Any, error: Exception | None) -> None:
    if done.cancelled():
        return
    if error is None:
        done.set_result(outcome)
    else:
        done.set_exception(error)
