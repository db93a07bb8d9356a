"""The demo's task: count the lines, words and bytes of a file, exactly once."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

from sidework.cli.demo.tables import INSERT_FILE, placeholders
from sidework.core.context import Context
from sidework.core.retry import Retry
from sidework.task import TaskSet

tasks = TaskSet()


@tasks.task(name="demo.count_file", delivery="transactional", retry=Retry(max_attempts=3, delays=[0.2, 1.0]))
def count_file(ctx: Context, path: str) -> None:
    """Write a row about a file: it commits together with the mark *done*, or not at all."""
    data = Path(path).read_bytes()
    text = data.decode("utf-8")
    row = (str(ctx.job.id), path, text.count("\n"), len(text.split()), len(data), hashlib.sha256(data).hexdigest())
    marker = "?" if isinstance(ctx.connection, sqlite3.Connection) else "%s"
    ctx.connection.cursor().execute(INSERT_FILE + placeholders(marker, len(row)), row)
