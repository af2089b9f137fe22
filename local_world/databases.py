"""Fresh databases for a world, in the embedded server or in one that is given, with a login for each of the roles."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from psycopg import sql

from io_layer.postgres.connection import Conn, connect, migrate

#: Our short name of a login, and the group role (made by the migrations) that it belongs to.
GROUPS: Final[Mapping[str, str]] = {"engine": "bo_engine", "app": "bo_app", "watchdog": "bo_watchdog"}


@dataclass(frozen=True, slots=True)
class WorldDatabase:
    """One migrated database and its four addresses."""

    name: str
    owner_url: str
    engine_url: str
    app_url: str
    watchdog_url: str


def create_logins(server_url: str, world_id: str) -> dict[str, str]:
    """Make one login per role, without any right yet; returns password by login name.

    The names are the world's own, because roles belong to the whole server.
    Raises: UsageError ``database_forbidden`` without CREATEROLE; as ``io_layer.postgres.connection.connect``.
    """
    logins = {login_of(world_id, short): secrets.token_hex(16) for short in GROUPS}
    with _admin(server_url) as conn:
        for login, password in logins.items():
            conn.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(login), sql.Literal(password))
            )
        # An App that forgets a transaction must not hold its locks for ever (docs/app.md).
        limit = sql.SQL("ALTER ROLE {} SET idle_in_transaction_session_timeout = '10s'")
        conn.execute(limit.format(sql.Identifier(login_of(world_id, "app"))))
    return logins


CREATE_DATABASE = "CREATE DATABASE {} ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0"


def create_database(server_url: str, name: str, world_id: str, logins: Mapping[str, str]) -> WorldDatabase:
    """Make and migrate a database; the logins join their groups. Raises: as ``create_logins``."""
    with _admin(server_url) as conn:
        # The locale C sorts as Python does; template0 takes any locale.
        conn.execute(sql.SQL(CREATE_DATABASE).format(sql.Identifier(name)))
    owner_url = with_database(server_url, name)
    migrate(owner_url)
    with _admin(server_url) as conn:
        for short, group in GROUPS.items():
            grant = sql.SQL("GRANT {} TO {}")
            conn.execute(grant.format(sql.Identifier(group), sql.Identifier(login_of(world_id, short))))
    urls = {
        short: with_database(server_url, name, user=login, password=logins[login])
        for short in GROUPS
        for login in [login_of(world_id, short)]
    }
    return WorldDatabase(name, owner_url, urls["engine"], urls["app"], urls["watchdog"])


SELECT_LOGINS = "SELECT rolname FROM pg_roles WHERE rolname = ANY(%(logins)s) ORDER BY rolname"


def drop_all(server_url: str, databases: list[str], world_id: str) -> None:
    """Drop the world's databases and logins; the group roles stay, other databases may use them. Repeatable."""
    with _admin(server_url) as conn:
        for name in databases:
            conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        # Only those that exist: even DROP ROLE IF EXISTS asks for a right that a refused start did not have.
        made = conn.execute(SELECT_LOGINS, {"logins": [login_of(world_id, short) for short in GROUPS]}).fetchall()
        for (login,) in made:
            conn.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(login)))


def login_of(world_id: str, short: str) -> str:
    """Name of a world's login."""
    return f"bo_world_{world_id}_{short}"


def with_database(url: str, database: str, *, user: str | None = None, password: str | None = None) -> str:
    """The same server's address with another database and, if given, another login."""
    parts = urlsplit(url)
    query = [(key, value) for key, value in parse_qsl(parts.query) if key not in ("dbname", "user", "password")]
    given = dict(parse_qsl(parts.query))
    if user is None:
        user = unquote(parts.username) if parts.username else given.get("user")
        password = unquote(parts.password) if parts.password else given.get("password")
    login = "" if user is None else quote(user, safe="") + (f":{quote(password, safe='')}" if password else "") + "@"
    hosts = parts.netloc.rpartition("@")[2]
    return urlunsplit(("postgresql", login + hosts, "/" + quote(database, safe=""), urlencode(query, safe="/"), ""))


def _admin(server_url: str) -> Conn:
    return connect(server_url, application_name="bo-engine local world", check_version=False)
