"""What PostgreSQL's errors mean to an operator. No message repeats a URL, a password or a row's values."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import psycopg

from bo_engine.errors import EngineError, InvalidInput, InvariantBroken, Unavailable, UsageError

REFUSED_BY_TRIGGER: Final = "BO001"  # raised by refuse() in the migrations; the constraint name is our code

_BUSY: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "40001": ("database_conflict", "two transactions touched the same rows at the same time"),
        "40P01": ("database_conflict", "two transactions waited for each other"),
        "55P03": ("database_locked", "another session holds a lock that this command needs"),
        "57014": ("database_timeout", "a statement took longer than its time limit"),
        "25P02": ("database_conflict", "the transaction had already failed"),
        "25P03": ("database_timeout", "the session was idle in a transaction for too long"),
        "25P04": ("database_timeout", "a transaction took longer than its time limit"),
        "25006": ("database_read_only", "the database accepts no writes now (a standby, or set to read-only)"),
        "53100": ("database_full", "the disk of the database is full"),
        "53200": ("database_full", "the database is out of memory"),
        "53300": ("database_busy", "the database accepts no more connections"),
    }
)
_REFUSED_LOGIN: Final = (
    "authentication failed",
    "no password supplied",
    'role "',
    'database "',
    "no pg_hba.conf entry",
)


def translate(error: psycopg.Error) -> EngineError:
    """The engine's error for a driver error: who has to do what next, with a stable code."""
    state = error.sqlstate or ""
    named = error.diag.constraint_name
    said = error.diag.message_primary or "no details"
    if state == REFUSED_BY_TRIGGER:
        return InvariantBroken(named or "refused", said)
    if state in _BUSY:
        code, message = _BUSY[state]
        return Unavailable(code, message)
    if state.startswith("23"):
        return InvariantBroken(named or "constraint_violated", said)
    if state.startswith("22"):
        return InvalidInput("bad_value", f"the database refused a value: {said}")
    if state == "42501":
        return UsageError("database_forbidden", f"this login may not do that: {said}")
    if state in ("42P01", "42703", "42883"):
        return UsageError("schema_outdated", f"the schema does not fit this engine ({said}): run bo-engine db migrate")
    if isinstance(error, psycopg.OperationalError) or state.startswith(("08", "57P")):
        return Unavailable("database_unreachable", "the connection to the database was lost")
    return InvariantBroken("database_error", f"the database refused a statement ({state or 'driver'}): {said}")


def translate_connect(error: psycopg.Error) -> EngineError:
    """The same for a connection that could not be made: wrong login is a setting, everything else is tried again."""
    if isinstance(error, psycopg.ProgrammingError):
        return UsageError("bad_database_url", "the database URL cannot be read: check DATABASE_URL")
    text = str(error)
    if error.sqlstate == "53300" or "too many clients" in text:
        return Unavailable("database_busy", _BUSY["53300"][1])
    if any(part in text for part in _REFUSED_LOGIN) and "No such file" not in text:
        return UsageError("database_refused", "the database refused the login: check user, password and database name")
    return Unavailable("database_unreachable", "the database does not answer: check that it runs and DATABASE_URL")
