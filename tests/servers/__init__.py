"""Real database servers for the tests: a test run starts its own and stops them.

`plugin.py` gives every test its fixtures; a fault test makes a `PostgresServer` or a `MariaServer` of its own, to
restart it or to let it crash.
"""

from tests.servers.mariadb import MariaAdmin, MariaServer
from tests.servers.postgres import PostgresAdmin, PostgresServer
from tests.servers.process import ServerFailed

__all__ = ["MariaAdmin", "MariaServer", "PostgresAdmin", "PostgresServer", "ServerFailed"]
