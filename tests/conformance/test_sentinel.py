"""Watching a handler's transaction: what it does to it is noticed, and what became of it can be asked afterwards."""

from __future__ import annotations

import pytest

from sidework.core.job import JobRow, JobState
from tests.conformance.bench import Bench, Session
from tests.conformance.builders import done, new_job

NAME = "sidework_5f3a"


def test_what_a_handler_writes_is_committed_with_its_settlement(bench: Bench) -> None:
    row = _claimed(bench)
    session = bench.open()
    marker = _open(session, row)
    (child,) = session.insert(new_job())
    _close(session, marker)
    assert session.settle(done(row)) == []
    session.commit()
    assert bench.states() == {row.id: JobState.DONE, child.id: JobState.WAITING}


def test_a_handler_may_use_savepoints_of_its_own(bench: Bench) -> None:
    row = _claimed(bench)
    session = bench.open()
    marker = _open(session, row)
    session.execute("savepoint theirs")
    session.insert(new_job())
    session.execute("rollback to savepoint theirs")
    session.execute("savepoint left_open")
    _close(session, marker)
    session.settle(done(row))
    session.commit()
    assert bench.states() == {row.id: JobState.DONE}


def test_a_handler_that_commits_is_noticed(bench: Bench) -> None:
    row = _claimed(bench)
    session = bench.open()
    marker = _open(session, row)
    session.insert(new_job())
    session.commit()
    _refused(session, marker)
    assert _was_committed(bench, marker)
    assert len(bench.find()) == 2


def test_a_handler_that_commits_and_goes_on_is_noticed(bench: Bench) -> None:
    row = _claimed(bench)
    session = bench.open()
    marker = _open(session, row)
    session.commit()
    session.begin()
    session.insert(new_job())
    _refused(session, marker)
    assert _was_committed(bench, marker)
    assert len(bench.find()) == 1


def test_a_handler_that_rolls_back_is_noticed(bench: Bench) -> None:
    row = _claimed(bench)
    session = bench.open()
    marker = _open(session, row)
    session.insert(new_job())
    session.rollback()
    _refused(session, marker)
    assert not _was_committed(bench, marker)
    assert len(bench.find()) == 1


def test_a_handler_that_rolls_back_and_goes_on_is_noticed(bench: Bench) -> None:
    row = _claimed(bench)
    session = bench.open()
    marker = _open(session, row)
    session.rollback()
    session.begin()
    session.insert(new_job())
    _refused(session, marker)
    assert not _was_committed(bench, marker)
    assert len(bench.find()) == 1


def test_a_handler_that_rolls_back_and_commits_afterwards_is_noticed(bench: Bench) -> None:
    row = _claimed(bench)
    session = bench.open()
    marker = _open(session, row)
    session.rollback()
    session.begin()
    session.insert(new_job())
    session.commit()
    _refused(session, marker)
    assert not _was_committed(bench, marker)
    assert len(bench.find()) == 2


def test_a_table_made_by_a_handler_ends_the_transaction_on_mysql_alone(bench: Bench) -> None:
    row = _claimed(bench)
    session = bench.open()
    marker = _open(session, row)
    prefix = f"theirs_{row.id.hex}"
    session.execute(f"create table {prefix} (x integer)")
    if bench.store.database == "mysql":
        _refused(session, marker)
        assert _was_committed(bench, marker)
    else:
        _close(session, marker)
        session.settle(done(row))
        session.commit()
        assert bench.get(row.id).state is JobState.DONE
    with bench.transaction() as after:
        after.execute(f"drop table {prefix}")


def test_a_failed_statement_that_a_handler_passed_over_is_noticed_on_postgresql_alone(bench: Bench) -> None:
    row = _claimed(bench)
    session = bench.open()
    marker = _open(session, row)
    with pytest.raises(Exception, match="nothing_of_that_name"):
        session.execute("select * from nothing_of_that_name")
    if bench.store.database == "postgresql":
        _refused(session, marker)
        assert not _was_committed(bench, marker)
    else:
        _close(session, marker)
        session.settle(done(row))
        session.commit()
        assert bench.get(row.id).state is JobState.DONE


def test_a_marker_is_of_its_own_attempt(bench: Bench) -> None:
    committed, rolled_back = _claimed(bench), _claimed(bench)
    markers = []
    for row, is_committed in ((committed, True), (rolled_back, False)):
        session = bench.open()
        markers.append(_open(session, row))
        if is_committed:
            session.commit()
        else:
            session.rollback()
    assert [_was_committed(bench, marker) for marker in markers] == [True, False]


def test_a_released_watch_leaves_nothing_to_remove(bench: Bench) -> None:
    row = _claimed(bench)
    for _ in range(2):
        session = bench.open()
        marker = _open(session, row)
        _close(session, marker)
        session.rollback()
    session = bench.open()
    marker = _open(session, row)
    _close(session, marker)
    session.settle(done(row))
    session.commit()
    if bench.store.database != "postgresql":  # where the marker is the transaction's own id
        assert not _was_committed(bench, marker)


def _claimed(bench: Bench) -> JobRow:
    bench.insert(new_job())
    return bench.claim_one()


def _open(session: Session, row: JobRow) -> str:
    token = row.token
    assert token is not None
    return session.drive(lambda: session.store.open_sentinel(NAME, row.id, token))


def _close(session: Session, marker: str) -> None:
    session.drive(lambda: session.store.close_sentinel(NAME, marker))


def _refused(session: Session, marker: str) -> None:
    """The release fails; and as in the worker, the connection's transaction ends without a commit then."""
    with pytest.raises(Exception, match=r"(?i)savepoint|aborted"):
        _close(session, marker)
    session.rollback()


def _was_committed(bench: Bench, marker: str) -> bool:
    return bench.run(lambda: bench.store.read_sentinel(marker))
