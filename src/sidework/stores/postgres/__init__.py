"""Sidework on PostgreSQL."""

from sidework.stores.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
