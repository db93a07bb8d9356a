"""`manage.py jobs migrate | work`: Sidework inside of Django's settings, logging and apps."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from shop.tasks import app


class Command(BaseCommand):
    """Prepare the tables, or run a worker until SIGINT or SIGTERM."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["migrate", "work"])

    def handle(self, *_: Any, action: str, **__: Any) -> None:
        if action == "migrate":
            self.stdout.write(f"Sidework's tables have version {app.migrate()}")
        else:
            app.worker(concurrency=2).run()
