"""Rows and batches as every store sends and reads them: text, integers and None, whatever the handle's settings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

from sidework.core.job import JobRow, JobState, NewJob, to_micros
from sidework.core.lifecycle import Settlement
from sidework.core.ops import Row
from sidework.core.store import WorkerRow
from sidework.errors import IdConflict

T = TypeVar("T")

BATCH = 1000
"""Rows that one statement changes at the most."""

BATCH_LENGTH = 2_000_000
"""Characters of text in one statement: escaped twice they come to 14 MB at the worst, and MariaDB takes 16."""


def as_json(value: object) -> str:
    """One batch parameter as JSON text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def as_text(value: Any) -> str:
    """A text column of a handle that may answer bytes (sqlite3's text_factory, mysqlclient's charset)."""
    return value.decode("utf-8") if isinstance(value, (bytes, bytearray)) else str(value)


def as_optional_text(value: Any) -> str | None:
    """The same, where the column may be null."""
    return None if value is None else as_text(value)


def as_optional_int(value: Any) -> int | None:
    """An integer column that may be null (MySQL answers some as Decimal)."""
    return None if value is None else int(value)


def read_job(row: Row, progress: Any = None) -> JobRow:
    """A job from the columns of `part_job.sql` or `part_finished.sql`, in their order."""
    return JobRow(
        id=UUID(as_text(row[0])),
        task=as_text(row[1]),
        queue=as_text(row[2]),
        payload=as_text(row[3]),
        priority=int(row[4]),
        state=JobState(as_text(row[5])),
        attempt=int(row[6]),
        max_attempts=as_optional_int(row[7]),
        crashes=int(row[8]),
        max_crashes=as_optional_int(row[9]),
        run_at=int(row[10]),
        enqueued_at=int(row[11]),
        started_at=as_optional_int(row[12]),
        finished_at=as_optional_int(row[13]),
        worker=as_optional_text(row[14]),
        token=as_optional_int(row[15]),
        errors=as_optional_text(row[16]),
        result=as_optional_text(row[17]),
        tags=as_optional_text(row[18]),
        progress=as_optional_text(progress),
    )


def read_ids(rows: Iterable[Row]) -> set[UUID]:
    """The ids in the first column."""
    return {UUID(as_text(row[0])) for row in rows}


def read_worker(row: Row) -> WorkerRow:
    """A worker from the columns of `list_workers.sql`."""
    queues = as_optional_text(row[3])
    return WorkerRow(
        id=as_text(row[0]),
        host=as_text(row[1]),
        pid=int(row[2]),
        queues=None if queues is None else tuple(json.loads(queues)),
        tasks=tuple(json.loads(as_text(row[4]))),
        concurrency=int(row[5]),
        lease=(int(row[8]) - int(row[7])) / 1_000_000,
        started_at=int(row[6]),
        beat_at=int(row[7]),
        lease_until=int(row[8]),
        running=int(row[9]),
    )


def batches(items: Iterable[T], size: int = BATCH) -> Iterator[list[T]]:
    """The items in lists of at most `size`."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def job_documents(jobs: Sequence[NewJob]) -> str:
    """New jobs as the batch parameter of `insert_jobs.sql`."""
    return as_json(
        [
            {
                "position": position,
                "id": str(job.id),
                "queue": job.queue,
                "task": job.task,
                "payload": job.payload,
                "priority": job.priority,
                "run_at": None if job.run_at is None else to_micros(job.run_at),
                "delay": micros(job.delay),
                "max_attempts": job.max_attempts,
                "max_crashes": job.max_crashes,
                "tags": as_json(job.tags) if job.tags else None,
            }
            for position, job in enumerate(jobs)
        ]
    )


def settlement_batches(settlements: Iterable[Settlement]) -> Iterator[list[Settlement]]:
    """The settlements in lists whose texts fit into one statement of any server: MySQL refuses a large packet for ever."""
    batch: list[Settlement] = []
    size = 0
    for settlement in settlements:
        length = sum(len(text or "") for text in (settlement.errors, settlement.result, settlement.progress))
        if batch and size + length > BATCH_LENGTH:
            yield batch
            batch, size = [], 0
        batch.append(settlement)
        size += length
    if batch:
        yield batch


def settlement_documents(settlements: Iterable[Settlement]) -> str:
    """Settlements as the batch parameter of `finish_jobs.sql` and `release_jobs.sql`."""
    return as_json(
        [
            {
                "id": str(settlement.id),
                "token": settlement.token,
                "state": settlement.state.value,
                "attempt": settlement.attempt,
                "crashes": settlement.crashes,
                "delay": micros(settlement.delay),
                "errors": settlement.errors,
                "result": settlement.result,
                "progress": settlement.progress,
            }
            for settlement in settlements
        ]
    )


def micros(seconds: float | None) -> int | None:
    """Seconds as whole microseconds."""
    return None if seconds is None else round(seconds * 1_000_000)


def inserted_row(job: NewJob, run_at: int | None, enqueued_at: int | None) -> JobRow:
    """The row of a job that was just stored; times are None where only the database knows them."""
    return JobRow(
        id=job.id,
        task=job.task,
        queue=job.queue,
        payload=job.payload,
        priority=job.priority,
        state=JobState.WAITING,
        attempt=0,
        max_attempts=job.max_attempts,
        crashes=0,
        max_crashes=job.max_crashes,
        run_at=run_at,
        enqueued_at=enqueued_at,
        tags=as_json(job.tags) if job.tags else None,
    )


def check_same_job(job: NewJob, row: JobRow) -> JobRow:
    """The stored row, where a given id is given again for the same task and arguments; else IdConflict."""
    if (row.task, row.payload) != (job.task, job.payload):
        what = "another task" if row.task != job.task else "other arguments"
        raise IdConflict(
            f"id {job.id} belongs to a job of task {row.task!r} already ({what}; {row.state}); "
            f"give {job.task!r} an id of its own, or repeat the first call exactly"
        )
    return row
