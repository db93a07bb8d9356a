"""Views: an order and its job in one transaction."""

from __future__ import annotations

from django.db import connection, transaction
from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from shop.models import Order
from shop.tasks import charge

SOLD_OUT = {"gold"}


class SoldOut(Exception):
    """Raised after the job was enqueued, to show that it goes with the order."""


@csrf_exempt
@require_POST
def place(_: HttpRequest, item: str) -> JsonResponse:
    """Store an order and the job that charges it."""
    try:
        with transaction.atomic():
            order = Order.objects.create(item=item)
            job = charge.using(connection=connection).enqueue(order.pk)
            take_from_stock(item)
    except SoldOut:
        return JsonResponse({"error": f"{item} is sold out"}, status=409)
    return JsonResponse({"order": order.pk, "job": str(job.id)}, status=201)


def take_from_stock(item: str) -> None:
    """Raise where there is none left."""
    if item in SOLD_OUT:
        raise SoldOut


@require_GET
def show(_: HttpRequest, order_id: int) -> JsonResponse:
    """An order as it is."""
    order = get_object_or_404(Order, pk=order_id)
    return JsonResponse({"order": order.pk, "item": order.item, "paid": order.paid})
