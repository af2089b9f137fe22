"""Canary secrets: they stand in the settings of every test that plays a world, and must turn up nowhere (I15).

The endpoints of the real world have a key in their URL's path, its query, its user and its password; ours get one each.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

IN_PATH = "canary-in-the-path-6d0f21"
IN_QUERY = "canary-in-the-query-91ac3e"
AS_USER = "canary-as-user-7be004"
AS_PASSWORD = "canary-as-password-2c58d7"
_SECRET_SETTINGS = ("DATABASE_URL", "MIGRATION_DATABASE_URL")

SELECT_TABLES = """
    SELECT c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE n.nspname = 'public' AND c.relkind = 'r' ORDER BY c.relname
"""


class CanaryFound(Exception):
    """A secret stands where it must not; the text names the place."""


def with_canaries(env: Mapping[str, str]) -> dict[str, str]:
    """The settings with a canary in every part of the endpoints' URLs that is a secret somewhere in the world."""
    first, second = urlsplit(env["RPC_URL"]), urlsplit(env["RPC_FALLBACK_URL"])
    userinfo = f"{AS_USER}:{AS_PASSWORD}@"
    return {
        **env,
        # anvil answers at its root only; the proxy in front of it answers at every path.
        "RPC_URL": urlunsplit(first._replace(netloc=userinfo + first.netloc, path="/", query=f"apikey={IN_QUERY}")),
        "RPC_FALLBACK_URL": urlunsplit(second._replace(path=f"/v2/{IN_PATH}", query=f"token={IN_QUERY}")),
    }


def canaries_of(env: Mapping[str, str]) -> list[str]:
    """All secrets of these settings, as they would leak."""
    found = {IN_PATH, IN_QUERY, AS_USER, AS_PASSWORD, env.get("SETTLER_PRIVATE_KEY", "").removeprefix("0x")}
    found |= {urlsplit(env[name]).password or "" for name in _SECRET_SETTINGS if name in env}
    return sorted(text for text in found if len(text) >= 8)


def require_clean_texts(env: Mapping[str, str], texts: Mapping[str, str]) -> None:
    """Raises: CanaryFound."""
    for place, text in texts.items():
        _refuse(place, (canary for canary in canaries_of(env) if canary in text))


def require_clean_files(env: Mapping[str, str], folder: Path, pattern: str = "*") -> None:
    """No file below the folder holds a secret, in its name or in its bytes. Raises: CanaryFound."""
    for path in folder.rglob(pattern):
        _refuse(str(path), (canary for canary in canaries_of(env) if canary in path.name))
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            _refuse(str(path), (canary for canary in canaries_of(env) if canary.encode() in data))


def require_clean_database(env: Mapping[str, str]) -> None:
    """No row of any table holds a secret, as text, in JSON or as bytes. Raises: CanaryFound."""
    spelled = [*canaries_of(env), *(canary.encode().hex() for canary in canaries_of(env))]
    with psycopg.connect(env["MIGRATION_DATABASE_URL"], autocommit=True) as conn:
        tables = [name for (name,) in conn.execute(SELECT_TABLES)]
        one = "SELECT {}::text FROM {} AS t WHERE t::text ~ {}"
        query = sql.SQL(" UNION ALL ").join(
            sql.SQL(one).format(sql.Literal(name), sql.Identifier(name), sql.Literal("|".join(spelled)))
            for name in tables
        )
        found = [name for (name,) in conn.execute(query)] if tables else []
    _refuse("database", (f"table {name}" for name in found))


def _refuse(place: str, found: Iterable[str]) -> None:
    # Without the secret itself: a test report is a log, too.
    if shown := [text if text.startswith("table ") else f"...{text[-4:]}" for text in found]:
        raise CanaryFound(f"I15: a secret stands in {place}: {', '.join(shown)}")
