"""A real PostgreSQL per test process, a migrated database per module, a rolled-back transaction per test."""

from collections.abc import Iterator
from itertools import count

import psycopg
import pytest

from io_layer.postgres.connection import Conn, connect, migrate
from local_world.postgres import PostgresServer, start_postgres
from tests.io_layer.lottery.stores.builders import crowded_day
from tests.support.days import Day

_numbers = count(1)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """One server per test process."""
    server = start_postgres(tmp_path_factory.mktemp("postgres"))
    yield server
    server.stop()


def run_as_owner(server: PostgresServer, statement: str) -> None:
    """One statement of the superuser, outside of any transaction."""
    with psycopg.connect(server.url, autocommit=True) as conn:
        conn.execute(statement)


@pytest.fixture(scope="session")
def template_database(postgres_server: PostgresServer) -> str:
    """A migrated database to copy from: copying takes 30 ms, migrating ten times that."""
    run_as_owner(postgres_server, "CREATE DATABASE migrated")
    migrate(postgres_server.url_of("migrated"))
    return "migrated"


@pytest.fixture(scope="module")
def postgres_url(postgres_server: PostgresServer, template_database: str) -> Iterator[str]:
    """A fresh migrated database."""
    name = f"module_{next(_numbers)}"
    run_as_owner(postgres_server, f"CREATE DATABASE {name} TEMPLATE {template_database}")
    yield postgres_server.url_of(name)
    run_as_owner(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A fresh database without any table."""
    name = f"empty_{next(_numbers)}"
    run_as_owner(postgres_server, f"CREATE DATABASE {name}")
    yield postgres_server.url_of(name)
    run_as_owner(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def conn(postgres_url: str) -> Iterator[Conn]:
    """A connection in a transaction that is rolled back: tests of a module see nothing of each other."""
    with connect(postgres_url, application_name="test") as opened, opened.transaction(force_rollback=True):
        yield opened


@pytest.fixture
def other(postgres_url: str) -> Iterator[Conn]:
    """A second, autocommitting connection to the same database, with a short patience for locks."""
    with connect(postgres_url, application_name="other", lock_timeout_ms=300) as opened:
        yield opened


@pytest.fixture(scope="session")
def any_day() -> Day:
    """A small day over numbers 1..9 with winners, affiliates and an opening state."""
    return crowded_day()
