"""A standby of the world's PostgreSQL, made by the documented pg_basebackup, and its promotion."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg

from local_world import processes
from local_world.postgres import PostgresServer, _launch
from local_world.processes import Started
from tests.support.commands import wait_until
from tests.support.doc_commands import documented, run_shell
from tests.support.played_world import PlayedWorld

_ACCEPTS = ("hot_standby=on",)


class Standby:
    """It follows the primary until it is promoted or cut off."""

    def __init__(self, played: PlayedWorld, server: PostgresServer) -> None:
        self._played = played
        self.server = server

    def url(self, primary_url: str) -> str:
        """The same database and login on the standby."""
        return primary_url.replace(str(self._played.world.postgres.private), str(self.server.private)).replace(
            str(self._played.world.postgres.private).replace("/", "%2F"), str(self.server.private).replace("/", "%2F")
        )

    def env(self) -> dict[str, str]:
        """The engine's settings for the standby."""
        names = ("DATABASE_URL", "MIGRATION_DATABASE_URL")
        return {**self._played.env, **{name: self.url(self._played.env[name]) for name in names}}

    def wait_until_level(self) -> None:
        """Wait until it has replayed all that the primary has written."""
        with psycopg.connect(self._played.env["MIGRATION_DATABASE_URL"], autocommit=True) as primary:
            (position,) = primary.execute("SELECT pg_current_wal_lsn()::text").fetchone() or ("",)
        with psycopg.connect(self.server.url, autocommit=True) as conn:
            reached = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
            wait_until(lambda: conn.execute(reached, [position]).fetchone() == (True,), "the standby to catch up")

    def cut_off(self) -> None:
        """From now on it receives nothing: what the primary commits later is lost with the primary."""
        with (self.server.data / "postgresql.auto.conf").open("a") as settings:
            settings.write("primary_conninfo = ''\n")
        self.server.restart()

    def promote(self) -> None:
        """Make it the server that takes writes."""
        with psycopg.connect(self.server.url, autocommit=True) as conn:
            conn.execute("SELECT pg_promote()")


@contextmanager
def opened_standby(played: PlayedWorld) -> Iterator[Standby]:
    """A standby of the primary, level with it; gone at the end."""
    primary = played.world.postgres
    folder = Path(tempfile.mkdtemp(prefix="bo-sb-", dir=primary.private.parent)).resolve()
    try:
        (line,) = documented("operations.md", "pg_basebackup ")
        run_shell(line, path=primary.binaries, SERVER_URL=primary.url, STANDBY=str(folder / "data"))
        if primary.account is not None:
            for path in (folder, *folder.rglob("*")):
                shutil.chown(path, primary.account.uid, primary.account.gid)
        server = replace(
            primary,
            folder=folder,
            private=folder,
            data=folder / "data",
            options=(*primary.options, *_ACCEPTS),
            process=Started("postgres", 0, ""),
        )
        server.process = _launch(server)
        try:
            standby = Standby(played, server)
            standby.wait_until_level()
            yield standby
        finally:
            processes.end(server.process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
