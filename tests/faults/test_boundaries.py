"""A write that nobody told the harness about is a boundary all the same: the doors are watched, not the places."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.played_world import PlayedWorld

_REPOSITORY = Path(__file__).resolve().parents[2]
_FRAME = """
import os, sys
from tests.support.boundaries import Plan, Watch, install
import psycopg, pathlib, io, json, shutil, tempfile, urllib.request, requests
from psycopg import sql
install(Watch(Plan(), os.dup(2), lambda said: "go"))
conn = psycopg.connect(sys.argv[1], autocommit=True)
URL = sys.argv[2]
def body(method):
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": []}).encode()
conn.execute("SELECT 1")
for statement, folder in json.load(sys.stdin):
    os.chdir(folder)
    os.write(2, b'{"statement": 0}\\n')
    exec(statement)
"""

NEW_WRITES: list[tuple[str, str]] = [
    ("commit", "with conn.transaction(): conn.execute('SELECT 1')"),
    ("sql", "conn.execute('UPDATE pot_sizes SET streak = 0')"),
    ("sql", "conn.execute(sql.SQL('DELETE FROM {}').format(sql.Identifier('pot_sizes')))"),
    ("sql", "conn.execute('WITH gone AS (DELETE FROM pot_sizes RETURNING 1) SELECT * FROM gone')"),
    ("sql", "conn.execute('SELECT lock_day(1, true)')"),
    ("sql", "conn.execute(\"SELECT nextval('settlement_runs_run_id_seq')\")"),
    ("sql", "conn.execute('CREATE TEMP TABLE anything (n int)')"),
    ("sql", "conn.cursor().executemany('DELETE FROM pot_sizes WHERE streak = %s', [[1], [2]])"),
    ("sql", "list(conn.cursor().stream('DELETE FROM pot_sizes RETURNING 1'))"),
    ("sql", "psycopg.ClientCursor(conn).execute('DELETE FROM pot_sizes WHERE streak = %s', [7])"),
    ("sql", "conn.execute('DELETE FROM pot_sizes', prepare=True)"),
    ("file", "pathlib.Path('new').write_text('x')"),
    ("file", "pathlib.Path('new').mkdir()"),
    ("file", "open('new', 'ab').close()"),
    ("file", "os.replace('old', 'new')"),
    ("file", "pathlib.Path('old').rename('new')"),
    ("file", "pathlib.Path('old').unlink()"),
    ("file", "os.fsync(os.open('old', os.O_RDONLY))"),
    ("file", "shutil.copyfile('old', 'new')"),
    ("file", "tempfile.mkstemp(dir='.')"),
    ("send", "requests.post(URL, data=body('eth_sendRawTransaction'))"),
    ("send", "requests.post(URL, data=body('anvil_setBalance'))"),
    ("send", "urllib.request.urlopen(urllib.request.Request(URL, data=body('evm_mine'))).read()"),
]
READS: list[str] = [
    "conn.execute('SELECT count(*) FROM pot_sizes')",
    "conn.execute('SHOW server_version')",
    "pathlib.Path('old').read_text()",
    "os.listdir('.')",
    "requests.post(URL, data=body('eth_blockNumber'))",
    "requests.post(URL, data=body('eth_getLogs'))",
]


def watched(played: PlayedWorld, folder: Path, statements: list[str]) -> list[list[dict[str, object]]]:
    """What the harness noticed of each statement, all in one process of their own."""
    folders = [folder / str(number) for number in range(len(statements))]
    for each in folders:
        each.mkdir()
        (each / "old").write_text("old")
    done = subprocess.run(
        [sys.executable, "-c", _FRAME, played.env["MIGRATION_DATABASE_URL"], played.world.chain.url],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(_REPOSITORY)},
        input=json.dumps(list(zip(statements, map(str, folders), strict=True))),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[list[dict[str, object]]] = []
    for line in done.stderr.splitlines():
        said = json.loads(line)
        if "statement" in said:
            found.append([])
        else:
            found[-1].append(said)
    return found


@pytest.mark.world
def test_any_new_write_is_a_boundary(played: PlayedWorld, tmp_path: Path) -> None:
    seen = watched(played, tmp_path, [statement for _, statement in NEW_WRITES])
    missed = [
        (kind, statement, found)
        for (kind, statement), found in zip(NEW_WRITES, seen, strict=True)
        if kind not in [each.get("kind") for each in found] or any("unseen" in each for each in found)
    ]
    assert not missed


@pytest.mark.world
def test_reading_is_none(played: PlayedWorld, tmp_path: Path) -> None:
    assert watched(played, tmp_path, READS) == [[]] * len(READS)


@pytest.mark.world
def test_a_write_past_the_doors_is_told(played: PlayedWorld, tmp_path: Path) -> None:
    """posix is the module below os: the interpreter's own audit still sees what goes through it."""
    (found,) = watched(played, tmp_path, ["import posix; posix.rename('old', 'new')"])
    assert [each.get("unseen") for each in found] == ["os.rename old"]
