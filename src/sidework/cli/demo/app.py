"""The demo's App as its worker processes load it: they find the database in $SIDEWORK_URL."""

from __future__ import annotations

from sidework.app import App
from sidework.cli.demo.tables import SCHEMA
from sidework.cli.demo.tasks import tasks

app = App(schema=SCHEMA)
app.include(tasks)
