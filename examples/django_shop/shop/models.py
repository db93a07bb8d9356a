"""What the shop stores."""

from __future__ import annotations

from django.db import models


class Order(models.Model):
    """An order, paid by the job that `shop.views.place` enqueues with it."""

    item = models.CharField(max_length=100)
    paid = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"order {self.pk}: {self.item}"
