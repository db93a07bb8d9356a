"""The addresses of the shop."""

from __future__ import annotations

from django.urls import path
from shop import views

urlpatterns = [
    path("orders/<str:item>", views.place),
    path("orders/<int:order_id>/", views.show),
]
