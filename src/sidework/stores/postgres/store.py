"""The store on PostgreSQL 13 and newer: each operation is a few statements of `sql/`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from uuid import UUID

from sidework.core.job import FINISHED, JobRow, JobState, NewJob
from sidework.core.lifecycle import Settlement
from sidework.core.ops import Op, Statement, Value
from sidework.core.store import (
    BeatReply,
    Change,
    Claim,
    Claimed,
    JobCount,
    JobFilter,
    ProgressNote,
    QueueRow,
    Rescued,
    WorkerRow,
)
from sidework.stores.chunks import insert_in_chunks
from sidework.stores.filters import Conditions, compose
from sidework.stores.rows import (
    as_json,
    as_text,
    batches,
    check_same_job,
    inserted_row,
    job_documents,
    micros,
    read_ids,
    read_job,
    read_worker,
    settlement_batches,
    settlement_documents,
)
from sidework.stores.sql import SqlFiles

NOW = "coalesce(CAST(:now AS bigint), CAST(extract(epoch from statement_timestamp()) * 1000000 AS bigint))"


class PostgresStore:
    """Sidework's tables in one PostgreSQL schema; `schema` is a validated identifier."""

    database = "postgresql"

    def __init__(self, schema: str) -> None:
        self.channel = f"sidework_{hashlib.sha256(schema.encode()).hexdigest()[:16]}"
        macros = {
            "p": f'"{schema}".',
            "schema": f'"{schema}"',
            "schema_literal": f"'{schema}'",
            "relation": f"'\"{schema}\".migrations'",
            "channel": f"'{self.channel}'",
            "now": NOW,
        }
        parts = SqlFiles(__package__, macros)
        named = {name: parts(f"part_{name}") for name in ("job", "finished", "wanted")}
        self._sql = SqlFiles(__package__, {**macros, **named})
        self.migrations = self._sql.migrations()

    # jobs

    def insert_jobs(self, jobs: Iterable[NewJob], now: int | None = None) -> Op[list[JobRow]]:
        return insert_in_chunks(jobs, lambda chunk: self._insert_chunk(chunk, now))

    def claim_jobs(self, claim: Claim) -> Op[Claimed]:
        params: dict[str, Value] = {
            "worker": claim.worker,
            "tasks": as_json(claim.tasks),
            "queues": None if claim.queues is None else as_json(claim.queues),
            "now": claim.now,
        }
        if claim.look_first:
            [[is_held, wait]] = yield Statement(self._sql("next_due"), params, peek=True)
            if not is_held and (wait is None or wait > 0):
                return Claimed((), _seconds(wait))
        yield Statement(self._sql("promote_jobs"), {"now": claim.now})
        rows = yield Statement(self._sql("claim_jobs"), {**params, "limit": claim.limit})
        if rows:
            ordered = sorted(rows, key=lambda row: (row[19], -row[4], row[10], row[20]))
            return Claimed(tuple(read_job(row) for row in ordered))
        [[is_held, wait]] = yield Statement(self._sql("next_due"), params)
        return Claimed((), 0 if is_held else _seconds(wait))

    def settle_jobs(self, settlements: Sequence[Settlement], now: int | None = None) -> Op[list[UUID]]:
        accepted: set[UUID] = set()
        finished = [settlement for settlement in settlements if settlement.state in FINISHED]
        released = [settlement for settlement in settlements if settlement.state not in FINISHED]
        for name, part in (("finish_jobs", finished), ("release_jobs", released)):
            for batch in settlement_batches(part):
                rows = yield Statement(self._sql(name), {"settlements": settlement_documents(batch), "now": now})
                accepted |= read_ids(rows)
        return [settlement.id for settlement in settlements if settlement.id not in accepted]

    def save_progress(self, notes: Sequence[ProgressNote], now: int | None = None) -> Op[None]:
        documents = as_json([{"id": str(note.id), "token": note.token, "note": note.text} for note in notes])
        yield Statement(self._sql("save_progress"), {"notes": documents, "now": now})

    # looking after jobs

    def find_jobs(self, where: JobFilter) -> Op[list[JobRow]]:
        conditions = self._conditions(where)
        sql = self._filtered("find_jobs", conditions)
        rows = yield Statement(sql, {**conditions.params, "limit": where.limit}, peek=True)
        return [read_job(row, row[19]) for row in rows]

    def count_jobs(self, where: JobFilter) -> Op[list[JobCount]]:
        conditions = self._conditions(where)
        rows = yield Statement(self._filtered("count_jobs", conditions), conditions.params, peek=True)
        return [JobCount(as_text(queue), JobState(as_text(state)), int(count)) for queue, state, count in rows]

    def cancel_jobs(self, where: JobFilter, now: int | None = None) -> Op[list[JobRow]]:
        # What starts or stops meanwhile has left its first state: it is met in the other one.
        names = ("cancel_waiting", "cancel_running", "cancel_waiting")
        return (yield from self._change_found(where, names, now))

    def retry_jobs(self, where: JobFilter, now: int | None = None) -> Op[list[JobRow]]:
        return (yield from self._change_found(where, ("retry_finished", "retry_waiting"), now))

    def delete_jobs(self, where: JobFilter) -> Op[list[JobRow]]:
        states = dict.fromkeys((*FINISHED, JobState.WAITING), "delete_jobs")
        found = yield from self.find_jobs(where)
        gone: set[UUID] = set()
        for batch in batches([row.id for row in found if row.state in states]):
            gone |= read_ids((yield Statement(self._sql("delete_jobs"), {"ids": as_json([str(id) for id in batch])})))
        return [row for row in found if row.id in gone]

    def change_job(self, change: Change) -> Op[bool]:
        params = {"id": str(change.id), "run_at": change.run_at, "queue": change.queue}
        rows = yield Statement(self._sql("change_job"), {**params, "priority": change.priority, "now": change.now})
        return bool(rows)

    # upkeep

    def rescue_jobs(
        self, judge: Callable[[JobRow, int], Settlement], limit: int, now: int | None = None
    ) -> Op[list[Rescued]]:
        [[is_any]] = yield Statement(self._sql("look_for_lost"), {"now": now}, peek=True)
        if not is_any:
            return []
        lapsed = yield Statement(self._sql("lapsed_workers"), {"now": now})
        workers = as_json([as_text(row[0]) for row in lapsed])
        rows = yield Statement(self._sql("lost_jobs"), {"workers": workers, "limit": limit, "now": now})
        lost = [read_job(row) for row in rows]
        rescued = [Rescued(job, judge(job, int(row[19]))) for job, row in zip(lost, rows, strict=True)]
        if rescued:
            yield from self.settle_jobs([entry.settlement for entry in rescued], now)
        if lapsed:
            yield Statement(self._sql("forget_workers"), {"workers": workers})
        return rescued

    def prune_jobs(self, ages: Mapping[JobState, int], limit: int, now: int | None = None) -> Op[int]:
        removed = 0
        for state, age in ages.items():
            params = {"state": state.value, "age": age, "limit": limit, "now": now}
            rows = yield Statement(self._sql("prune_history"), params)
            removed += int(rows[0][0])
        yield Statement(self._sql("prune_notes"))
        return removed

    # workers and queues

    def beat(self, worker: WorkerRow, first: bool, now: int | None = None) -> Op[BeatReply]:
        lease = {"id": worker.id, "lease": micros(worker.lease), "tasks": as_json(worker.tasks), "now": now}
        rows = yield Statement(self._sql("extend_lease"), lease, alone=True)
        if not rows:
            queues = None if worker.queues is None else as_json(worker.queues)
            facts: dict[str, Value] = {
                "host": worker.host,
                "pid": worker.pid,
                "queues": queues,
                "concurrency": worker.concurrency,
            }
            yield Statement(self._sql("register_worker"), {**lease, **facts})
            return BeatReply(was_lost=not first)
        asked = tuple((UUID(as_text(id)), int(token)) for id, token in rows if id is not None)
        return BeatReply(was_lost=False, cancelled=asked)

    def retire(self, worker: str) -> Op[None]:
        yield Statement(self._sql("retire"), {"id": worker})

    def list_workers(self) -> Op[list[WorkerRow]]:
        rows = yield Statement(self._sql("list_workers"), peek=True)
        return [read_worker(row) for row in rows]

    def put_queue(self, name: str, paused: bool) -> Op[None]:
        yield Statement(self._sql("put_queue"), {"name": name, "paused": int(paused)})

    def list_queues(self) -> Op[list[QueueRow]]:
        rows = yield Statement(self._sql("list_queues"), peek=True)
        return [QueueRow(as_text(row[0]), bool(row[1]), int(row[2]), int(row[3])) for row in rows]

    def list_task_names(self) -> Op[list[str]]:
        rows = yield Statement(self._sql("list_task_names"), peek=True)
        return [as_text(row[0]) for row in rows]

    # schema

    def schema_version(self) -> Op[int]:
        rows = yield Statement(self._sql("schema_exists"), peek=True)
        if not rows[0][0]:
            return 0
        rows = yield Statement(self._sql("schema_version"), peek=True)
        return int(rows[0][0])

    def migrate(self) -> Op[int]:
        yield Statement(self._sql("schema_lock"))
        version = yield from self.schema_version()
        for migration in self.migrations:
            if migration.version > version:
                for sql in migration.up:
                    yield Statement(sql)
                version = migration.version
                yield Statement(self._sql("record_migration"), {"version": version, "name": migration.name})
        return version

    def rollback(self) -> Op[None]:
        yield Statement(self._sql("schema_lock"))
        for migration in reversed(self.migrations):
            for sql in migration.down:
                yield Statement(sql)
        yield Statement(self._sql("drop_empty_schema"))

    # a handler's transaction

    def open_sentinel(self, name: str, id: UUID, token: int) -> Op[str]:
        # The transaction's own id is the marker: whether it committed can be asked later, and nothing has to be written.
        rows = yield Statement(self._sql("transaction_id"))
        yield Statement(f"savepoint {name}")
        return as_text(rows[0][0])

    def close_sentinel(self, name: str, marker: str) -> Op[None]:
        yield Statement(f"release savepoint {name}")

    def read_sentinel(self, marker: str) -> Op[bool]:
        rows = yield Statement(self._sql("transaction_committed"), {"marker": marker})
        return bool(rows[0][0])

    # parts

    def _insert_chunk(self, chunk: list[NewJob], now: int | None) -> Op[list[JobRow]]:
        kept = yield from self._kept_jobs([job for job in chunk if job.given])
        for job in chunk:
            if job.id in kept:
                check_same_job(job, kept[job.id])  # before anything of the chunk is stored
        new = [job for job in chunk if job.id not in kept]
        stored: dict[UUID, tuple[int, int]] = {}
        if new:
            is_alone = not any(job.given for job in chunk)
            params = {"jobs": job_documents(new), "now": now}
            rows = yield Statement(self._sql("insert_jobs"), params, alone=is_alone)
            stored = {UUID(as_text(id)): (run_at, enqueued_at) for id, run_at, enqueued_at in rows}
        return [kept[job.id] if job.id in kept else inserted_row(job, *stored[job.id]) for job in chunk]

    def _kept_jobs(self, given: list[NewJob]) -> Op[dict[UUID, JobRow]]:
        if not given:
            return {}
        ids = as_json([str(job.id) for job in given])
        free = read_ids((yield Statement(self._sql("reserve_ids"), {"ids": ids})))
        free -= read_ids((yield Statement(self._sql("known_ids"), {"ids": as_json([str(id) for id in free])})))
        taken = tuple(job.id for job in given if job.id not in free)
        if not taken:
            return {}
        rows = yield from self.find_jobs(JobFilter(ids=taken, limit=None))
        return {row.id: row for row in rows}

    def _change_found(self, where: JobFilter, names: Sequence[str], now: int | None) -> Op[list[JobRow]]:
        found = yield from self.find_jobs(where)
        changed: set[UUID] = set()
        for name in names:
            for batch in batches([row.id for row in found if row.id not in changed]):
                params = {"ids": as_json([str(id) for id in batch]), "now": now}
                changed |= read_ids((yield Statement(self._sql(name), params)))
        if not changed:
            return []
        return (yield from self.find_jobs(JobFilter(ids=tuple(changed), limit=None)))

    def _conditions(self, where: JobFilter) -> Conditions:
        return compose(
            where,
            id_list="j.id in (select CAST(value AS uuid) from json_array_elements_text(CAST(:ids AS json)) as value)",
            id_after="j.id < CAST(:after AS uuid)",
            has_tag="j.tags is not null and CAST(j.tags AS jsonb) @> to_jsonb(CAST(:tag AS text))",
            text_list=lambda name: f"j.state in (select json_array_elements_text(CAST(:{name} AS json)))",
        )

    def _filtered(self, name: str, conditions: Conditions) -> str:
        text = self._sql(name)
        return text.replace("[conditions]", conditions.unfinished).replace("[finished]", conditions.finished)


def _seconds(micros: int | None) -> float | None:
    return None if micros is None else max(int(micros), 0) / 1_000_000
