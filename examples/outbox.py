"""An outbox in a web handler: an order and the job that sends its receipt commit together, or neither exists.

    python examples/outbox.py                                             on SQLite, ./shop.db
    SIDEWORK_URL=postgresql://localhost/shop python examples/outbox.py    on PostgreSQL, with psycopg

    curl -d tea localhost:8080/orders       an order, and soon after its receipt in the server's output
    curl -d gold localhost:8080/orders      sold out: the stock's check fails, and takes order and job along
    curl localhost:8080/orders              what is stored

The two functions that show it are `place_sqlite` and `place_postgres`. Nothing else has to be running: the worker
lives in the web server here, and could as well be a process of its own.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg

from sidework import App

URL = os.environ.get("SIDEWORK_URL", "sqlite:///shop.db")
IS_SQLITE = URL.startswith("sqlite")
TABLES = (
    "create table if not exists orders (id integer primary key generated always as identity, item text not null)",
    "create table if not exists stock (item text primary key, left_over integer not null check (left_over >= 0))",
    "insert into stock (item, left_over) values ('tea', 1000), ('gold', 0) on conflict (item) do nothing",
)

app = App(URL)


@app.task
def send_receipt(order_id: int, item: str) -> None:
    print(f"receipt for order {order_id}: {item}", flush=True)


def connect() -> Any:
    """A connection of the application's own; Sidework has others."""
    return sqlite3.connect(URL.removeprefix("sqlite:///")) if IS_SQLITE else psycopg.connect(URL)


def place_sqlite(connection: sqlite3.Connection, item: str) -> int:
    with connection:  # sqlite3: commits at the end, rolls back on an exception
        order_id = connection.execute("insert into orders (item) values (?)", [item]).lastrowid or 0
        send_receipt.using(connection=connection).enqueue(order_id, item)
        connection.execute("update stock set left_over = left_over - 1 where item = ?", [item])
    return order_id


def place_postgres(connection: psycopg.Connection[tuple[Any, ...]], item: str) -> int:
    with connection.transaction():
        row = connection.execute("insert into orders (item) values (%s) returning id", [item]).fetchone()
        order_id = int(row[0]) if row else 0
        send_receipt.using(connection=connection).enqueue(order_id, item)
        connection.execute("update stock set left_over = left_over - 1 where item = %s", [item])
    return order_id


class Handler(BaseHTTPRequestHandler):
    """POST /orders places one; GET /orders lists them."""

    def do_POST(self) -> None:
        item = self.rfile.read(int(self.headers["Content-Length"])).decode()
        place = place_sqlite if IS_SQLITE else place_postgres
        try:
            with closing(connect()) as connection:
                order_id = place(connection, item)
        except (sqlite3.IntegrityError, psycopg.IntegrityError):
            self.answer(409, {"error": f"{item} is sold out"})
        else:
            self.answer(201, {"order": order_id})

    def do_GET(self) -> None:
        with closing(connect()) as connection:
            orders = connection.execute("select id, item from orders order by id").fetchall()
        self.answer(200, {"orders": [list(order) for order in orders], "receipts": len(app.jobs.find())})

    def answer(self, status: int, body: object) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args: object) -> None:
        """Keep the output to what the example is about."""


def prepare() -> None:
    app.migrate()
    with closing(connect()) as connection:
        for statement in TABLES:
            connection.execute(statement.replace(" generated always as identity", "") if IS_SQLITE else statement)
        connection.commit()


def main() -> None:
    prepare()
    worker = app.worker()
    worker.start()
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8080
    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        print(f"http://localhost:{server.server_port}/orders", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("stopping", flush=True)
    worker.stop()
    worker.join()


if __name__ == "__main__":
    main()
