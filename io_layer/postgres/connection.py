"""The connection to PostgreSQL: one way in, with time limits, exact numbers and our own errors."""

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import wraps
from typing import Any, Final, TypeAlias, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.adapt import Buffer, Loader
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Format, TransactionStatus
from psycopg.rows import TupleRow

from bo_engine.errors import EngineError, InvariantBroken, UsageError
from io_layer.postgres.errors import translate, translate_connect
from io_layer.postgres.schema import MigrationStatus, apply_migrations, check_schema, select_status

Conn: TypeAlias = psycopg.Connection[Any]

MIN_SERVER_VERSION: Final = 160_000
LOCK_TIMEOUT_MS: Final = 10_000
STATEMENT_TIMEOUT_MS: Final = 600_000
IDLE_TIMEOUT_MS: Final = 120_000

_T = TypeVar("_T")
_Row = TypeVar("_Row", covariant=True)


class IntTextLoader(Loader):
    """numeric -> int from text. A fraction is refused, never rounded."""

    def load(self, data: Buffer) -> int:
        text = bytes(data)
        try:
            return int(text)
        except ValueError:
            whole, _, fraction = text.partition(b".")
            if fraction.strip(b"0") or not whole.lstrip(b"-").isdigit():
                raise _not_whole(text.decode("ascii", "replace")) from None
            return int(whole)


class IntBinaryLoader(Loader):
    """numeric -> int from PostgreSQL's binary form: base-10000 digits and a weight."""

    format = Format.BINARY

    def load(self, data: Buffer) -> int:
        count, weight, sign, _ = struct.unpack_from(">HhHH", data)
        if sign not in (0, 0x4000):
            raise _not_whole("NaN or infinity")
        value = 0
        for digit in struct.unpack_from(f">{count}H", data, 8):
            value = value * 10_000 + digit
        missing = weight + 1 - count
        if missing >= 0:
            value *= int(10_000**missing)
        else:
            value, fraction = divmod(value, 10_000**-missing)
            if fraction:
                raise _not_whole("a fraction")
        return -value if sign else value


class EngineConnection(psycopg.Connection[TupleRow]):
    """A connection whose errors are ours.

    Every round trip of psycopg, cursors and transactions included, goes through ``wait``: one place translates all.
    """

    def wait(self, gen: PQGen[_T], *args: Any, **kwargs: Any) -> _T:
        try:
            return super().wait(gen, *args, **kwargs)
        except psycopg.Error as error:
            raise translate(error) from error

    def _check_connection_ok(self) -> None:
        try:
            super()._check_connection_ok()
        except psycopg.Error as error:
            raise translate(error) from error


def connect(
    url: str,
    *,
    application_name: str,
    check_version: bool = True,
    lock_timeout_ms: int = LOCK_TIMEOUT_MS,
    statement_timeout_ms: int = STATEMENT_TIMEOUT_MS,
    idle_timeout_ms: int = IDLE_TIMEOUT_MS,
    connect_timeout_s: int = 10,
) -> Conn:
    """Return an autocommit connection; transactions are opened by services with ``conn.transaction()``.

    ``check_version=False`` skips the comparison of the schema with this engine (the server's version is always
    checked): for migrations and for ``db status``.
    Raises: UsageError ``bad_database_url``, ``database_refused``, ``postgres_too_old``, ``schema_outdated``,
    ``engine_outdated``; Unavailable ``database_unreachable``, ``database_busy``.
    """
    conn = _open(
        url,
        application_name,
        lock_timeout_ms=lock_timeout_ms,
        statement_timeout_ms=statement_timeout_ms,
        idle_timeout_ms=idle_timeout_ms,
        connect_timeout_s=connect_timeout_s,
    )
    try:
        check_server_version(conn)
        if check_version:
            check_schema(conn)
    except BaseException:
        conn.close()
        raise
    return conn


def check_server_version(conn: Conn) -> None:
    """Raises: UsageError ``postgres_too_old`` below PostgreSQL 16."""
    version = conn.info.server_version
    if version < MIN_SERVER_VERSION:
        raise UsageError(
            "postgres_too_old", f"PostgreSQL 16 or newer is needed, this server is {version // 10_000}: upgrade it"
        )


def _open(
    url: str,
    name: str,
    *,
    lock_timeout_ms: int,
    statement_timeout_ms: int,
    idle_timeout_ms: int,
    connect_timeout_s: int,
) -> EngineConnection:
    try:
        given = conninfo_to_dict(url)
    except psycopg.Error as error:
        # Without the cause: libpq's complaint about a bad URL repeats the URL, password included.
        raise translate_connect(error) from None
    # As start-up options, so that the limits hold from the first statement on and survive a rollback.
    options = " ".join(
        [
            str(given.get("options") or ""),
            f"-c lock_timeout={lock_timeout_ms}",
            f"-c statement_timeout={statement_timeout_ms}",
            f"-c idle_in_transaction_session_timeout={idle_timeout_ms}",
            "-c timezone=UTC",
            "-c datestyle=ISO",
            # What the triggers rely on: after a lock they see what its holder has committed. A database whose default
            # is stricter would fail them instead.
            "-c default_transaction_isolation=read\\ committed",
        ]
    ).strip()
    info = make_conninfo(
        url,
        application_name=name,
        connect_timeout=str(connect_timeout_s),
        client_encoding="UTF8",
        options=options,
    )
    try:
        # Without server-side prepared statements, so that a pooler in transaction mode may stand in between.
        conn = EngineConnection.connect(info, autocommit=True, prepare_threshold=None)
    except EngineError:
        raise
    except psycopg.Error as error:
        raise translate_connect(error) from None
    conn.adapters.register_loader("numeric", IntTextLoader)
    conn.adapters.register_loader("numeric", IntBinaryLoader)
    return conn


def _not_whole(shown: str) -> InvariantBroken:
    return InvariantBroken("fraction_in_database", f"the database returned {shown[:60]} where only whole numbers stand")


def migrate(url: str) -> tuple[str, ...]:
    """Bring the schema up to date and return the ids of the migrations applied now. Safe to repeat.

    Needs the owner's login. Raises: as ``connect``, and Unavailable ``migration_running``.
    """
    with connect(url, application_name="bo-engine migrate", check_version=False) as conn:
        return apply_migrations(conn, url)


def migration_status(url: str) -> MigrationStatus:
    """What is applied and what is pending. Reads only. Raises: as ``connect``."""
    with connect(url, application_name="bo-engine status", check_version=False) as conn:
        return select_status(conn)


def _in_transaction(method: Callable[..., _T]) -> Callable[..., _T]:
    """The cursor's method, in a transaction of its own where none is open."""

    @wraps(method)
    def run(cursor: psycopg.Cursor[Any], *args: Any, **kwargs: Any) -> _T:
        conn = cursor.connection
        is_idle = conn.info.transaction_status == TransactionStatus.IDLE
        with conn.transaction() if is_idle else nullcontext():
            return method(cursor, *args, **kwargs)

    return run


class _ReadingCursor(psycopg.Cursor[_Row]):
    """Gives a statement outside a transaction one of its own, so that the database refuses its writes as well."""

    execute = _in_transaction(psycopg.Cursor.execute)
    executemany = _in_transaction(psycopg.Cursor.executemany)


def refuse_writes(conn: Conn) -> None:
    """From here on the database itself refuses every write of this connection, each statement a transaction of its own.

    For a dry run that asks the chain for long: no transaction is open meanwhile, which the database would end as idle.
    A setting of the session would do the same, but a pooler would lend that session to a run that has to write.
    """
    conn.read_only = True
    conn.cursor_factory = _ReadingCursor


@contextmanager
def read_only(conn: Conn) -> Iterator[None]:
    """A transaction in which the database itself refuses every write: one snapshot for a dry run.

    Whoever asks the chain in it for longer than IDLE_TIMEOUT_MS without a statement between loses it.
    """
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield
