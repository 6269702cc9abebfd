"""A service that places orders for its users: `POST /orders`. It listens on a free port and prints its address."""

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import ceil

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from resilience import RejectedError, failure_of, wrap
from resilience.bitget import AsyncBitgetClient, BitgetApiError


class Order(BaseModel):
    """What a user sends."""

    id: str
    symbol: str = "BTCUSDT"
    side: str = "buy"
    size: str = "10"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Keep one client for as long as the service runs: breakers and quotas belong to it."""
    keys = [os.environ[f"EXCHANGE_{name}"] for name in ("KEY", "SECRET", "PASSPHRASE")]
    async with wrap(AsyncBitgetClient(*keys, base_url=os.environ["EXCHANGE_URL"]), "bitget") as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/orders", status_code=201)
async def place_order(order: Order, request: Request) -> dict[str, object]:
    """Place an order under the user's own id, so that a user may send it again."""
    client = request.app.state.client
    placed = await client.spot_place_order(
        symbol=order.symbol, side=order.side, orderType="market", size=order.size, clientOid=order.id
    )
    return {"id": order.id, "exchange_id": placed["orderId"]}


@app.get("/time")
async def exchange_time(request: Request) -> dict[str, object]:
    """Return the exchange's clock."""
    return dict(await request.app.state.client.get("/api/v2/public/time"))


STATUS = {"user_fixable": 422, "retryable": 503, "fatal": 502}


@app.exception_handler(BitgetApiError)
@app.exception_handler(RejectedError)
@app.exception_handler(OSError)
async def explain(request: Request, error: Exception) -> JSONResponse:
    """Answer with what the user can do: 202 where nobody knows yet whether the order was executed."""
    failure = failure_of(error)
    status = 202 if failure.executed == "maybe" else STATUS[failure.category or "fatal"]
    headers = {} if failure.retry_after is None else {"Retry-After": str(ceil(failure.retry_after))}
    answer = {"code": failure.code, "executed": failure.executed, "remedy": failure.remedy}
    return JSONResponse(answer, status, headers)


if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(f'"http://127.0.0.1:{listener.getsockname()[1]}"', flush=True)
        uvicorn.run(app, fd=listener.fileno(), log_level="warning")
