"""The demo's course: workers, the files as jobs in one transaction, one worker killed half way, all counted."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import click

from sidework.app import App
from sidework.cli.demo.corpus import Corpus, standard_library
from sidework.cli.demo.fleet import LEASE, Fleet
from sidework.cli.demo.screen import Screen, Watch
from sidework.cli.demo.tables import SCHEMA, Tables
from sidework.cli.demo.tasks import count_file, tasks
from sidework.core.job import FINISHED, Job, JobState

WORKERS = 2
DEADLINE = 180.0
LOOK_EVERY = 0.05


@dataclass(frozen=True)
class Result:
    """What came out: the jobs, the rows of the demo's table as (job, path, lines), and what the killed worker held."""

    corpus: Corpus
    jobs: tuple[Job, ...]
    rows: tuple[tuple[str, str, int], ...]
    lost: tuple[UUID, ...]


class Story:
    """One run of the demo on one database."""

    def __init__(self, url: str, folder: Path, screen: Screen) -> None:
        self._screen = screen
        self._folder = folder
        self._tables = Tables(url)
        self._fleet = Fleet(url, folder)
        self._app = App(url, schema=SCHEMA)
        self._app.include(tasks)
        self._killed: list[int] = []
        self._lost: tuple[UUID, ...] = ()
        self._deadline = time.monotonic() + DEADLINE

    def run(self, limit: int | None) -> Result:
        """Run it and return what came out."""
        corpus = standard_library(limit, self._folder)
        self._app.rollback()
        self._app.migrate()
        self._tables.create()
        with self._app, self._fleet:
            self._start_workers()
            self._enqueue(corpus)
            with self._screen.watching(len(corpus.files)) as watch:
                self._follow(len(corpus.files), watch)
            return Result(corpus, tuple(self._all_jobs()), tuple(self._tables.files()), self._lost)

    def remove(self) -> None:
        """Take the demo's tables out of the database."""
        with self._app:
            self._app.rollback()
        self._tables.drop()

    def _start_workers(self) -> None:
        pids = [self._fleet.start() for _ in range(WORKERS)]
        while len(self._app.workers.list()) < WORKERS:
            self._wait()
        self._screen.say(f"{WORKERS} worker processes run: {' and '.join(map(str, pids))}")

    def _enqueue(self, corpus: Corpus) -> None:
        began = time.perf_counter()
        with self._tables.transaction() as connection:
            self._tables.add_run(connection, len(corpus.files))
            self._app.enqueue_many((count_file.job(str(path)) for path in corpus.files), connection=connection)
        milliseconds = (time.perf_counter() - began) * 1000
        self._screen.say(
            f"{len(corpus.files):,} files of {corpus.root} enqueued, in one transaction with a row of our own: "
            f"{milliseconds:.0f} ms"
        )
        if corpus.made_up:
            self._screen.say(
                f"this interpreter came without undecodable files: {corpus.made_up} of the files were made up for it"
            )

    def _follow(self, total: int, watch: Watch) -> None:
        finished, killed_at, is_rescue_told = 0, 0.0, False
        while finished < total:
            states = self._states()
            finished = sum(states[state] for state in FINISHED)
            waits = (
                "; the killed worker's jobs wait for its lease to lapse" if self._lost and not is_rescue_told else ""
            )
            watch.show(finished, f"{states[JobState.RUNNING]} running, {states[JobState.FAILED]} failed{waits}")
            if not killed_at and finished >= total // 2:
                killed_at = time.monotonic()
                self._kill_one()
            elif killed_at and not is_rescue_told:
                is_rescue_told = self._tell_rescue(killed_at)
            self._wait()

    def _states(self) -> dict[JobState, int]:
        counts = self._app.jobs.count().by_queue.values()
        return {state: sum(queue[state] for queue in counts) for state in JobState}

    def _kill_one(self) -> None:
        running = self._app.jobs.find(state=JobState.RUNNING, limit=1000)
        busy = {job.worker for job in running}
        workers = sorted(self._app.workers.list(), key=lambda worker: worker.id not in busy)
        self._fleet.kill(workers[0].pid)
        self._killed.append(workers[0].pid)
        # What it still holds now is lost with it; all else was settled before it died.
        left = self._app.jobs.find(state=JobState.RUNNING, limit=1000)
        self._lost = tuple(job.id for job in left if job.worker == workers[0].id)
        held = f"{len(self._lost)} running jobs are lost with it" if self._lost else "it held no job at that instant"
        self._screen.say(f"[bold red]killed[/] worker process {workers[0].pid} with SIGKILL: {held}")

    def _tell_rescue(self, killed_at: float) -> bool:
        if not self._lost:
            return True
        if any(not job.crashes for job in self._app.jobs.find(self._lost, limit=len(self._lost))):
            return False
        after = time.monotonic() - killed_at
        self._screen.say(
            f"[bold green]rescued[/]: the other worker took all {len(self._lost)} over, {after:.1f} s after the kill"
            f" (the lease here is {LEASE} s)"
        )
        return True

    def _wait(self) -> None:
        if time.monotonic() > self._deadline or self._fleet.ended() != self._killed:
            raise click.ClickException(f"the workers did not get through; their last words:\n{self._fleet.logged()}")
        time.sleep(LOOK_EVERY)

    def _all_jobs(self) -> list[Job]:
        found: list[Job] = []
        while page := self._app.jobs.find(limit=10_000, after=found[-1] if found else None):
            found += page
        return found
