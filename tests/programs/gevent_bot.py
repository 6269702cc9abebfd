"""A bot of greenlets: everything is patched first, and twenty of them place orders at once."""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import os  # noqa: E402
import time  # noqa: E402

import gevent  # noqa: E402
from gevent.pool import Pool  # noqa: E402

from resilience import failure_of, resilient, wrap  # noqa: E402
from resilience.bitget import BitgetClient  # noqa: E402

keys = [os.environ[f"EXCHANGE_{name}"] for name in ("KEY", "SECRET", "PASSPHRASE")]
client = wrap(BitgetClient(*keys, base_url=os.environ["EXCHANGE_URL"]), "bitget")
ticks = 0


def place(number: int) -> dict[str, object]:
    """Place one order."""
    order = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": "0.001" if number == 0 else "10"}
    try:
        placed = client.spot_place_order(**order, clientOid=f"green-{number}")
    except Exception as error:
        failure = failure_of(error)
        return {"number": number, "code": failure.code, "executed": failure.executed, "remedy": failure.remedy}
    return {"number": number, "exchange_id": placed["orderId"]}


def tick() -> None:
    """Count while others wait: a wait of the library must not stop the other greenlets."""
    global ticks
    while True:
        ticks += 1
        gevent.sleep(0.001)


@resilient(idempotent=True)
def wait_forever() -> None:
    """Wait for something that never comes."""
    time.sleep(3600)


def main() -> None:
    """Place the orders, and give up one call by a timeout of gevent."""
    ticker = gevent.spawn(tick)
    for result in Pool(20).imap_unordered(place, range(20)):
        print(json.dumps(result))
    try:
        with gevent.Timeout(0.05):
            wait_forever()
    except gevent.Timeout:
        print(json.dumps("given up"))
    stopped = gevent.spawn(wait_forever)
    gevent.sleep(0.01)
    stopped.kill()
    print(json.dumps(["stopped", isinstance(stopped.value, gevent.GreenletExit)]))
    ticker.kill()
    print(json.dumps({"ticks": ticks}))


if __name__ == "__main__":
    main()
