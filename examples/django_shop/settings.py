"""The settings of a project on SQLite; on another database only DATABASES and the URL change."""

from __future__ import annotations

import os
from pathlib import Path

FILE = Path(os.environ.get("SHOP_FILE", Path(__file__).parent / "shop.db"))

SECRET_KEY = "of an example"  # noqa: S105 - an example
DEBUG = True
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "urls"
INSTALLED_APPS = ["shop"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": FILE,
        # SQLite has one writer: take the lock when a transaction begins, and wait for it instead of failing half-way.
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20},
    }
}

SIDEWORK_URL = f"sqlite:///{FILE}"
