"""The tables of python-telegram-bot and discord.py: their errors are classified without an import of either."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest

from resilience import CodeRegistry, failure_of


def made(path: str, *bases: str, cause: Exception | None = None, **attributes: Any) -> Exception:
    """Return an error of a class with this path, whose base classes have these, as the library raises it."""
    kinds: tuple[type, ...] = (Exception,)
    for one in (*reversed(bases), path):
        module, _, name = one.rpartition(".")
        kinds = (type(name, kinds, {"__module__": module}),)
    error: Exception = kinds[0]("as raised")
    vars(error).update(attributes)
    error.__cause__ = cause
    return error


NETWORK, TELEGRAM = "telegram.error.NetworkError", "telegram.error.TelegramError"
HTTP, DISCORD = "discord.errors.HTTPException", "discord.errors.DiscordException"
COMMAND = "discord.ext.commands.errors.CommandError"
INVOKE = "discord.ext.commands.errors.CommandInvokeError"
SERVER_ERROR = "discord.errors.DiscordServerError"
COOLDOWN = "discord.ext.commands.errors.CommandOnCooldown"
POOL = made("httpx.PoolTimeout")
REFUSED = made("httpx.ConnectError", "httpx.TransportError", cause=ConnectionRefusedError("refused"))


@pytest.mark.parametrize(
    ("error", "registry", "code", "category", "executed"),
    [
        (made("telegram.error.RetryAfter", TELEGRAM), "telegram", "RetryAfter", "retryable", "no"),
        (made("telegram.error.BadRequest", NETWORK, TELEGRAM), "telegram", "BadRequest", "user_fixable", "no"),
        (made("telegram.error.TimedOut", NETWORK, TELEGRAM), "telegram", "TimedOut", "retryable", "maybe"),
        (made("telegram.error.TimedOut", NETWORK, cause=POOL), "http", "pool_timeout", "retryable", "no"),
        (made(NETWORK, TELEGRAM, cause=REFUSED), "http", "connection_refused", "retryable", "no"),
        (made(NETWORK, TELEGRAM), "telegram", "NetworkError", "retryable", "maybe"),
        (made(NETWORK, cause=made(TELEGRAM)), "telegram", "NetworkError", "retryable", "maybe"),
        (made("mybot.Blocked", "telegram.error.Forbidden", TELEGRAM), "telegram", "Forbidden", "user_fixable", "no"),
        (made("telegram.error.NewOfTomorrow", TELEGRAM), "telegram", "TelegramError", "retryable", "maybe"),
        (made("discord.errors.RateLimited", DISCORD), "discord", "RateLimited", "retryable", "no"),
        (made("discord.errors.Forbidden", HTTP, status=403, code=50013), "discord", "50013", "user_fixable", "no"),
        (made("discord.errors.Forbidden", HTTP, status=403, code=0), "discord", "Forbidden", "user_fixable", "no"),
        (made(SERVER_ERROR, HTTP, status=502, code=0), "discord", "DiscordServerError", "retryable", "maybe"),
        (made(HTTP, DISCORD, status=429, code=0), "http", "429", "retryable", "no"),
        (made(HTTP, DISCORD, status=429, code=20028), "discord", "20028", "retryable", "no"),
        (made(HTTP, DISCORD, status=503, code=20028), "discord", "20028", "retryable", "maybe"),
        (made("discord.errors.ConnectionClosed", DISCORD, code=4004), "discord", "4004", "user_fixable", "n_a"),
        (made(INVOKE, COMMAND, cause=TimeoutError()), "http", "timeout", "retryable", "maybe"),
        (made(INVOKE, COMMAND, DISCORD), "discord", "CommandError", "fatal", "maybe"),
        (made(COOLDOWN, COMMAND), "discord", "CommandOnCooldown", "retryable", "no"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)  # fmt: skip
def test_errors_of_chat_libraries(error: Exception, registry: str, code: str, category: str, executed: str) -> None:
    """The class decides, the code and the status of an answer say more, and so does the cause of a network error."""
    failure = failure_of(error)
    assert (failure.registry, failure.code, str(failure.category), failure.executed) == (
        registry,
        code,
        category,
        executed,
    )
    assert failure.remedy


@pytest.mark.parametrize(
    ("attributes", "seconds"),
    [
        ({"retry_after": 7}, 7.0),
        ({"retry_after": timedelta(seconds=2.5)}, 2.5),
        ({"_retry_after": timedelta(seconds=3), "retry_after": 4}, 3.0),
        ({"_retry_after": "soon", "retry_after": 4}, 4.0),
        ({"retry_after": timedelta(seconds=-1)}, None),
    ],
)
def test_the_wait_that_an_error_asks_for(attributes: dict[str, Any], seconds: float | None) -> None:
    """Seconds and a `timedelta` are read, and a negative wait is none."""
    assert failure_of(made("telegram.error.RetryAfter", TELEGRAM, **attributes)).retry_after == seconds


def test_a_wait_is_read_without_a_warning() -> None:
    """python-telegram-bot warns whoever reads seconds: its `timedelta` is read instead."""

    class RetryAfter(Exception):
        __module__ = "telegram.error"
        _retry_after = timedelta(seconds=9)

        @property
        def retry_after(self) -> int:
            raise DeprecationWarning("read as a timedelta")

    assert failure_of(RetryAfter()).retry_after == 9.0


def test_a_number_means_what_its_library_says() -> None:
    """10003 of Discord is an unknown channel; the same number from an unknown client is not looked up there."""
    assert failure_of(made(HTTP, DISCORD, status=404, code=10003)).names == ("UNKNOWN_CHANNEL",)
    assert failure_of(made("shop.Error", code=10003)).registry is None


@pytest.mark.parametrize("registry", ["telegram", "discord"])
def test_rows_of_chat_tables(registry: str) -> None:
    """Each row has a remedy; what may have been posted is never sent again blindly."""
    rules = list(CodeRegistry.builtin(registry))
    assert all(rule.remedy and rule.category is not None for rule in rules)
    assert all(
        rule.hint == "query_first" for rule in rules if rule.executed == "maybe" and rule.category == "retryable"
    )


@pytest.mark.parametrize(
    ("registry", "code", "expected"),
    [
        ("telegram", "RetryAfter", ("telegram", "retryable", "no")),
        ("telegram", "Forbidden", ("telegram", "user_fixable", "no")),
        ("discord", "50013", ("discord", "user_fixable", "no")),
        ("discord", "DiscordServerError", ("discord", "retryable", "maybe")),
        ("ccxt", "RequestTimeout", ("ccxt", "retryable", "maybe")),
        ("http", "connect_timeout", ("http", "retryable", "no")),
        ("http", "client_closed", ("http", "fatal", "no")),
    ],
)
def test_explain_knows_rows_of_classes(registry: str, code: str, expected: tuple[str, str, str]) -> None:
    """`resilience explain` explains a row that the runtime finds by a class, by the row's own name."""
    command = [sys.executable, "-m", "resilience", "explain", "--registry", registry, code, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    answer = json.loads(done.stdout)
    assert (answer["registry"], answer["category"], answer["executed"]) == expected
    assert answer["known"]
