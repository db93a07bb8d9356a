"""Measures Sidework beside the floor: the bare statements of the same work, on the same database in the same run.

`python -m benchmarks` (or `make bench`) prints a table; `decisions/` holds the scripts behind the decision records.
"""
