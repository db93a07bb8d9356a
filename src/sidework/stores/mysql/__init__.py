"""Sidework on MySQL 8.0.13 and MariaDB 10.6, and newer."""

from sidework.stores.mysql.store import MySQLStore

__all__ = ["MySQLStore"]
