"""The store on SQLite 3.37 and newer: each operation is a few statements of `sql/`.

There is one writer, so nothing is locked row by row: on our own connections an operation is one BEGIN IMMEDIATE
transaction, and what only looks (`peek`) stays outside it. Statements that write start with their verb and never with
`with`: sqlite3 begins the caller's transaction by that word.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
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

# Milliseconds, and exactly those: a julian day as a double errs by 23 microseconds.
NOW = "coalesce(CAST(:now AS integer), CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS integer) * 1000)"


class SQLiteStore:
    """Sidework's tables in one SQLite database; `prefix_schema`, a validated identifier, starts their names."""

    database = "sqlite"

    def __init__(self, prefix_schema: str) -> None:
        macros = {"p": f"{prefix_schema}_", "now": NOW}
        parts = SqlFiles(__package__, macros)
        named = {name: parts(f"part_{name}") for name in ("job", "finished", "wanted")}
        self._sql = SqlFiles(__package__, {**macros, **named})
        self.migrations = self._sql.migrations()

    # jobs

    def insert_jobs(self, jobs: Iterable[NewJob], now: int | None = None) -> Op[list[JobRow]]:
        return insert_in_chunks(
            jobs, lambda chunk: self._insert_chunk(chunk, now), opening=(self._change("open_transaction"),)
        )

    def claim_jobs(self, claim: Claim) -> Op[Claimed]:
        params = {
            "worker": claim.worker,
            "tasks": as_json(claim.tasks),
            "queues": None if claim.queues is None else as_json(claim.queues),
            "now": claim.now,
        }
        [[has_come_due, is_wanted, wait]] = yield self._peek("look_for_due", params)
        if not has_come_due and not is_wanted:
            return Claimed((), _seconds(wait))
        if has_come_due:
            yield self._change("promote_jobs", {"now": claim.now})
        picked = yield self._change("pick_jobs", {**params, "limit": claim.limit})
        if not picked:
            [[_, _, wait]] = yield self._peek("look_for_due", params)
            return Claimed((), _seconds(wait))
        return Claimed((yield from self._take(claim, [(int(row[0]), int(row[1])) for row in picked])))

    def settle_jobs(self, settlements: Sequence[Settlement], now: int | None = None) -> Op[list[UUID]]:
        accepted: set[UUID] = set()
        finished = [settlement for settlement in settlements if settlement.state in FINISHED]
        released = [settlement for settlement in settlements if settlement.state not in FINISHED]
        for batch in settlement_batches(finished):
            params = {"settlements": settlement_documents(batch), "now": now}
            gone = read_ids((yield self._change("finish_jobs", params)))
            yield self._change("remove_finished", {"ids": _id_list(gone)})
            accepted |= gone
        for batch in settlement_batches(released):
            params = {"settlements": settlement_documents(batch), "now": now}
            accepted |= read_ids((yield self._change("release_jobs", params)))
        return [settlement.id for settlement in settlements if settlement.id not in accepted]

    def save_progress(self, notes: Sequence[ProgressNote], now: int | None = None) -> Op[None]:
        documents = as_json([{"id": str(note.id), "token": note.token, "note": note.text} for note in notes])
        yield self._change("save_progress", {"notes": documents, "now": now})

    # looking after jobs

    def find_jobs(self, where: JobFilter) -> Op[list[JobRow]]:
        conditions = _conditions(where)
        sql = self._filtered("find_jobs", conditions)
        rows = yield Statement(sql, {**conditions.params, "limit": where.limit}, peek=True)
        return [read_job(row, row[19]) for row in rows]

    def count_jobs(self, where: JobFilter) -> Op[list[JobCount]]:
        conditions = _conditions(where)
        rows = yield Statement(self._filtered("count_jobs", conditions), conditions.params, peek=True)
        return [JobCount(as_text(queue), JobState(as_text(state)), int(count)) for queue, state, count in rows]

    def cancel_jobs(self, where: JobFilter, now: int | None = None) -> Op[list[JobRow]]:
        # What starts or stops after this look has left its state: each found one is tried in both.
        found = yield from self.find_jobs(where)
        changed: set[UUID] = set()
        for ids in _id_lists(found):
            gone = read_ids((yield self._change("cancel_waiting", {"ids": ids, "now": now})))
            yield self._change("remove_finished", {"ids": _id_list(gone)})
            changed |= gone
        for ids in _id_lists(found, but=changed):
            changed |= read_ids((yield self._change("cancel_running", {"ids": ids, "now": now})))
        return (yield from self._found_again(changed))

    def retry_jobs(self, where: JobFilter, now: int | None = None) -> Op[list[JobRow]]:
        found = yield from self.find_jobs(where)
        changed: set[UUID] = set()
        for ids in _id_lists(found):
            back = read_ids((yield self._change("retry_finished", {"ids": ids, "now": now})))
            yield self._change("remove_history", {"ids": _id_list(back)})
            changed |= back
        for ids in _id_lists(found, but=changed):
            changed |= read_ids((yield self._change("retry_waiting", {"ids": ids, "now": now})))
        return (yield from self._found_again(changed))

    def delete_jobs(self, where: JobFilter) -> Op[list[JobRow]]:
        found = yield from self.find_jobs(where)
        gone: set[UUID] = set()
        for ids in _id_lists(found):
            waiting = read_ids((yield self._change("remove_waiting", {"ids": ids})))
            finished = read_ids((yield self._change("remove_history", {"ids": ids})))
            yield self._change("free_ids", {"ids": _id_list(waiting | finished)})
            gone |= waiting | finished
        return [row for row in found if row.id in gone]

    def change_job(self, change: Change) -> Op[bool]:
        params = {"id": str(change.id), "run_at": change.run_at, "queue": change.queue}
        rows = yield self._change("change_job", {**params, "priority": change.priority, "now": change.now})
        return bool(rows)

    # upkeep

    def rescue_jobs(
        self, judge: Callable[[JobRow, int], Settlement], limit: int, now: int | None = None
    ) -> Op[list[Rescued]]:
        [[is_needed]] = yield self._peek("look_for_lost", {"now": now})
        if not is_needed:
            return []
        lapsed = yield self._change("lapsed_workers", {"now": now})
        workers = as_json([as_text(row[0]) for row in lapsed])
        rows = yield self._change("lost_jobs", {"workers": workers, "limit": limit, "now": now})
        lost = [read_job(row) for row in rows]
        rescued = [Rescued(job, judge(job, int(row[19]))) for job, row in zip(lost, rows, strict=True)]
        if rescued:
            yield from self.settle_jobs([entry.settlement for entry in rescued], now)
        if lapsed:
            yield self._change("forget_workers", {"workers": workers})
        return rescued

    def prune_jobs(self, ages: Mapping[JobState, int], limit: int, now: int | None = None) -> Op[int]:
        removed = 0
        for state, age in ages.items():
            params = {"state": state.value, "age": age, "limit": limit, "now": now}
            gone = read_ids((yield self._change("prune_history", params)))
            yield self._change("free_ids", {"ids": _id_list(gone)})
            removed += len(gone)
        for name in ("prune_cancellations", "prune_progress", "prune_markers"):
            yield self._change(name)
        return removed

    # workers and queues

    def beat(self, worker: WorkerRow, first: bool, now: int | None = None) -> Op[BeatReply]:
        lease = {"id": worker.id, "lease": micros(worker.lease), "tasks": as_json(worker.tasks), "now": now}
        renewed = yield self._change("extend_lease", lease)
        if not renewed:
            queues = None if worker.queues is None else as_json(worker.queues)
            facts: dict[str, Value] = {
                "host": worker.host,
                "pid": worker.pid,
                "queues": queues,
                "concurrency": worker.concurrency,
            }
            yield self._change("register_worker", {**lease, **facts})
            return BeatReply(was_lost=not first)
        rows = yield self._peek("cancel_requests", {"id": worker.id})
        return BeatReply(was_lost=False, cancelled=tuple((UUID(as_text(row[0])), int(row[1])) for row in rows))

    def retire(self, worker: str) -> Op[None]:
        yield self._change("retire", {"id": worker})

    def list_workers(self) -> Op[list[WorkerRow]]:
        rows = yield self._peek("list_workers")
        return [read_worker(row) for row in rows]

    def put_queue(self, name: str, paused: bool) -> Op[None]:
        yield self._change("put_queue", {"name": name, "paused": int(paused)})

    def list_queues(self) -> Op[list[QueueRow]]:
        rows = yield self._peek("list_queues")
        return [QueueRow(as_text(row[0]), bool(row[1]), int(row[2]), int(row[3])) for row in rows]

    def list_task_names(self) -> Op[list[str]]:
        rows = yield self._peek("list_task_names")
        return [as_text(row[0]) for row in rows]

    # schema

    def schema_version(self) -> Op[int]:
        [[exists]] = yield self._peek("schema_exists")
        if not exists:
            return 0
        [[version]] = yield self._peek("schema_version")
        return int(version)

    def migrate(self) -> Op[int]:
        # The write lock comes with the transaction, before the version is read.
        yield self._change("schema_exists")
        version = yield from self.schema_version()
        for migration in self.migrations:
            if migration.version > version:
                for sql in migration.up:
                    yield Statement(sql)
                version = migration.version
                params: dict[str, Value] = {"version": version, "name": migration.name, "now": None}
                yield self._change("record_migration", params)
        return version

    def rollback(self) -> Op[None]:
        for migration in reversed(self.migrations):
            for sql in migration.down:
                yield Statement(sql)

    # a handler's transaction

    def open_sentinel(self, name: str, id: UUID, token: int) -> Op[str]:
        # Before the savepoint: what a handler commits by itself carries the marker along, and nothing else does.
        yield self._change("put_marker", {"id": str(id), "token": token})
        yield Statement(f"savepoint {name}")
        return f"{id}:{token}"

    def close_sentinel(self, name: str, marker: str) -> Op[None]:
        yield Statement(f"release savepoint {name}")
        yield self._change("remove_marker", _marker_params(marker))

    def read_sentinel(self, marker: str) -> Op[bool]:
        [[count]] = yield self._peek("find_marker", _marker_params(marker))
        return bool(count)

    # parts

    def _change(self, name: str, params: Mapping[str, Value] | None = None) -> Statement:
        return Statement(self._sql(name), params or {})

    def _peek(self, name: str, params: Mapping[str, Value] | None = None) -> Statement:
        return Statement(self._sql(name), params or {}, peek=True)

    def _insert_chunk(self, chunk: list[NewJob], now: int | None) -> Op[list[JobRow]]:
        kept = yield from self._kept_jobs([job for job in chunk if job.given])
        # Before anything is stored: what a refused id leaves behind would commit with the caller's transaction.
        same = {job.id: check_same_job(job, kept[job.id]) for job in chunk if job.id in kept}
        new = [job for job in chunk if job.id not in kept]
        stored: dict[UUID, tuple[int, int]] = {}
        if new:
            is_alone = not any(job.given for job in chunk)
            params = {"jobs": job_documents(new), "now": now}
            rows = yield Statement(self._sql("insert_jobs"), params, alone=is_alone)
            stored = {UUID(as_text(id)): (run_at, enqueued_at) for id, run_at, enqueued_at in rows}
        return [same[job.id] if job.id in same else inserted_row(job, *stored[job.id]) for job in chunk]

    def _kept_jobs(self, given: list[NewJob]) -> Op[dict[UUID, JobRow]]:
        if not given:
            return {}
        free = read_ids((yield self._change("reserve_ids", {"ids": _id_list(job.id for job in given)})))
        free -= read_ids((yield self._change("known_ids", {"ids": _id_list(free)})))
        taken = tuple(job.id for job in given if job.id not in free)
        if not taken:
            return {}
        rows = yield from self.find_jobs(JobFilter(ids=taken, limit=None))
        return {row.id: row for row in rows}

    def _take(self, claim: Claim, picked: list[tuple[int, int]]) -> Op[tuple[JobRow, ...]]:
        [[token]] = yield self._change("next_token")
        params: dict[str, Value] = {
            "worker": claim.worker,
            "token": int(token),
            "picked": as_json(picked),
            "now": claim.now,
        }
        rows = yield self._change("claim_jobs", params)
        by_seq = {int(row[19]): read_job(row) for row in rows}
        return tuple(by_seq[seq] for seq, _ in picked)

    def _found_again(self, changed: set[UUID]) -> Op[list[JobRow]]:
        if not changed:
            return []
        return (yield from self.find_jobs(JobFilter(ids=tuple(changed), limit=None)))

    def _filtered(self, name: str, conditions: Conditions) -> str:
        text = self._sql(name)
        return text.replace("[conditions]", conditions.unfinished).replace("[finished]", conditions.finished)


def _conditions(where: JobFilter) -> Conditions:
    return compose(
        where,
        id_list="j.id in (select value from json_each(CAST(:ids AS text)))",
        id_after="j.id < CAST(:after AS text)",
        has_tag="exists (select 1 from json_each(j.tags) as tag where tag.value = CAST(:tag AS text))",
        text_list=lambda name: f"j.state in (select value from json_each(CAST(:{name} AS text)))",  # noqa: S608 - a constant
    )


def _id_list(ids: Iterable[UUID]) -> str:
    return as_json([str(id) for id in ids])


def _id_lists(found: Iterable[JobRow], but: Collection[UUID] = ()) -> list[str]:
    return [_id_list(batch) for batch in batches(row.id for row in found if row.id not in but)]


def _seconds(wait: int | None) -> float | None:
    return None if wait is None else max(int(wait), 0) / 1_000_000


def _marker_params(marker: str) -> dict[str, Value]:
    id, token = marker.rsplit(":", 1)
    return {"id": id, "token": int(token)}
