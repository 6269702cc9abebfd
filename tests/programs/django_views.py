"""A Django project in one file, with a view that places an order and one that reads: `python django_views.py`."""

import json
import os
from collections.abc import Callable
from typing import Any

import django
import requests
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import AsyncClient, Client
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from resilience import failure_of, resilient, wrap
from resilience.bitget import AsyncBitgetClient, BitgetClient

settings.configure(
    ALLOWED_HOSTS=["testserver"],
    DEBUG=False,
    MIDDLEWARE=["__main__.explain_failures"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of-this-example",
    LOGGING_CONFIG=None,
)
keys = [os.environ[f"EXCHANGE_{name}"] for name in ("KEY", "SECRET", "PASSPHRASE")]
url = os.environ["EXCHANGE_URL"]
client = wrap(BitgetClient(*keys, base_url=url), "bitget")  # one per process; threads may share it
session = wrap(requests.Session(), "http")


class explain_failures:  # noqa: N801  # Django calls it by this name
    """Middleware: an error of the exchange becomes an answer that says what to do."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse:
        failure = failure_of(error)
        status = 202 if failure.executed == "maybe" else 422 if failure.category == "user_fixable" else 503
        answer = {"code": failure.code, "executed": failure.executed, "remedy": failure.remedy}
        return JsonResponse(answer, status=status)


@csrf_exempt
def orders(request: HttpRequest) -> HttpResponse:
    """Place an order."""
    order = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", **json.loads(request.body)}
    placed = client.spot_place_order(**order)
    return JsonResponse({"exchange_id": placed["orderId"]}, status=201)


@csrf_exempt
async def orders_async(request: HttpRequest) -> HttpResponse:
    """Place an order from an async view; its client belongs to the loop of this request."""
    order = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", **json.loads(request.body)}
    async with wrap(AsyncBitgetClient(*keys, base_url=url), "bitget") as bot:
        placed = await bot.spot_place_order(**order)
    return JsonResponse({"exchange_id": placed["orderId"]}, status=201)


def clock(request: HttpRequest) -> HttpResponse:
    """Return the exchange's clock, by plain HTTP."""
    return HttpResponse(session.get(url + "/api/v2/public/time", timeout=5).content, "application/json")


@resilient(idempotent=True)
def fetch_rate() -> float:
    """Fail as a service that is down."""
    raise ConnectionRefusedError("the service for rates is down")


def rate(request: HttpRequest) -> HttpResponse:
    """Return a rate."""
    return JsonResponse({"rate": fetch_rate()})


urlpatterns = [
    path("orders", orders), path("orders/async", orders_async), path("clock", clock), path("rate", rate),
]  # fmt: skip


def show(answer: Any) -> None:
    """Print an answer."""
    print(json.dumps([answer.status_code, json.loads(answer.content)]))


async def place_async(browser: AsyncClient, order: dict[str, str]) -> Any:
    """Post an order to the async view."""
    return await browser.post("/orders/async", order, content_type="application/json")


def main() -> None:
    """Use the views as a browser does."""
    from asgiref.sync import async_to_sync

    django.setup()
    browser = Client()
    for number in range(4):
        show(browser.post("/orders", {"clientOid": f"view-{number}", "size": "10"}, content_type="application/json"))
    show(browser.post("/orders", {"clientOid": "too-small", "size": "0.001"}, content_type="application/json"))
    for number in range(4):
        show(async_to_sync(place_async)(AsyncClient(), {"clientOid": f"async-{number}", "size": "10"}))
    show(browser.get("/clock"))
    show(browser.get("/rate"))


if __name__ == "__main__":
    main()
