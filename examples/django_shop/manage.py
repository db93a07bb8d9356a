"""Django with Sidework: jobs enqueued in `transaction.atomic()`, and transactional jobs on Django's own connection.

    cd examples/django_shop
    python manage.py migrate                  Django's tables
    python manage.py jobs migrate             Sidework's tables, in the same database
    python manage.py runserver
    python manage.py jobs work                the worker, in a second terminal

    curl -X POST localhost:8000/orders/tea    201: the order and its job committed together
    curl -X POST localhost:8000/orders/gold   409: both were rolled back
    curl localhost:8000/orders/1/             "paid": true once the job has run

What to read: `shop/tasks.py` (the App and its task), `shop/views.py` (enqueuing), `shop/management/commands/jobs.py`.
"""

from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
    execute_from_command_line(sys.argv)
