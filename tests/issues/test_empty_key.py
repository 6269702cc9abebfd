"""An order whose client id is the empty string had no key by which it could be looked up."""

from __future__ import annotations

from resilience import Policies, wrap
from resilience.bitget import BitgetClient
from resilience.sandbox import Sandbox


def test_an_empty_client_id_is_replaced_by_a_new_key() -> None:
    """The answer is lost, and the order is found by the key that was made for it."""
    with Sandbox(faults={"accept_drop": 1.0}) as exchange:
        client = BitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)
        wrapped = wrap(client, "bitget", policies=Policies.load(exchange.policy))
        order = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": "50", "clientOid": ""}
        told = wrapped.spot_place_order(**order)
        rows = exchange.ledger()["orders"]
    assert [(row["clientOid"], row["executions"]) for row in rows] == [(told["clientOid"], 1)]
    assert len(told["clientOid"]) == 32
    assert not order["clientOid"]
