"""A stand-in for Discord: its REST API and its gateway, on loopback, with one answer per message that is scripted."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USER = {"id": "1", "username": "bot", "discriminator": "0", "avatar": None, "bot": True}
AUTHOR = {"id": "2", "username": "user", "discriminator": "0", "avatar": None}
APPLICATION = {"id": "1", "name": "bot", "description": "", "icon": None, "bot_public": False, "owner": AUTHOR} | {
    "bot_require_code_grant": False,
    "verify_key": "",
    "team": None,
    "summary": "",
}
CHANNEL = {"id": "20", "type": 0, "name": "orders", "guild_id": "10", "position": 0, "permission_overwrites": []}


def message(number: int, text: str, author: dict[str, Any]) -> dict[str, Any]:
    """Return a message in a channel, as Discord describes it."""
    fields = {"tts": False, "mention_everyone": False, "pinned": False, "type": 0, "edited_timestamp": None}
    lists: dict[str, Any] = {name: [] for name in ("mentions", "mention_roles", "attachments", "embeds")}
    ids = {"id": str(number), "channel_id": "20", "author": author, "timestamp": "2026-01-01T00:00:00+00:00"}
    return {**fields, **lists, **ids, "content": text}


class ChatServer:
    """Discord, to a bot that is told `commands` one after another.

    Attributes:
        posted: the texts that the bot has posted, and those that were refused.
        answers: statuses with which the next messages are answered, with their bodies; then 200.
    """

    def __init__(self, commands: list[str], answers: list[tuple[int, Any]]) -> None:
        from websockets.sync.server import serve

        self.posted: list[str] = []
        self.answers = list(answers)
        self._commands = commands
        self._next = threading.Semaphore(0)
        self._gateway = serve(self._talk, "127.0.0.1", 0)
        self._rest = ThreadingHTTPServer(("127.0.0.1", 0), self._requests())
        for server in (self._gateway, self._rest):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._rest.server_port}"
        self.gateway = f"ws://127.0.0.1:{self._gateway.socket.getsockname()[1]}/"

    def close(self) -> None:
        """Stop both servers."""
        self._gateway.shutdown()
        self._rest.shutdown()
        self._rest.server_close()

    def _talk(self, connection: Any) -> None:
        def dispatch(number: int, event: str, data: Any) -> None:
            connection.send(json.dumps({"op": 0, "s": number, "t": event, "d": data}))

        connection.send(json.dumps({"op": 10, "d": {"heartbeat_interval": 45_000}}))
        connection.recv()  # the bot's identification
        ready = {"v": 10, "user": USER, "guilds": [], "session_id": "s", "resume_gateway_url": "ws://127.0.0.1:1"}
        dispatch(1, "READY", ready | {"application": {"id": "1", "flags": 0}, "shard": [0, 1]})
        for number, text in enumerate(self._commands, 2):
            dispatch(number, "MESSAGE_CREATE", message(100 + number, text, AUTHOR))
            self._next.acquire(timeout=60)  # the next command comes when the bot has answered this one
        for frame in connection:
            if json.loads(frame)["op"] == 1:
                connection.send(json.dumps({"op": 11}))

    def _requests(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Requests(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                answers = {"/users/@me": USER, "/oauth2/applications/@me": APPLICATION}
                self._answer(200, answers.get(path, CHANNEL))

            def do_POST(self) -> None:
                text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["content"]
                status, body = server.answers.pop(0) if server.answers else (200, None)
                server.posted.append(text if status == 200 else f"{status}: {text}")
                self._answer(status, body or message(900 + len(server.posted), text, USER))
                if status in (200, 403):
                    server._next.release()

            def _answer(self, status: int, body: Any) -> None:
                raw = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_args: Any) -> None:
                """Write no log."""

        return Requests
