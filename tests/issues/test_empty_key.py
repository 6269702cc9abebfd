"""An order whose client id is the empty string had no key for lookups."""

from __future__ import annotations

from resilience import Policies, wrap
from resilience.bitget import BitgetClient
from resilience.sandbox import Sandbox


def test_an_empty_client_id_is_replaced_by_a_new_key() -> None:
    """After a lost answer the order is found by the key that replaced the empty id."""
    with Sandbox(window=1.0, faults={"accept_drop": 1.0}) as exchange:
        client = BitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)
        wrapped = wrap(client, "bitget", policies=Policies.load(exchange.policy))
        order = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": "50", "clientOid": ""}
        order_answer = wrapped.spot_place_order(**order)
        rows = exchange.ledger()["orders"]
    assert [(row["clientOid"], row["executions"]) for row in rows] == [(order_answer["clientOid"], 1)]
    assert len(order_answer["clientOid"]) == 32
    assert not order["clientOid"]
