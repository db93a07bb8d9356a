"""Runs a worker of `handlers` in the foreground, with the options given as JSON."""

from __future__ import annotations

import json
import logging
import sys

from tests.worker.apps.handlers import app

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    app.worker(**{"poll_interval": 1, **json.loads(sys.argv[1])}).run()
