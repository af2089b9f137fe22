"""Migrations: plain SQL files beside this module, run by yoyo, each in one transaction.

yoyo marks a migration as applied in a second transaction. A kill between the two would leave it applied but unknown,
so each file also writes itself into ``schema_versions``; that table is the truth, and yoyo's is brought up to it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from bo_engine.errors import EngineError, InvariantBroken, Unavailable, UsageError
from io_layer.postgres.errors import translate

MIGRATIONS: Final = Path(__file__).parent / "migrations"
MIGRATION_LOCK: Final = 4_779_586_273_213_169  # any number of our own: one migration of a database at a time


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """Migration ids in order: those applied, those this engine brings, and what is missing on either side."""

    applied: tuple[str, ...]
    pending: tuple[str, ...]
    unknown: tuple[str, ...]  # applied, but this engine does not know them

    @property
    def is_current(self) -> bool:
        return not self.pending and not self.unknown


def migration_ids() -> tuple[str, ...]:
    """The migrations that this engine brings, in order."""
    return tuple(sorted(path.stem for path in MIGRATIONS.glob("*.sql") if not path.stem.endswith(".rollback")))


SELECT_TABLE = "SELECT to_regclass('schema_versions') IS NOT NULL"
SELECT_VERSIONS = 'SELECT migration_id FROM schema_versions ORDER BY migration_id COLLATE "C"'


def select_status(conn: psycopg.Connection[Any]) -> MigrationStatus:
    """Compare the database with this engine. An empty database has everything pending."""
    row = conn.execute(SELECT_TABLE).fetchone()
    applied: tuple[str, ...] = ()
    if row is not None and row[0]:
        applied = tuple(name for (name,) in conn.execute(SELECT_VERSIONS).fetchall())
    known = migration_ids()
    return MigrationStatus(
        applied=applied,
        pending=tuple(name for name in known if name not in applied),
        unknown=tuple(name for name in applied if name not in known),
    )


def check_schema(conn: psycopg.Connection[Any]) -> None:
    """Raises: UsageError ``schema_outdated`` (run db migrate), ``engine_outdated`` (the database is newer)."""
    status = select_status(conn)
    if status.pending:
        raise UsageError(
            "schema_outdated", f"the database lacks migration {status.pending[0]}: run bo-engine db migrate"
        )
    if status.unknown:
        raise UsageError(
            "engine_outdated", f"the database has migration {status.unknown[0]}, which this engine does not know"
        )


def apply_migrations(conn: psycopg.Connection[Any], url: str) -> tuple[str, ...]:
    """Apply what is pending and return its ids. ``conn`` is an open connection to the same ``url``.

    Safe to repeat and safe to kill: each migration stands or falls as a whole.
    Raises: Unavailable ``migration_running``; EngineErrors of the database.
    """
    row = conn.execute("SELECT pg_try_advisory_lock(%(lock)s)", {"lock": MIGRATION_LOCK}).fetchone()
    if row is None or not row[0]:
        raise Unavailable("migration_running", "another session migrates this database now")
    try:
        return _apply_with_yoyo(url, select_status(conn))
    finally:
        conn.execute("SELECT pg_advisory_unlock(%(lock)s)", {"lock": MIGRATION_LOCK})


def _apply_with_yoyo(url: str, status: MigrationStatus) -> tuple[str, ...]:
    if status.unknown:
        raise UsageError(
            "engine_outdated", f"the database has migration {status.unknown[0]}, which this engine does not know"
        )
    if not status.pending:
        return ()
    # Imported here: yoyo is needed by this command only, and every start would pay for it.
    from yoyo import exceptions, read_migrations
    from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
    from yoyo.connections import DatabaseURI
    from yoyo.migrations import MigrationList, default_migration_table

    arguments: dict[str, Any] = {key: value for key, value in conninfo_to_dict(url).items() if value is not None}
    name = arguments.pop("dbname", None)
    uri = DatabaseURI("postgresql+psycopg", None, None, None, None, name, arguments)
    done: list[str] = []
    try:
        backend = PostgresqlPsycopgBackend(uri, default_migration_table)
        with backend:
            backend.init_database()
            backend.break_lock()  # we hold the advisory lock, so a lock row can only be that of a killed process
            migrations = read_migrations(str(MIGRATIONS))
            with backend.lock():
                behind = [one for one in backend.to_apply(migrations) if one.id in status.applied]
                backend.mark_migrations(MigrationList(behind))
                for migration in backend.to_apply(migrations):
                    backend.apply_one(migration)
                    done.append(migration.id)
    except psycopg.Error as error:
        raise _failed(done, translate(error)) from error
    except (exceptions.BadMigration, exceptions.LockTimeout) as error:
        raise InvariantBroken(
            "bad_migration", f"after {done[-1] if done else 'none'}: {type(error).__name__}"
        ) from error
    return tuple(done)


def _failed(done: list[str], error: EngineError) -> EngineError:
    error.message = f"migration after {done[-1] if done else 'the start'} failed: {error.message}"
    return error
