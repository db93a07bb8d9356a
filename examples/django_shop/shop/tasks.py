"""The App, and what it runs; `job_connection="default"` gives transactional jobs Django's own connection."""

from __future__ import annotations

from django.conf import settings

from shop.models import Order
from sidework import App, Context

app = App(settings.SIDEWORK_URL, job_connection="default")


@app.task(delivery="transactional")
def charge(ctx: Context, order_id: int) -> bool:
    """Mark an order as paid; the ORM takes part in the job's transaction, so this commits together with *done*."""
    changed = Order.objects.using(ctx.connection.alias).filter(pk=order_id, paid=False).update(paid=True)
    return bool(changed)
