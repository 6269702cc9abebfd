"""Asks a store whether a policy file can share through it: `resilience check --online`."""

from __future__ import annotations

from functools import partial
from typing import Any

from .._core.policy.shared_settings import SharedSettings, without_credentials
from .keys import KeySpace
from .membership import Membership
from .quota_script import BOOK
from .store import Store
from .store_errors import StoreLostError, UnsafeStoreError

__all__ = ["store_problem"]


def store_problem(settings: SharedSettings) -> str:
    """Return why the store cannot be used as these settings want; empty if it can.

    It is connected to, checked (law 10), and asked with the scripts that bots use, on keys of its own that expire.
    """
    store, keys = Store(settings.url, settings.patience), KeySpace(settings.namespace)
    try:
        store.connect()
        tag = keys.tag("check")
        store.run(BOOK, [f"{tag}sends", f"{tag}epoch"], [1, 1000, 1000, 1, 100, 1, 0, 1, 0])
        Membership(KeySpace(f"{settings.namespace}.check")).work(store)
        if set(settings.share) - {"quota"}:
            store.call(partial(_push, channel=f"{tag}push", patience=settings.patience))
    except UnsafeStoreError as error:
        return f"{without_credentials(settings.url)}: {error}"
    except StoreLostError as error:
        return f"{without_credentials(settings.url)} does not answer within {settings.patience:g}s: {error}"
    finally:
        store.close()
    return ""


def _push(client: Any, channel: str, patience: float) -> None:
    """Listen to a channel and send to it, as the parts do that hear of changes at once."""
    with client.pubsub() as pubsub:
        pubsub.subscribe(channel)
        pubsub.get_message(timeout=patience)
        client.publish(channel, "")
