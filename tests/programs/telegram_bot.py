"""A chat bot that trades: `/buy ID SIZE` places an order and reports it; `/stop` ends the bot."""

import logging
import os
import sys

from telegram import Update
from telegram.ext import Application, CommandHandler, ContextTypes

from resilience import Policies, configure, failure_of, resilient, wrap
from resilience.bitget import AsyncBitgetClient

logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
keys = [os.environ[f"EXCHANGE_{name}"] for name in ("KEY", "SECRET", "PASSPHRASE")]
policies = Policies.load(os.environ["RESILIENCE_POLICIES"])
client = wrap(AsyncBitgetClient(*keys, base_url=os.environ["EXCHANGE_URL"]), "bitget", policies=policies)

# Telegram takes no key for a message: what may have been posted is not posted again.
configure({"codes": ["telegram", "http"], "policies": {"chat": {"extends": "default", "deadline": "30s"}}})


@resilient("chat", idempotent=False)
async def say(update: Update, text: str) -> None:
    """Answer in the chat; Telegram's wish to wait (`RetryAfter`) is obeyed."""
    assert update.effective_message
    await update.effective_message.reply_text(text)


async def buy(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    """Place an order; the id of the user's message would do as its id too."""
    order_id, size = context.args or ("", "")
    order = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": size}
    placed = await client.spot_place_order(**order, clientOid=order_id)
    await say(update, f"{placed['clientOid']} is placed")


async def explain(update: object, context: ContextTypes.DEFAULT_TYPE) -> None:
    """Report an error of a handler to whoever sent the command."""
    assert context.error
    failure = failure_of(context.error)
    print(f'["error", "{failure.code}", "{failure.executed}", {failure.attempts}]', flush=True)
    if isinstance(update, Update) and failure.registry == "bitget":  # else the chat itself is what fails
        await say(update, f"{failure.code}: {failure.remedy}")


async def stop(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    """End the bot."""
    await say(update, "bye")
    context.application.stop_running()


async def close_client(application: object) -> None:
    """Close the exchange's client."""
    await client.close()


def main() -> None:
    """Run the bot until it is told to stop."""
    builder = Application.builder().token("1:token").base_url(os.environ["TELEGRAM_URL"] + "/bot")
    application = builder.post_shutdown(close_client).build()
    application.add_handler(CommandHandler("buy", buy))
    application.add_handler(CommandHandler("stop", stop))
    application.add_error_handler(explain)
    application.run_polling(poll_interval=0.05, timeout=1)


if __name__ == "__main__":
    main()
