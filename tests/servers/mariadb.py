"""MariaDB for the tests: the installed one (`make test` installs it on Debian)."""

from __future__ import annotations

import shutil
import signal
from urllib.parse import unquote, urlsplit

import pymysql

from tests.servers.process import ServerFailed, ServerFolder, ServerProcess, free_port

SYSTEM_FOLDERS = "/usr/sbin:/usr/local/sbin:/usr/libexec"


class MariaAdmin:
    """Makes and removes databases on the server at an administrator's URL."""

    def __init__(self, url: str) -> None:
        self.url = url

    def create_database(self, name: str) -> str:
        """Make an empty database and return its URL."""
        with self._connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"create database `{name}`")
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()

    def drop_database(self, name: str) -> None:
        """Remove a database; connections that a test left open to it would hold that up, so they are ended."""
        with self._connect() as connection, connection.cursor() as cursor:
            cursor.execute("select id from information_schema.processlist where db = %s", [name])
            for (session,) in cursor.fetchall():
                try:
                    cursor.execute(f"kill {int(session)}")
                except pymysql.OperationalError as error:
                    if error.args[0] != pymysql.constants.ER.NO_SUCH_THREAD:
                        raise
            cursor.execute(f"drop database if exists `{name}`")

    def answers(self) -> bool:
        """Whether the server takes statements."""
        try:
            with self._connect() as connection, connection.cursor() as cursor:
                cursor.execute("select 1")
        except pymysql.OperationalError:
            return False
        return True

    def _connect(self) -> pymysql.Connection:
        parts = urlsplit(self.url)
        return pymysql.connect(
            host=parts.hostname,
            port=parts.port or 3306,
            user=unquote(parts.username or "root"),
            password=unquote(parts.password or ""),
            autocommit=True,
            connect_timeout=5,
        )


class MariaServer:
    """A MariaDB server of the test run's own, in a temporary folder, on loopback only."""

    def __init__(self) -> None:
        self._install_db = _program("mariadb-install-db", "mysql_install_db")
        self._daemon = _program("mariadbd", "mysqld")
        self.folder = ServerFolder("mariadb", accounts=("mysql",))
        self.port = free_port()
        self.url = f"mysql://root@127.0.0.1:{self.port}"
        self.admin = MariaAdmin(self.url)
        self.process = ServerProcess(self.folder, signal.SIGTERM, self.admin.answers)
        self._data = self.folder.path / "data"

    def start(self) -> None:
        """Start the server; the first time, lay out its data folder."""
        layout = [] if self._data.exists() else [self._layout()]
        self.process.start(self._command(), layout=layout)

    def stop(self) -> None:
        """Stop the server in order and remove its data."""
        self.process.stop()
        self.folder.remove()

    def restart(self) -> None:
        """Stop the server in order and start it on the same data and port."""
        self.process.stop()
        self.start()

    def crash(self) -> None:
        """Kill the server; `start()` then recovers from its log."""
        self.process.kill()

    def _layout(self) -> list[str]:
        account = "--auth-root-authentication-method=normal"
        # Several test runs at a time must not meet in the system's folder of temporary files.
        scratch = f"--tmpdir={self.folder.path}"
        return [self._install_db, "--no-defaults", f"--datadir={self._data}", scratch, account, "--skip-test-db"]

    def _command(self) -> list[str]:
        return [
            self._daemon,
            "--no-defaults",
            f"--datadir={self._data}",
            f"--tmpdir={self.folder.path}",
            f"--socket={self.folder.path / 'server.sock'}",
            f"--pid-file={self.folder.path / 'server.pid'}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--max-connections=300",
            "--skip-log-bin",
            "--skip-name-resolve",
            "--innodb-buffer-pool-size=64M",
            # Tests kill processes, not the machine: at 2 a commit is with the system and survives the server's death.
            # At 0 the newest second of commits would be lost, as on no server in use.
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-doublewrite=0",
            # The unfriendly default of a plain installation: our tables and connections must say what they need.
            "--character-set-server=latin1",
            "--collation-server=latin1_swedish_ci",
        ]


def _program(*names: str) -> str:
    for name in names:
        found = shutil.which(name) or shutil.which(name, path=SYSTEM_FOLDERS)
        if found:
            return found
    raise ServerFailed(
        f"No MariaDB to test with: the program {names[0]} was not found. Install it (Debian, as root: `make test` does "
        "it, or apt-get install mariadb-server), or set SIDEWORK_TEST_MARIADB_URL to an administrator's URL."
    )
