"""Claiming: look at the lanes without a lock, decide how many jobs each gives, lock those, mark them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sidework.core.job import JobRow, JobState
from sidework.core.ops import Op, Row
from sidework.core.store import Claim, Claimed
from sidework.stores.mysql.lanes import PROBES, Lane, Outlook, quotas, read_outlook
from sidework.stores.mysql.params import hexed
from sidework.stores.mysql.statements import Statements
from sidework.stores.rows import as_json, read_job


class Claims:
    """The operation `claim_jobs` on the tables of one store."""

    def __init__(self, sql: Statements) -> None:
        self._sql = sql

    def claim(self, claim: Claim) -> Op[Claimed]:
        """Due jobs, marked as running; one look when there are none."""
        outlook = yield from self._look(claim)
        if outlook.has_come_due:
            yield from self._promote(outlook.now)
            outlook = yield from self._look(claim)
        if not outlook.lanes:
            return Claimed((), outlook.wait)
        # Each of the best jobs stands behind the head of its lane, so no more lanes than jobs can give any.
        lanes = outlook.lanes[: claim.limit]
        shares = [(lanes[0], claim.limit)]
        if len(lanes) > 1:
            shares = quotas(lanes, (yield from self._peek(lanes, claim.limit)), claim.limit)
        rows = yield from self._take(claim, shares, outlook.now)
        return Claimed(rows, None if rows else 0)

    def _look(self, claim: Claim) -> Op[Outlook]:
        rows = yield self._sql.peek("look_for_lanes", {"worker": hexed(claim.worker), "now": claim.now})
        return read_outlook(claim, rows)

    def _promote(self, now: int) -> Op[None]:
        rows = yield self._sql("lock_due", {"now": now})
        if rows:
            yield self._sql("promote_jobs", {"numbers": as_json([int(row[0]) for row in rows])})

    def _peek(self, lanes: Sequence[Lane], limit: int) -> Op[list[Row]]:
        peeked: list[Row] = []
        for start in range(0, len(lanes), PROBES):
            part = [{"queue": hexed(lane.queue), "task": hexed(lane.task)} for lane in lanes[start : start + PROBES]]
            rows = yield self._sql.probes("peek_lane", part, {"limit": limit})
            peeked += [(start + int(row[0]), *row[1:]) for row in rows]
        return peeked

    def _take(self, claim: Claim, shares: Sequence[tuple[Lane, int]], now: int) -> Op[tuple[JobRow, ...]]:
        yield self._sql("next_token")
        rows: list[Row] = []
        for start in range(0, len(shares), PROBES):
            part = shares[start : start + PROBES]
            lanes = [{"queue": hexed(lane.queue), "task": hexed(lane.task), "limit": count} for lane, count in part]
            rows += yield self._sql.probes("lock_lane", lanes, {})
        if not rows:
            return ()
        places = {(lane.queue, lane.task): lane.place for lane, _ in shares}
        locked = [(read_job(row), int(row[19])) for row in rows]
        locked.sort(
            key=lambda entry: (places[entry[0].queue, entry[0].task], -entry[0].priority, entry[0].run_at, entry[1])
        )
        token = int(rows[0][20])
        numbers = as_json([{"seq": seq, "max_crashes": claim.tasks[job.task]} for job, seq in locked])
        params = {"jobs": numbers, "worker": hexed(claim.worker), "token": token, "now": now}
        yield self._sql("mark_running", params)
        return tuple(_running(job, claim, token, now) for job, _ in locked)


def _running(job: JobRow, claim: Claim, token: int, now: int) -> JobRow:
    return replace(
        job,
        state=JobState.RUNNING,
        attempt=job.attempt + 1,
        max_crashes=claim.tasks[job.task],
        started_at=now,
        worker=claim.worker,
        token=token,
    )
