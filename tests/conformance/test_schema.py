"""The tables: made once however many make them at the same time, and removed without a trace."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sidework.errors import SchemaError
from sidework.stores.postgres import PostgresStore
from tests.conformance.bench import Bench
from tests.conformance.builders import at_once, new_job
from tests.conformance.conftest import MakeBench
from tests.conformance.pairs import POSTGRES, STORES, Pair

CATALOGUES = {
    "postgresql": """
        select 'schema', nspname from pg_namespace where nspname not like 'pg\\_%'
        union all
        select CAST(relkind AS text), CAST(CAST(oid AS regclass) AS text) from pg_class where relnamespace >= 16384
        union all
        select 'type', CAST(CAST(oid AS regtype) AS text) from pg_type where typnamespace >= 16384
        union all
        select 'function', proname from pg_proc where pronamespace >= 16384
    """,
    "mysql": """
        select 'table', table_name from information_schema.tables where table_schema = database()
        union all
        select 'routine', routine_name from information_schema.routines where routine_schema = database()
        union all
        select 'trigger', trigger_name from information_schema.triggers where trigger_schema = database()
        union all
        select 'event', event_name from information_schema.events where event_schema = database()
    """,
    "sqlite": "select type, name from sqlite_schema where name not like 'sqlite?_%' escape '?'",
}


def test_an_empty_database_has_version_0(bare: Bench) -> None:
    assert bare.run(bare.store.schema_version) == 0


def test_migrating_brings_the_newest_version(bare: Bench) -> None:
    newest = bare.store.migrations[-1].version
    assert newest >= 1
    assert bare.run(bare.store.migrate) == newest
    assert bare.run(bare.store.schema_version) == newest


def test_migrating_again_changes_nothing(bench: Bench) -> None:
    bench.insert(new_job())
    before = _catalogue(bench)
    assert bench.run(bench.store.migrate) == bench.store.migrations[-1].version
    assert _catalogue(bench) == before
    assert len(bench.find()) == 1


def test_a_rollback_leaves_nothing_behind(bare: Bench) -> None:
    before = _catalogue(bare)
    bare.run(bare.store.migrate)
    bare.register()
    bare.insert(new_job())
    bare.claim()
    assert len(_catalogue(bare)) > len(before) + 8
    bare.run(bare.store.rollback)
    assert _catalogue(bare) == before
    assert bare.run(bare.store.schema_version) == 0


def test_a_rollback_can_be_repeated_and_is_harmless_where_nothing_is(bare: Bench) -> None:
    before = _catalogue(bare)
    bare.run(bare.store.rollback)
    bare.run(bare.store.migrate)
    bare.run(bare.store.rollback)
    bare.run(bare.store.rollback)
    assert _catalogue(bare) == before


def test_tables_come_back_empty_after_a_rollback(bench: Bench) -> None:
    bench.insert(new_job())
    bench.run(bench.store.rollback)
    bench.run(bench.store.migrate)
    assert bench.find() == []
    assert bench.run(bench.store.list_workers) == []


@pytest.mark.parametrize("pair", STORES, ids=lambda pair: pair.name)
def test_two_schemas_of_one_database_know_nothing_of_each_other(pair: Pair, make_fresh: MakeBench) -> None:
    bench, other = make_fresh(pair), make_fresh(pair)
    bench.insert(new_job())
    assert other.find() == []
    other.run(other.store.rollback)
    assert len(bench.claim()) == 1


def test_twenty_processes_migrate_at_once(bare: Bench) -> None:
    newest = bare.store.migrations[-1].version
    assert at_once(lambda one: one.run(one.store.migrate), bare.others(20)) == [newest] * 20
    bare.register()
    bare.insert(new_job())
    assert len(bare.claim()) == 1


def test_missing_tables_are_said_so(bare: Bench) -> None:
    with pytest.raises(SchemaError, match="sidework migrate"):
        bare.find()
    with pytest.raises(SchemaError, match="sidework migrate"):
        bare.insert(new_job())


def test_a_rollback_keeps_a_schema_that_holds_other_things(make_fresh: MakeBench) -> None:
    bench = make_fresh(POSTGRES)
    schema = bench.store.migrations[0].up[0].split('"')[1]
    with bench.transaction() as session:
        session.execute(f'create function "{schema}".theirs() returns integer language sql as $$ select 1 $$')
    bench.run(bench.store.rollback)
    with bench.transaction() as session:
        assert session.execute(f'select "{schema}".theirs()') == [(1,)]


def test_a_schema_may_be_named_in_capitals(make_bare: MakeBench) -> None:
    bare = make_bare(replace(POSTGRES, make_store=lambda name: PostgresStore(f"Shop{name}")))
    before = _catalogue(bare)
    bare.run(bare.store.migrate)
    bare.register()
    bare.insert(new_job())
    assert len(bare.claim()) == 1
    bare.run(bare.store.rollback)
    assert _catalogue(bare) == before


def _catalogue(bench: Bench) -> list[tuple[str, str]]:
    session = bench.open()
    rows = session.execute(CATALOGUES[bench.store.database])
    session.rollback()
    return sorted((str(kind), str(name)) for kind, name in rows if not str(name).startswith("pg_toast"))
