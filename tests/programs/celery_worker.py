"""A worker that takes orders from a queue. A task that is delivered twice places its order once."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import Celery, Task
from celery.contrib.testing.worker import start_worker
from celery.exceptions import Reject

from resilience import failure_of, wrap
from resilience.bitget import BitgetClient
from resilience.outbox import Outbox

app = Celery("orders", broker="memory://", backend="cache+memory://")
app.conf.update(task_acks_late=True, broker_connection_retry_on_startup=True, worker_hijack_root_logger=False)

keys = [os.environ[f"EXCHANGE_{name}"] for name in ("KEY", "SECRET", "PASSPHRASE")]
outbox = Outbox(os.path.join(tempfile.mkdtemp(), "orders.db"))  # one file per worker process
client = wrap(BitgetClient(*keys, base_url=os.environ["EXCHANGE_URL"]), "bitget", outbox=outbox)


@app.task(bind=True, max_retries=3)
def place_order(self: "Task[Any, Any]", order_id: str, symbol: str, size: str) -> dict[str, Any]:
    """Place an order. The id comes with the task: a task that Celery delivers again has the same id."""
    earlier = outbox.find(order_id)
    if earlier is not None and earlier.state == "done":
        return {"order": order_id, "state": "done before"}
    try:
        placed = client.spot_place_order(symbol=symbol, side="buy", orderType="market", size=size, clientOid=order_id)
    except Exception as error:
        failure = failure_of(error)
        if failure.executed == "no" and failure.category == "retryable":
            raise self.retry(exc=error, countdown=failure.retry_after or 0.1) from error
        return {
            "order": order_id,
            "state": "failed",
            "code": failure.code,
            "executed": failure.executed,
            "remedy": failure.remedy,
        }
    return {"order": order_id, "state": "done", "exchange_id": placed["orderId"]}


@app.task
def reject_stale() -> None:
    """Reject a task for good; Celery's own control flow passes a policy unseen."""
    raise Reject("too old", requeue=False)


@app.task(bind=True, max_retries=5)
def ask_again(self: "Task[Any, Any]") -> int:
    """Ask Celery for another run of this task."""
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return self.request.retries


@contextmanager
def worker() -> Iterator[None]:
    """Run a worker in this process; a deployed one is started by `celery -A celery_worker worker`."""
    with start_worker(app, pool="threads", concurrency=4, perform_ping_check=False, loglevel="WARNING"):
        yield


def main() -> None:
    """Send the orders, some of them twice, and print what came of them."""
    with worker():
        ids = [f"task-{number}" for number in range(12)]
        results = [place_order.delay(order_id, "BTCUSDT", "10") for order_id in [*ids, *ids[:3], "task-0"]]
        results.append(place_order.delay("too-small", "BTCUSDT", "0.001"))
        for result in results:
            print(json.dumps(result.get(timeout=120)))
        print(json.dumps({"runs": ask_again.delay().get(timeout=60)}))


if __name__ == "__main__":
    main()
