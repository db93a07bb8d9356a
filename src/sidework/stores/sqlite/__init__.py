"""Sidework on SQLite."""

from sidework.stores.sqlite.store import SQLiteStore

__all__ = ["SQLiteStore"]
