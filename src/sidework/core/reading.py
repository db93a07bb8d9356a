"""From a stored row to the Job that a user is shown."""

from __future__ import annotations

import json
from typing import Any

from sidework.core.codec import Codec, decode_call
from sidework.core.failure import read_errors
from sidework.core.job import Job, JobRow, NewJob, Progress, from_micros
from sidework.core.registry import TaskSpec


def read_job(row: JobRow, codec: Codec, spec: TaskSpec | None) -> Job:
    """The job of a row; raises InvalidPayload where its arguments or result cannot be read."""
    hints = spec.hints if spec else {}
    args, kwargs = decode_call(codec, row.payload, hints, spec.positional if spec else ())
    result = None if row.result is None else codec.decode(row.result, hints.get("return"))
    return _job(row, args, kwargs, result)


def show_job(row: JobRow, codec: Codec, spec: TaskSpec | None) -> Job:
    """The same for looking: arguments or a result that cannot be read here are shown as their stored text."""
    try:
        return read_job(row, codec, spec)
    except Exception:  # a codec of the application's may raise anything
        return _job(row, (row.payload,), {}, row.result)


def read_new_job(new: NewJob, row: JobRow) -> Job:
    """The job that was just stored, with the caller's own argument objects."""
    return _job(row, new.args, dict(new.kwargs), None)


def read_tags(text: str | None) -> tuple[str, ...]:
    """Stored tags."""
    return () if text is None else tuple(json.loads(text))


def read_progress(text: str | None) -> Progress | None:
    """Stored progress."""
    if text is None:
        return None
    note = json.loads(text)
    return Progress(float(note["fraction"]), note.get("message"))


def _job(row: JobRow, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> Job:
    return Job(
        id=row.id,
        task=row.task,
        queue=row.queue,
        args=args,
        kwargs=kwargs,
        priority=row.priority,
        state=row.state,
        attempt=row.attempt,
        max_attempts=row.max_attempts,
        crashes=row.crashes,
        run_at=from_micros(row.run_at),
        enqueued_at=from_micros(row.enqueued_at),
        started_at=from_micros(row.started_at),
        finished_at=from_micros(row.finished_at),
        worker=row.worker,
        errors=read_errors(row.errors),
        result=result,
        progress=read_progress(row.progress),
        tags=read_tags(row.tags),
    )
