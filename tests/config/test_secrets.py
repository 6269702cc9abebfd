"""Secrets in policy files: rejected by name or form, and never shown in a message."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import PolicyError
from resilience.config.loading.policy_file import from_mapping
from resilience.config.loading.secret_values import resembles_a_secret


def messages_of(mapping: dict[str, Any]) -> str:
    """Return the mistakes of a mapping as they are printed."""
    with pytest.raises(PolicyError) as caught:
        from_mapping(mapping)
    return str(caught.value)


@pytest.mark.parametrize(
    "key",
    [
        "api_key",
        "apiKey",
        "API-KEY",
        "secret",
        "api_secret",
        "passphrase",
        "password",
        "token",
        "accessToken",
        "privateKey",
    ],
)
@pytest.mark.parametrize("value", ["hunter2", "${SECRET:-hunter2}", ["hunter2"]])
def test_keys_that_are_named_like_credentials(key: str, value: Any) -> None:
    """The message says where the secret belongs, wherever the key is and its value comes from."""
    for mapping in (
        {key: value},
        {"policies": {"a": {key: value}}},
        {"policies": {"a": {"fallback": {"value": {key: value}}}}},
    ):
        message = messages_of(mapping)
        assert "pass them to the client" in message
        assert "hunter2" not in message


def test_names_of_policies_are_names() -> None:
    """The name of a policy or a lane may contain such a word."""
    found = from_mapping(
        {"policies": {"refresh_token": {"admission": {"lanes": {"token": {"priority": 1}}}}}, "operations": [
            {"match": "token_*", "policy": "refresh_token", "lane": "token", "key": "clientOrderId"}
        ]}
    )  # fmt: skip
    assert found.policies["refresh_token"].admission is not None


SECRETS = [
    "bg_0123456789abcdef0123456789abcdef",
    "3c1b6a4e-8a39-4a1c-9a55-0a6d6a9b8f10",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    "Bearer 0123456789abcdefghij",
    "https://bot:hunter2@example.com/path",
    "redis://:hunter2@localhost:6379",
    "-----BEGIN RSA PRIVATE KEY-----",
    "sk_live_4eC39HqLyjWDarjt",
    "AKIAIOSFODNN7EXAMPLE",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "place",
    [
        lambda secret: {"policies": {"a": {"deadline": secret}}},
        lambda secret: {"policies": {"a": {"attempt_header": secret}}},
        lambda secret: {"policies": {"a": {"retry": {"backoff": {"kind": secret}}}}},
        lambda secret: {"operations": [{"match": "x", "policy": secret}]},
        lambda secret: {"codes": [secret]},
        lambda secret: {secret: 1},
        lambda secret: {"policies": {secret: {"deadline": "soon"}}},
    ],
    ids=["duration", "text", "word", "name", "registry", "key", "policy"],
)
def test_values_that_look_like_secrets(secret: str, place: Any) -> None:
    """They are rejected where any value is allowed, and no other message shows them."""
    message = messages_of(place(secret))
    assert "a policy file must not contain secrets" in message
    assert secret not in message
    assert secret[:20] not in message


@pytest.mark.parametrize(
    "text",
    [
        "post /api/v2/spot/trade/cancel-replace-order",
        "/api/v2/mix/order/orders-plan-pending-and-history",
        "private_spot_post_v2_spot_trade_batch_cancel_order",
        "privateMixPostV2MixOrderPlaceOrderAndSomethingElse",
        "fetch_*",
        "clientOrderId",
        "params.clientOrderId|clientOid",
        "bitget-spot-batch-cancel",
        "https://api.example.com/orders",
        "redis://bot:${REDIS_PASSWORD}@localhost/0",
        "redis://localhost?db=1&password=${REDIS_PASSWORD}",
        "tables/own.yaml",
        "1" * 60,
        "3f786850e387550fdab836ed7e6dc881de23001b",  # a commit
        "sha256-wJalrXUtnFEMI/K7MDENG/bPxRf1CYEXAMPLE0",
        "",
    ],
)
def test_values_that_do_not(text: str) -> None:
    """Operations, paths, names, numbers and checksums are not secrets."""
    assert not resembles_a_secret(text)
