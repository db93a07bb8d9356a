"""What the codec writes is stored and read back as it was, on every database."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings

from sidework.core.codec import JsonCodec
from tests.conformance.bench import Bench
from tests.conformance.builders import done, new_job
from tests.strategies import payloads, same

CODEC = JsonCodec()


@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
@given(value=payloads())
def test_every_value_arrives_equal_and_of_equal_type(store_bench: Bench, value: object) -> None:
    text = CODEC.encode(value)
    (job,) = store_bench.insert(new_job(payload=text))
    (row,) = store_bench.claim()
    store_bench.settle(replace(done(row), result=row.payload))
    kept = store_bench.get(job.id)
    assert row.payload == kept.payload == kept.result == text
    assert same(CODEC.decode(kept.payload), value)
