"""Chat bots that trade: what their users read in the chat, and what the exchange has executed."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

from resilience.sandbox import Sandbox
from tests.conftest import ScriptedApi
from tests.programs.chat_servers import ChatServer
from tests.programs.conftest import FAULTS, require, run

Executions = Callable[[], Counter[str]]
COMMANDS = [f"buy chat-{number} 10" for number in range(6)] + ["buy small 0.001", "buy last 10", "stop"]
PLACED = [f"chat-{number} is placed" for number in range(6)]
REMEDY = "45110: Raise order value to the minimum (usually 5 USDT)"


def updates(commands: list[str]) -> list[Any]:
    """Return what Telegram answers to a bot that asks for updates: one command each time."""
    numbers = itertools.count(1)
    chat, user = {"id": 5, "type": "private"}, {"id": 6, "is_bot": False, "first_name": "U"}
    answers = []
    for text in commands:
        number, command = next(numbers), text.partition(" ")[0]
        entity = {"type": "bot_command", "offset": 0, "length": len(command) + 1}
        message = {"message_id": number, "date": 1_800_000_000, "chat": chat, "from": user, "text": f"/{text}"}
        answers.append({"ok": True, "result": [{"update_id": number, "message": message | {"entities": [entity]}}]})
    return [*answers, {"ok": True, "result": []}]


def test_telegram(exchange: Sandbox, account: dict[str, str], executions: Executions, api: ScriptedApi) -> None:
    """Each order is placed once and confirmed; a message whose outcome is unknown is not posted a second time."""
    require("telegram_bot")
    exchange.set_faults(seed=7, rates=FAULTS)
    sent = {"message_id": 1, "date": 1_800_000_000, "chat": {"id": 5, "type": "private"}, "text": "x"}
    wait = {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 1}}
    api.on("/bot1:token/getMe", {"ok": True, "result": {"id": 1, "is_bot": True, "first_name": "B", "username": "b"}})
    api.on("/bot1:token/deleteWebhook", {"ok": True, "result": True})
    api.on("/bot1:token/getUpdates", *updates(COMMANDS))
    fine = {"ok": True, "result": sent}
    api.on("/bot1:token/sendMessage", (429, wait), *[fine] * 7, "drop", fine)
    results, errors = run("telegram_bot", **account, TELEGRAM_URL=api.rest)
    posts = [post["text"] for post in api.sent_to("/bot1:token/sendMessage")]
    # The first is posted again after the second that Telegram asked for; the dropped one is not.
    assert posts == [PLACED[0], *PLACED, REMEDY, "last is placed", "bye"]
    assert results == [["error", "45110", "no", 1], ["error", "NetworkError", "maybe", 1]]
    assert executions() == {**{f"chat-{number}": 1 for number in range(6)}, "last": 1}
    assert "No error handlers" not in errors


def test_discord(exchange: Sandbox, account: dict[str, str], executions: Executions) -> None:
    """Each order is placed once and confirmed; a channel that is closed to the bot is an error with its own code."""
    require("discord_bot")
    exchange.set_faults(seed=7, rates=FAULTS)
    forbidden = (403, {"code": 50013, "message": "Missing Permissions"})
    server = ChatServer([f"!{command}" for command in COMMANDS], [(200, None)] * 7 + [forbidden])
    try:
        results, errors = run("discord_bot", **account, DISCORD_URL=server.url, DISCORD_GATEWAY=server.gateway)
    finally:
        server.close()
    assert server.posted == [*PLACED, REMEDY, "403: last is placed", "bye"]
    assert results == [["error", "bitget", "45110", "no", 1], ["error", "discord", "50013", "no", 1]]
    assert executions() == {**{f"chat-{number}": 1 for number in range(6)}, "last": 1}
    assert "Traceback" not in errors
