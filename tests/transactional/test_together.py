"""The handler's statements, the jobs that it enqueues and the mark *done* are one: all of them or none."""

from __future__ import annotations

import pytest

from sidework import Context, InvalidPayload
from tests.transactional.till import Till


def test_all_of_it_commits_with_done_or_none_of_it(till: Till, kind: str, way: str) -> None:
    done = till.play(kind, "write kept", "enqueue", "return 7", way=way)
    assert (done.job.state, done.job.result, done.job.attempt) == ("done", 7, 1)
    assert till.app.jobs.get(done.job.id).state == "done"
    assert (till.words, till.children) == (["kept"], 1)

    failed = till.play(kind, "write lost", "enqueue", "raise on purpose", way=way)
    assert (failed.job.state, failed.job.attempt) == ("waiting", 1)
    assert (till.words, till.children) == (["kept"], 1)
    again = till.run(failed.job.id, way)
    assert str(again.exception) == "on purpose"
    stored = till.app.jobs.get(failed.job.id)
    assert (stored.state, stored.attempt) == ("failed", 2)
    assert [(error.type, error.message) for error in stored.errors] == [("RuntimeError", "on purpose")] * 2
    assert (till.words, till.children) == (["kept"], 1)


def test_an_exit_is_an_exception_like_any_other(till: Till, kind: str) -> None:
    ack = till.play(kind, "write lost", "enqueue", "exit now")
    assert isinstance(ack.exception, SystemExit)
    assert (ack.job.state, till.words, till.children) == ("waiting", [], 0)


def test_a_handler_that_never_touches_its_connection_is_done_all_the_same(till: Till, kind: str) -> None:
    ack = till.play(kind, "return 1")
    assert (ack.job.state, ack.exception) == ("done", None)
    assert till.app.jobs.get(ack.job.id).state == "done"


def test_a_result_that_cannot_be_stored_fails_the_job_for_good(till: Till, kind: str) -> None:
    ack = till.play(kind, "write lost", "return object")
    assert isinstance(ack.exception, InvalidPayload)
    assert (ack.job.state, till.words) == ("failed", [])


def test_a_job_that_a_handler_may_not_enqueue_is_an_exception_like_any_other(lite: Till) -> None:
    def enqueue(ctx: Context) -> None:
        lite.app.enqueue("elsewhere", [object()], connection=ctx.connection)

    lite.calls["enqueue"] = enqueue
    ack = lite.play("plain", "write lost", "call enqueue")
    assert isinstance(ack.exception, InvalidPayload)
    assert (ack.job.state, lite.words) == ("waiting", [])


def test_savepoints_of_the_handlers_own_are_fine(till: Till, kind: str) -> None:
    ack = till.play(
        kind, "write kept", "sql savepoint mine", "write lost", "sql rollback to savepoint mine", "sql savepoint open"
    )
    assert (ack.job.state, till.words) == ("done", ["kept"])


def test_a_job_can_enqueue_itself(till: Till, kind: str) -> None:
    ack = till.play(kind, "write first", "again second")
    assert ack.job.state == "done"
    acks = till.app.drain()
    assert [(each.job.state, each.job.id != ack.job.id) for each in acks] == [("done", True)]
    assert till.words == ["first", "second"]


@pytest.mark.parametrize("steps", [["write a", "raise x"], ["raise x"]])
def test_what_comes_after_a_failed_job_is_not_touched_by_it(till: Till, kind: str, steps: list[str]) -> None:
    till.play(kind, *steps)
    till.app.jobs.delete(state="waiting")
    assert till.play(kind, "write b").job.state == "done"
    assert till.words == ["b"]
