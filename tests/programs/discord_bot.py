"""A chat bot on discord.py: `!buy ID SIZE` places an order and answers in the channel; `!stop` ends the bot."""

import json
import logging
import os
from typing import Any

import discord
from discord.ext import commands
from yarl import URL

from resilience import Policies, configure, failure_of, resilient, wrap
from resilience.bitget import AsyncBitgetClient

keys = [os.environ[f"EXCHANGE_{name}"] for name in ("KEY", "SECRET", "PASSPHRASE")]
policies = Policies.load(os.environ["RESILIENCE_POLICIES"])
client = wrap(AsyncBitgetClient(*keys, base_url=os.environ["EXCHANGE_URL"]), "bitget", policies=policies)
configure({"codes": ["discord", "http"], "policies": {"chat": {"extends": "default", "deadline": "30s"}}})

# A real bot leaves these two lines out.
discord.http.Route.BASE = os.environ["DISCORD_URL"]
discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = URL(os.environ["DISCORD_GATEWAY"])
intents = discord.Intents.none()
intents.guild_messages = intents.message_content = True
bot = commands.Bot(command_prefix="!", intents=intents, help_command=None)


@resilient("chat", idempotent=False)
async def say(context: "commands.Context[Any]", text: str) -> None:
    """Answer in the channel. discord.py waits for rate limits itself."""
    await context.send(text)


@bot.command()
async def buy(context: "commands.Context[Any]", order_id: str, size: str) -> None:
    """Place an order under the id that the user gives."""
    order = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": size}
    placed = await client.spot_place_order(**order, clientOid=order_id)
    await say(context, f"{placed['clientOid']} is placed")


@bot.command()
async def stop(context: "commands.Context[Any]") -> None:
    """End the bot."""
    await say(context, "bye")
    await client.close()
    await bot.close()


@bot.event
async def on_command_error(context: "commands.Context[Any]", error: commands.CommandError) -> None:
    """Report an error of a command; the failure of `CommandInvokeError` is that of the error in it."""
    failure = failure_of(error)
    print(json.dumps(["error", failure.registry, failure.code, failure.executed, failure.attempts]), flush=True)
    if failure.registry == "bitget":  # else the channel itself is what fails
        await say(context, f"{failure.code}: {failure.remedy}")


if __name__ == "__main__":
    bot.run("token", log_level=logging.WARNING)
