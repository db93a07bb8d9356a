"""One script of operations, whatever it is, shows the same on every database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidework.core.job import JobRow, JobState
from sidework.core.lifecycle import Settlement
from sidework.core.store import Change, JobFilter
from sidework.errors import IdConflict
from tests.conformance.bench import Bench
from tests.conformance.builders import at, cancelled, done, failed, given_back, new_job, retried, snoozed
from tests.conformance.conftest import MakeBench
from tests.conformance.pairs import STORES

QUEUES = ("a", "b", "B")
TASKS = ("t", "u", "é")

KINDS: dict[str, Callable[[JobRow], Settlement]] = {
    "done": lambda row: done(row, result='{"ü":1}'),
    "failed": failed,
    "cancelled": cancelled,
    "retried": lambda row: retried(row, delay=5),
    "snoozed": lambda row: snoozed(row, delay=3),
    "given back": given_back,
}

queues = st.sampled_from(QUEUES)
tasks = st.sampled_from(TASKS)
numbers = st.integers(0, 40)
states = st.none() | st.lists(st.sampled_from(JobState), unique=True, max_size=3).map(tuple)
filters = st.fixed_dictionaries(
    {},
    optional={
        "queue": queues,
        "task": tasks,
        "states": states,
        "tag": st.sampled_from(["x", "y"]),
        "limit": st.integers(1, 4),
    },
)
jobs = st.fixed_dictionaries(
    {"task": tasks, "queue": queues, "priority": st.integers(-1, 1)},
    optional={
        "delay": st.integers(-3, 12),
        "tags": st.sampled_from([("x",), ("x", "y"), ("X",)]),
        "given": st.integers(0, 5),
    },
)
steps = st.one_of(
    st.tuples(st.just("insert"), st.lists(jobs, min_size=1, max_size=5)),
    st.tuples(
        st.just("claim"),
        st.fixed_dictionaries(
            {
                "limit": st.integers(1, 4),
                "queues": st.none() | st.lists(queues, unique=True, max_size=3),
                "tasks": st.lists(tasks, unique=True, min_size=1).map(tuple),
                "worker": st.sampled_from(["w", "mortal"]),
            }
        ),
    ),
    st.tuples(
        st.just("settle"),
        st.lists(st.tuples(st.sampled_from(sorted(KINDS)), numbers), max_size=3, unique_by=lambda s: s[1]),
    ),
    st.tuples(st.just("cancel"), filters),
    st.tuples(st.just("retry"), filters),
    st.tuples(st.just("delete"), filters),
    st.tuples(st.just("find"), filters),
    st.tuples(
        st.just("change"),
        st.fixed_dictionaries(
            {"number": numbers},
            optional={"run_at": st.integers(-3, 60), "queue": queues, "priority": st.integers(-1, 1)},
        ),
    ),
    st.tuples(st.just("pause"), st.tuples(queues, st.booleans())),
    st.tuples(st.just("beat"), st.sampled_from(["w", "mortal"])),
    st.tuples(st.just("rescue"), st.none()),
    st.tuples(st.just("prune"), st.integers(0, 10)),
    st.tuples(st.just("wait"), st.integers(1, 12)),
)


@settings(
    max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
@given(script=st.lists(steps, min_size=5, max_size=30))
def test_any_script_shows_the_same_on_every_database(make_bench: MakeBench, script: list[tuple[str, Any]]) -> None:
    shown = []
    for pair in STORES:
        bench = make_bench(pair)
        play = Play(bench)
        shown.append([(what, getattr(play, what)(how)) for what, how in script] + play.everything())
    assert shown[0] == shown[1] == shown[2]


@dataclass
class Play:
    """A script under way on one database; jobs are known by number, since ids and tokens are each database's own."""

    bench: Bench
    second: float = 0
    known: list[UUID] = field(default_factory=list)
    attempts: list[JobRow] = field(default_factory=list)
    given: dict[int, UUID] = field(default_factory=dict)

    @property
    def now(self) -> int:
        return at(self.second)

    def insert(self, wanted: list[dict[str, Any]]) -> object:
        batch = []
        for facts in wanted:
            more = {name: value for name, value in facts.items() if name != "given"}
            job = new_job(**more)
            if "given" in facts:
                job = replace(job, id=self.given.setdefault(facts["given"], job.id), given=True)
            batch.append(job)
        try:
            rows = self.bench.insert(*batch, now=self.now)
        except IdConflict:
            return "conflict"
        self.known += [row.id for row in rows if row.id not in self.known]
        return self.shown(rows)

    def claim(self, how: dict[str, Any]) -> object:
        answer = self.bench.ask(**how, now=self.now)
        self.attempts += answer.rows
        return self.shown(answer.rows), answer.next_due

    def settle(self, wanted: list[tuple[str, int]]) -> object:
        chosen = {number % len(self.attempts): kind for kind, number in wanted} if self.attempts else {}
        one_each = {self.attempts[place].id: (kind, self.attempts[place]) for place, kind in chosen.items()}
        settlements = [KINDS[kind](row) for kind, row in one_each.values()]
        return [self.known.index(id) for id in self.bench.settle(*settlements, now=self.now)]

    def cancel(self, where: dict[str, Any]) -> object:
        return self.shown(self.bench.cancel(**where, now=self.now))

    def retry(self, where: dict[str, Any]) -> object:
        return self.shown(self.bench.retry(**where, now=self.now))

    def delete(self, where: dict[str, Any]) -> object:
        return self.shown(self.bench.delete(**where))

    def find(self, where: dict[str, Any]) -> object:
        counts = self.bench.run(lambda: self.bench.store.count_jobs(JobFilter(**where)))
        return self.shown(self.bench.find(**where)), sorted((count.queue, count.state, count.count) for count in counts)

    def change(self, how: dict[str, Any]) -> object:
        if not self.known:
            return None
        more = {name: value for name, value in how.items() if name in {"queue", "priority"}}
        due = at(how["run_at"]) if "run_at" in how else None
        change = Change(self.known[how["number"] % len(self.known)], run_at=due, now=self.now, **more)
        return self.bench.run(lambda: self.bench.store.change_job(change))

    def pause(self, how: tuple[str, bool]) -> object:
        self.bench.pause(how[0], paused=how[1])
        return self.bench.run(self.bench.store.list_queues)

    def beat(self, worker: str) -> object:
        reply = self.bench.beat(worker, lease=20 if worker == "mortal" else 86_400, now=self.now)
        return reply.was_lost, sorted(self.known.index(id) for id, _ in reply.cancelled)

    def rescue(self, _: None) -> object:
        rescued = self.bench.rescue(now=self.now)
        return sorted(
            (self.known.index(entry.row.id), entry.settlement.state, entry.settlement.crashes) for entry in rescued
        )

    def prune(self, age: int) -> object:
        ages = dict.fromkeys((JobState.DONE, JobState.FAILED), age * 1_000_000)
        return self.bench.run(lambda: self.bench.store.prune_jobs(ages, 1000, self.now))

    def wait(self, seconds: int) -> object:
        self.second += seconds
        return self.second

    def everything(self) -> list[object]:
        queues = self.bench.run(self.bench.store.list_queues)
        names = self.bench.run(self.bench.store.list_task_names)
        return [self.find({"limit": None}), queues, names]

    def shown(self, rows: Any) -> list[object]:
        """Rows without what is each database's own."""
        return [(self.known.index(row.id), replace(row, id=UUID(int=0), token=row.token and 1)) for row in rows]
