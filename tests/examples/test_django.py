"""The Django example: `manage.py` prepares it, a view enqueues in `atomic()`, and a worker charges on Django's connection."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.examples.programs import EXAMPLES, running

PROJECT = EXAMPLES / "django_shop"
MANAGE = str(PROJECT / "manage.py")

VISIT = """
import json, os, django
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
django.setup()
from django.test import Client
from shop.tasks import app
client = Client()
placed, refused = client.post("/orders/tea"), client.post("/orders/gold")
state = app.jobs.join(placed.json()["job"], timeout=60)[0].state
shown, missing = client.get("/orders/1/"), client.get("/orders/2/")
print(json.dumps([placed.status_code, refused.status_code, state, shown.json(), missing.status_code, app.jobs.count()]))
"""


def manage(folder: Path, *arguments: str) -> str:
    return python(folder, MANAGE, *arguments)


def python(folder: Path, *arguments: str) -> str:
    environment = {"SHOP_FILE": str(folder / "shop.db"), "PYTHONPATH": str(PROJECT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_an_order_of_the_django_shop_is_charged_and_a_refused_one_leaves_nothing(tmp_path: Path) -> None:
    manage(tmp_path, "migrate")
    assert "version 1" in manage(tmp_path, "jobs", "migrate")
    with running([MANAGE, "jobs", "work"], tmp_path, SHOP_FILE=str(tmp_path / "shop.db")) as worker:
        placed, refused, state, order, missing, jobs = json.loads(python(tmp_path, "-c", VISIT).splitlines()[-1])
        assert worker.end() == 0
    assert (placed, refused, missing) == (201, 409, 404)
    assert (state, order, jobs) == ("done", {"order": 1, "item": "tea", "paid": True}, 1)


def test_the_django_shop_has_the_migrations_of_its_models(tmp_path: Path) -> None:
    assert "No changes detected" in manage(tmp_path, "makemigrations", "--check", "--dry-run")
