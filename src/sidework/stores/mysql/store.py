"""The store on MySQL 8.0.13 and MariaDB 10.6, and newer, with the same statements of `sql/` for both.

There is no RETURNING, and a row count means another thing on each connection: what a statement is about to change is
locked first, by id in ascending order, and the answer to that counts. Jobs are looked for with plain reads before they
are locked, because a caller's REPEATABLE READ locks the gap where a row is missing.
"""

from __future__ import annotations

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
from sidework.stores.mysql.claims import Claims
from sidework.stores.mysql.params import (
    ascii_json,
    attempt_list,
    due_time,
    hexed,
    id_list,
    job_list,
    settlement_list,
)
from sidework.stores.mysql.schema import Schema
from sidework.stores.mysql.statements import Statements, conditions_of
from sidework.stores.rows import (
    as_json,
    as_text,
    batches,
    check_same_job,
    inserted_row,
    micros,
    read_ids,
    read_job,
    read_worker,
    settlement_batches,
)

NO_LIMIT = 2**64 - 1

RUNNING = 2
"""The stage of a running job."""


class MySQLStore:
    """Sidework's tables in one database; `prefix_schema`, a validated identifier, starts their names."""

    database = "mysql"

    def __init__(self, prefix_schema: str) -> None:
        self._sql = Statements(prefix_schema)
        self._claims = Claims(self._sql)
        self._schema = Schema(self._sql)
        self.migrations = self._schema.migrations

    # jobs

    def insert_jobs(self, jobs: Iterable[NewJob], now: int | None = None) -> Op[list[JobRow]]:
        return insert_in_chunks(jobs, lambda chunk: self._insert_chunk(chunk, now), most_given=0)

    def claim_jobs(self, claim: Claim) -> Op[Claimed]:
        return self._claims.claim(claim)

    def settle_jobs(self, settlements: Sequence[Settlement], now: int | None = None) -> Op[list[UUID]]:
        if not settlements:
            return []
        attempts = attempt_list((settlement.id, settlement.token) for settlement in settlements)
        accepted = read_ids((yield self._sql("lock_attempts", {"attempts": attempts})))
        valid = [settlement for settlement in settlements if settlement.id in accepted]
        finished = [settlement for settlement in valid if settlement.state in FINISHED]
        released = [settlement for settlement in valid if settlement.state not in FINISHED]
        for batch in settlement_batches(finished):
            yield self._sql("finish_jobs", {"settlements": settlement_list(batch), "now": now})
            yield self._sql("remove_jobs", {"ids": id_list(settlement.id for settlement in batch)})
        for batch in settlement_batches(released):
            yield self._sql("release_jobs", {"settlements": settlement_list(batch), "now": now})
        return [settlement.id for settlement in settlements if settlement.id not in accepted]

    def save_progress(self, notes: Sequence[ProgressNote], now: int | None = None) -> Op[None]:
        documents = ascii_json([{"id": str(note.id), "token": note.token, "note": note.text} for note in notes])
        yield self._sql("save_progress", {"notes": documents, "now": now})

    # looking after jobs

    def find_jobs(self, where: JobFilter) -> Op[list[JobRow]]:
        conditions = conditions_of(where)
        limit = NO_LIMIT if where.limit is None else where.limit
        rows = yield self._sql.filtered("find_jobs", conditions, {"limit": limit})
        found = sorted((read_job(row, row[19]) for row in rows), key=lambda row: row.id, reverse=True)
        return found[: where.limit]

    def count_jobs(self, where: JobFilter) -> Op[list[JobCount]]:
        conditions = conditions_of(where)
        rows = yield self._sql.filtered("count_jobs", conditions)
        return [JobCount(as_text(queue), JobState(as_text(state)), int(count)) for queue, state, count in rows]

    def cancel_jobs(self, where: JobFilter, now: int | None = None) -> Op[list[JobRow]]:
        found = yield from self.find_jobs(where)
        changed: set[UUID] = set()
        for batch in batches(row.id for row in found if row.state not in FINISHED):
            # What started or stopped since it was found is met in its new state, which the lock keeps.
            waiting, running = yield from self._lock_jobs(batch)
            if waiting:
                yield self._sql("cancel_waiting", {"ids": id_list(waiting), "now": now})
                yield self._sql("remove_jobs", {"ids": id_list(waiting)})
            if running:
                yield self._sql("cancel_running", {"ids": id_list(running), "now": now})
            changed |= {*waiting, *running}
        return (yield from self._find_again(changed))

    def retry_jobs(self, where: JobFilter, now: int | None = None) -> Op[list[JobRow]]:
        found = yield from self.find_jobs(where)
        changed: set[UUID] = set()
        for batch in batches(row.id for row in found if row.state in FINISHED):
            finished = read_ids((yield self._sql("lock_finished", {"ids": id_list(batch)})))
            yield self._sql("retry_finished", {"ids": id_list(finished), "now": now})
            yield self._sql("remove_history", {"ids": id_list(finished)})
            changed |= finished
        for batch in batches(row.id for row in found if row.state is JobState.WAITING):
            waiting, _ = yield from self._lock_jobs(batch)
            later = [id for id, stage in waiting.items() if stage == 0]
            yield self._sql("retry_waiting", {"ids": id_list(later), "now": now})
            changed |= set(later)
        return (yield from self._find_again(changed))

    def delete_jobs(self, where: JobFilter) -> Op[list[JobRow]]:
        found = yield from self.find_jobs(where)
        gone: set[UUID] = set()
        for batch in batches(row.id for row in found if row.state is JobState.WAITING):
            waiting, _ = yield from self._lock_jobs(batch)
            yield self._sql("remove_jobs", {"ids": id_list(waiting)})
            yield self._sql("free_ids", {"ids": id_list(waiting)})
            gone |= set(waiting)
        for batch in batches(row.id for row in found if row.state in FINISHED):
            finished = read_ids((yield self._sql("lock_finished", {"ids": id_list(batch)})))
            yield self._sql("remove_history", {"ids": id_list(finished)})
            yield self._sql("free_ids", {"ids": id_list(finished)})
            gone |= finished
        return [row for row in found if row.id in gone]

    def change_job(self, change: Change) -> Op[bool]:
        found = yield from self.find_jobs(JobFilter(ids=(change.id,), states=(JobState.WAITING,)))
        waiting, _ = (yield from self._lock_jobs([change.id])) if found else ({}, {})
        if not waiting:
            return False
        place_rank = None if change.priority is None else -change.priority
        params = {"id": str(change.id), "run_at": change.run_at, "queue": hexed(change.queue), "place_rank": place_rank}
        yield self._sql("change_job", {**params, "now": change.now})
        return True

    # upkeep

    def rescue_jobs(
        self, judge: Callable[[JobRow, int], Settlement], limit: int, now: int | None = None
    ) -> Op[list[Rescued]]:
        [[is_anything]] = yield self._sql.peek("look_for_lost", {"now": now})
        if not int(is_anything):
            return []
        lapsed = [as_text(row[0]) for row in (yield self._sql("lapsed_workers", {"now": now}))]
        workers = ascii_json(lapsed)
        attempts = yield self._sql("lost_jobs", {"workers": workers, "limit": limit})
        rescued: list[Rescued] = []
        if attempts:
            pairs = attempt_list((as_text(id), int(token)) for id, token in attempts)
            rows = yield self._sql("lock_lost", {"attempts": pairs, "now": now})
            lost = [(read_job(row), int(row[19])) for row in rows]
            rescued = [Rescued(job, judge(job, clock)) for job, clock in lost]
        yield from self.settle_jobs([entry.settlement for entry in rescued], now)
        if lapsed:
            yield self._sql("forget_workers", {"workers": workers})
        return rescued

    def prune_jobs(self, ages: Mapping[JobState, int], limit: int, now: int | None = None) -> Op[int]:
        removed = 0
        for state, age in ages.items():
            params = {"state": state.value, "age": age, "limit": limit, "now": now}
            old = read_ids((yield self._sql("lock_old", params)))
            for batch in batches(old):
                yield self._sql("remove_history", {"ids": id_list(batch)})
                yield self._sql("free_ids", {"ids": id_list(batch)})
            removed += len(old)
        yield from self._prune_notes()
        return removed

    # workers and queues

    def beat(self, worker: WorkerRow, first: bool, now: int | None = None) -> Op[BeatReply]:
        id = hexed(worker.id)
        lease = {"id": id, "lease": micros(worker.lease), "tasks": ascii_json(worker.tasks), "now": now}
        yield self._sql("extend_lease", lease)
        rows = yield self._sql("cancel_requests", {"id": id})
        if not rows:
            queues = None if worker.queues is None else ascii_json(worker.queues)
            facts = {"host": hexed(worker.host), "pid": worker.pid, "queues": queues, "concurrency": worker.concurrency}
            yield self._sql("register_worker", {**lease, **facts})
            return BeatReply(was_lost=not first)
        requests = [(UUID(as_text(job)), int(token)) for job, token in rows if job is not None]
        return BeatReply(was_lost=False, cancelled=tuple(requests))

    def retire(self, worker: str) -> Op[None]:
        yield self._sql.alone("retire", {"id": hexed(worker)})

    def list_workers(self) -> Op[list[WorkerRow]]:
        rows = yield self._sql.peek("list_workers")
        return [read_worker(row) for row in rows]

    def put_queue(self, name: str, paused: bool) -> Op[None]:
        yield self._sql.alone("put_queue", {"name": hexed(name), "paused": int(paused)})

    def list_queues(self) -> Op[list[QueueRow]]:
        rows = yield self._sql.peek("list_queues")
        return [QueueRow(as_text(row[0]), bool(row[1]), int(row[2]), int(row[3])) for row in rows]

    def list_task_names(self) -> Op[list[str]]:
        rows = yield self._sql.peek("list_task_names")
        return [as_text(row[0]) for row in rows]

    # schema

    def schema_version(self) -> Op[int]:
        return self._schema.version()

    def migrate(self) -> Op[int]:
        return self._schema.migrate()

    def rollback(self) -> Op[None]:
        return self._schema.drop()

    # a handler's transaction

    def open_sentinel(self, name: str, id: UUID, token: int) -> Op[str]:
        yield self._sql("put_marker", {"id": str(id), "token": token})
        yield Statement(f"savepoint {name}")
        return f"{id}:{token}"

    def close_sentinel(self, name: str, marker: str) -> Op[None]:
        # Error 1305 where the handler committed, rolled back or ran DDL, or a deadlock undid everything.
        yield Statement(f"release savepoint {name}")
        yield self._sql("remove_marker", _marker(marker))

    def read_sentinel(self, marker: str) -> Op[bool]:
        [[count]] = yield self._sql.peek("find_marker", _marker(marker))
        return int(count) > 0

    # parts

    def _insert_chunk(self, chunk: list[NewJob], now: int | None) -> Op[list[JobRow]]:
        given = [job.id for job in chunk if job.given]
        if not given:
            yield self._sql.alone("insert_jobs", {"jobs": job_list(chunk), "now": now})
            return [inserted_row(job, due_time(job, now), now) for job in chunk]
        kept = yield from self._kept_jobs(given)
        new = [job for job in chunk if job.id not in kept]
        if new:
            yield self._sql("insert_jobs", {"jobs": job_list(new), "now": now})
        return [
            check_same_job(job, kept[job.id]) if job.id in kept else inserted_row(job, due_time(job, now), now)
            for job in chunk
        ]

    def _kept_jobs(self, given: list[UUID]) -> Op[dict[UUID, JobRow]]:
        [[reservation]] = yield self._sql.peek("new_reservation")
        params = {"ids": id_list(given), "reservation": as_text(reservation)}
        yield self._sql("reserve_ids", params)
        free = read_ids((yield self._sql("reserved_ids", params)))
        free -= read_ids((yield self._sql("known_ids", {"ids": id_list(free)})))
        taken = [id for id in given if id not in free]
        kept = {row.id: row for row in (yield from self._find_again(taken))}
        hidden = [id for id in taken if id not in kept]
        if hidden:
            rows = yield self._sql("kept_jobs", {"ids": id_list(hidden)})
            kept |= {row.id: row for row in (read_job(row, row[19]) for row in rows)}
        return kept

    def _lock_jobs(self, ids: Sequence[UUID]) -> Op[tuple[dict[UUID, int], dict[UUID, int]]]:
        """The stages of the waiting and of the running ones, which stay so until the transaction ends."""
        rows = yield self._sql("lock_jobs", {"ids": id_list(ids)})
        stages = {UUID(as_text(id)): int(stage) for id, stage in rows}
        running = {id: stage for id, stage in stages.items() if stage == RUNNING}
        return {id: stage for id, stage in stages.items() if id not in running}, running

    def _find_again(self, ids: Iterable[UUID]) -> Op[list[JobRow]]:
        wanted = tuple(ids)
        return (yield from self.find_jobs(JobFilter(ids=wanted, limit=None))) if wanted else []

    def _prune_notes(self) -> Op[None]:
        rows = yield self._sql.peek("look_for_stale")
        for table in ("cancellations", "progress", "markers"):
            stale = [(as_text(id), int(token)) for kind, id, token in rows if as_text(kind) == table]
            if stale:
                yield self._sql(f"prune_{table}", {"attempts": attempt_list(stale)})
        spent = yield self._sql("lock_tokens")
        if spent:
            yield self._sql("remove_tokens", {"numbers": as_json([int(row[0]) for row in spent])})


def _marker(marker: str) -> dict[str, Value]:
    id, _, token = marker.partition(":")
    return {"id": id, "token": int(token)}
