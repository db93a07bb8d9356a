"""The scripts behind the figures of `docs/decisions/`."""
