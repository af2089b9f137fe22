"""A disk that fails, without any right of the superuser of the machine: the file of one relation is exchanged for a
device of the kernel that fails as a disk does. The errors that PostgreSQL meets are real ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from local_world import processes
from tests.support.played_world import PlayedWorld


def _path(played: PlayedWorld, table: str) -> Path:
    with psycopg.connect(played.env["MIGRATION_DATABASE_URL"], autocommit=True) as conn:
        row = conn.execute("SELECT pg_relation_filepath(%s)", [table]).fetchone()
    assert row is not None
    return Path(played.world.postgres.data) / row[0]


@contextmanager
def _exchanged(path: Path, device: str) -> Iterator[None]:
    aside = path.with_name(f"{path.name}.aside")
    path.rename(aside)
    path.symlink_to(device)
    try:
        yield
    finally:
        path.unlink()
        aside.rename(path)


@contextmanager
def full_disk(played: PlayedWorld, table: str) -> Iterator[None]:
    """No space left on the device of an empty table: every write to /dev/full fails with ENOSPC, and it is 0 long."""
    with psycopg.connect(played.env["MIGRATION_DATABASE_URL"], autocommit=True) as conn:
        conn.execute(sql.SQL("VACUUM {}").format(sql.Identifier(table)))
    path = _path(played, table)
    assert path.stat().st_size == 0, f"{table} is not empty"
    with _exchanged(path, "/dev/full"):
        yield


def fail_fsync(played: PlayedWorld, table: str) -> None:
    """PostgreSQL cannot fsync the file of a table (a character device refuses it): it panics. Then it recovers."""
    server = played.world.postgres
    with _exchanged(_path(played, table), "/dev/zero"):
        try:
            played.run_as_admin(sql.SQL("CHECKPOINT"))
        except psycopg.OperationalError:
            assert processes.wait_until_ended(server.process, 60), "PostgreSQL lives on after a panic"
        else:
            raise AssertionError("the checkpoint came through")
    written = server.log.read_text(encoding="utf-8", errors="replace")
    assert "PANIC:  could not fsync file" in written, written[-1500:]
    server.restart()


@contextmanager
def durable_server(played: PlayedWorld) -> Iterator[None]:
    """The world's server as production has it, for a while: it waits for the disk. After a panic it stays down."""
    server, options = played.world.postgres, played.world.postgres.options
    server.options = ("fsync=on", "full_page_writes=on", "checkpoint_flush_after=0", "restart_after_crash=off")
    server.restart()
    try:
        yield
    finally:
        server.options = options
        server.restart()
